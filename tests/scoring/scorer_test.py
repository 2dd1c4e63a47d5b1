"""Scoring a split: crops, padding, spans, a stop."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.run import sharding
from adplg_jax.scoring import scorer
from tests.runs import tiny
from tests.train_step_test import WIDTH, initial, small_method

MESH = sharding.make_mesh()


def example(
  video,
  crop,
  features,
  *,
  spans=(),
  frames=None,
  has_spans=True,
  exact_spans=False,
):
  features = np.asarray(features)
  return {
    "features": features,
    "video": video,
    "crop": crop,
    "category": "Abuse" if len(spans) else "Normal",
    "label": int(len(spans) > 0),
    "frames": 2 * len(features) if frames is None else frames,
    "frames_per_snippet": 2,
    "window": 2,
    "spans": np.array(spans, np.int64).reshape(-1, 2),
    "has_spans": has_spans,
    "exact_spans": exact_spans,
  }


def planted(scores):
  """Features [t, 1] that `first_channel` gives these scores."""
  return np.array(scores, np.float32)[:, None]


def first_channel(params, features, lengths):
  """Stands in for a model; NaN where nothing is."""
  del params
  places = np.arange(features.shape[1])
  return jnp.where(places < lengths[:, None], features[..., 0], jnp.nan)


def batches_of(examples, batch_snippets=64, longest=64):
  return scorer.put_batches(
    examples, batch_snippets=batch_snippets, longest=longest, mesh=MESH
  )


def score(
  examples,
  score=first_channel,
  params=None,
  span_ends="exclusive",
  stop=lambda number: False,
  **batching,
):
  """{name: scored video}."""
  videos = scorer.score_videos(
    score,
    params,
    batches_of(examples, **batching),
    span_ends=span_ends,
    stop=stop,
  )
  assert [v.name for v in videos] == sorted(v.name for v in videos)
  return {video.name: video for video in videos}


def test_a_videos_score_is_the_mean_over_its_crops():
  """In whatever order they come, repeated for the frames of a snippet."""
  crops = [
    example("b", 0, planted([0.25, 0.5, 1]), frames=5),
    example("a", 0, planted([1, 0])),
    example("b", 1, planted([0.75, 0.0, 0]), frames=5),
    example("b", 2, planted([0.5, 0.25, 0.5]), frames=5),
  ]
  for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
    found = score([crops[i] for i in order])
    np.testing.assert_array_equal(found["a"].snippet_scores, [1, 0])
    np.testing.assert_array_equal(found["b"].snippet_scores, [0.5, 0.25, 0.5])
    np.testing.assert_array_equal(
      found["b"].scores, [0.5, 0.5, 0.25, 0.25, 0.5]
    )
    assert found["b"].scores.dtype == np.float64


@functools.cache
def model():
  """A jitted scorer of the snippet branch, and parameters."""
  method = small_method()
  return scorer.make_scorer(method), initial(method).snippet.params


def test_parameters_of_another_precision_are_the_methods():
  """As of a run of float64 that is scored in float32."""
  method = small_method()
  branch = method.snippet_branch.clone(
    dtype=jnp.float32, param_dtype=jnp.float32
  )
  with jax.enable_x64(True):
    double = initial(method).snippet.params
    single = jax.tree.map(lambda x: x.astype(jnp.float32), double)
  score_crops = scorer.make_scorer(
    dataclasses.replace(method, snippet_branch=branch)
  )
  crop = np.ones((1, 4, WIDTH), np.float32), np.array([4], np.int32)
  np.testing.assert_array_equal(
    score_crops(double, *crop), score_crops(single, *crop)
  )


@pytest.mark.parametrize("batch_snippets", [1, 40, 4096])
def test_padding_never_changes_a_score(x64, batch_snippets):
  """Neither rows behind a crop, nor crops behind the last."""
  own, params = model()
  rng = np.random.default_rng(0)
  crops = [
    example(f"v{t}", crop, rng.random((t, WIDTH)))
    for t in (3, 9, 16)
    for crop in range(3)
  ]
  found = score(crops, own, params, batch_snippets=batch_snippets, longest=16)
  for t in (3, 9, 16):
    alone = [
      own(params, jnp.asarray(c["features"][None]), jnp.array([t]))[0]
      for c in crops
      if c["video"] == f"v{t}"
    ]
    np.testing.assert_allclose(
      found[f"v{t}"].snippet_scores, np.mean(alone, axis=0), rtol=1e-10
    )


def test_scores_are_probabilities_of_features_of_any_type(x64):
  own, params = model()
  x = np.random.default_rng(0).random((1, 9, WIDTH)).astype(np.float16)
  n = jnp.array([9])
  found = own(params, jnp.asarray(x), n)
  np.testing.assert_array_equal(found, own(params, jnp.asarray(x, float), n))
  logits = jax.jit(small_method().snippet_branch.apply)(
    {"params": params}, jnp.asarray(x, float), n
  )
  np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits)), rtol=1e-12)


def test_a_stop_is_asked_before_each_batch_with_its_number():
  crops = [example(f"v{i}", 0, planted([0.5] * 32)) for i in range(5)]
  numbers, scored = [], []

  def stop(number):
    numbers.append((number, len(scored)))
    return number == 3

  def counted(*arguments):
    scored.append(1)
    return first_channel(*arguments)

  with pytest.raises(scorer.StoppedError):
    score(crops, counted, batch_snippets=32, stop=stop)
  assert numbers == [(0, 0), (1, 1), (2, 2), (3, 3)]
  assert len(score(crops, batch_snippets=32, stop=lambda n: False)) == 5


def test_crops_of_different_length_are_refused():
  crops = [
    example("v", 0, planted([1, 1, 1])),
    example("v", 4, planted([1, 1])),
  ]
  said = "crops of v differ in length: 3 snippets, but 2 in crop 4"
  with pytest.raises(ValueError, match=said):
    score(crops)


@pytest.mark.parametrize(
  ("span_ends", "truth"),
  [
    ("exclusive", [0, 1, 1, 0, 0, 1]),
    ("inclusive", [0, 1, 1, 1, 0, 1]),
  ],
)
def test_the_last_frame_of_a_span_follows_span_ends(span_ends, truth):
  crop = example("v", 0, planted([0, 0, 0]), spans=[(1, 3), (5, 6)])
  found = score([crop], span_ends=span_ends)["v"]
  np.testing.assert_array_equal(found.truth, truth)
  assert (found.label, found.category) == (1, "Abuse")
  config = tiny("/nowhere", **{"switches.span_ends": span_ends})
  (same,) = scorer.score_split(config, MESH, first_channel, None, [crop])
  np.testing.assert_array_equal(same.truth, truth)


@pytest.mark.parametrize("span_ends", ["exclusive", "inclusive"])
def test_exact_spans_are_never_extended(span_ends):
  features = planted([0, 0, 0])
  crop = example("v", 0, features, spans=[(1, 3)], exact_spans=True)
  found = score([crop], span_ends=span_ends)["v"]
  np.testing.assert_array_equal(found.truth, [0, 1, 1, 0, 0, 0])


def test_spans_that_are_not_known_are_no_truth():
  crop = example("v", 0, planted([0, 0, 0]), has_spans=False)
  assert score([crop])["v"].truth is None


def test_a_split_is_scored_as_its_configuration_says(monkeypatch):
  given = []

  def note(*arguments, **keywords):
    given.append(keywords)
    return iter(())

  monkeypatch.setattr(scorer, "score_videos", note)
  monkeypatch.setattr(scorer, "put_batches", note)
  changes = {
    "evaluation.batch_snippets": 77,
    "snippet.model.max_snippets": 88,
    "switches.span_ends": "inclusive",
  }
  config = tiny("/nowhere", **changes)
  # Its type is checked, and nothing is returned here.
  undecorated = getattr(scorer.score_split, "__wrapped__", scorer.score_split)
  undecorated(config, MESH, first_channel, None, [], abs)
  assert given == [
    {"batch_snippets": 77, "longest": 88, "mesh": MESH},
    {"span_ends": "inclusive", "stop": abs},
  ]


@pytest.mark.parametrize(
  ("limit", "makes"), [(None, 1), (4 * 64 * 4, 1), (4 * 64 * 4 - 1, 3), (0, 3)]
)
def test_batches_are_kept_where_there_is_room(limit, makes):
  """Four crops, padded to 64 rows of one float32."""
  made = []

  def make():
    made.append(1)
    return batches_of([example(f"v{i}", 0, planted([i])) for i in range(4)])

  kept = scorer.KeptBatches(make, limit)
  found = [
    scorer.score_videos(first_channel, None, kept, span_ends="exclusive")
    for _ in range(3)
  ]
  assert len(made) == makes
  for videos in found:
    assert [float(v.snippet_scores[0]) for v in videos] == [0, 1, 2, 3]


def test_batches_of_a_pass_that_was_broken_off_are_not_kept():
  kept = scorer.KeptBatches(
    lambda: batches_of([example(f"v{i}", 0, planted([i])) for i in range(4)])
  )
  next(iter(kept))
  assert len(list(kept)) == 4


def test_scores_are_fetched_while_the_next_are_computed():
  """So that a device need not wait for the host."""
  order = []

  def note(params, features, lengths):
    order.append("computed")
    return first_channel(params, features, lengths)

  crops = [example(f"v{i}", 0, planted([i])) for i in range(3)]
  for _ in scorer.score_batches(note, None, batches_of(crops)):
    order.append("fetched")
  computed, fetched = "computed", "fetched"
  assert order == [computed, computed, fetched, computed, fetched, fetched]


def test_progress_shows_every_crop_in_order():
  crops = [example(f"v{i}", 0, planted([1])) for i in range(3)]
  shown = [crop["video"] for crop in scorer.with_progress(crops)]
  assert shown == ["v0", "v1", "v2"]
