"""Scores of snippets as they come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adplg_jax.scoring.streaming import StreamScorer
from adplg_jax.scoring.trained import load_scorer


def cumulative(features):
  """Each snippet's score tells its place in the window, and its end."""
  return features.mean(axis=(0, 2)) + 0.01 * features.shape[1]


def rows(snippets, crops=2, width=3):
  return np.random.default_rng(0).random((snippets, crops, width))


def run(stream, features, sizes):
  """All scores, pushed in pieces of these sizes in turn."""
  given, start, number = [], 0, 0
  while start < len(features):
    size = sizes[number % len(sizes)]
    given.append(stream.push(features[start : start + size]))
    start, number = start + size, number + 1
  return [*given, stream.finish()]


@given(
  st.integers(0, 40),
  st.integers(1, 5),
  st.integers(0, 5),
  st.integers(0, 6),
  st.lists(st.integers(1, 12), min_size=1, max_size=4),
)
def test_scores_do_not_depend_on_the_pieces(
  snippets, hop, look_ahead, more, sizes
):
  def stream():
    return StreamScorer(
      cumulative, context=hop + look_ahead + more, hop=hop,
      look_ahead=look_ahead,
    )  # fmt: skip

  features = rows(snippets)
  found = np.concatenate(run(stream(), features, sizes))
  assert found.shape == (snippets,)
  one = stream()
  whole = np.concatenate([one.push(features), one.finish()])
  np.testing.assert_array_equal(found, whole)


def test_a_score_comes_no_later_than_is_stated():
  stream = StreamScorer(cumulative, context=20, hop=3, look_ahead=4)
  for number, row in enumerate(rows(50)):
    stream.push(row[None])
    # The snippets so far that are complete.
    assert number + 1 - stream.given <= 4 + 3 - 1
    assert number + 1 - stream.given >= 4 or stream.given == 0


def test_memory_is_bounded_and_each_window_ends_after_its_block():
  lengths = []

  def score(features):
    lengths.append(features.shape)
    return np.zeros(features.shape[1])

  stream = StreamScorer(score, context=10, hop=2, look_ahead=3)
  stream.push(rows(100))
  assert lengths[:4] == [(2, n, 3) for n in (5, 7, 9, 10)]
  assert set(lengths[4:]) == {(2, 10, 3)}
  assert stream._held.shape == (2, 10, 3)
  assert stream._held.base is None


def test_the_scores_of_a_block_fade_in_over_the_look_ahead_before():
  calls = iter((0.0, 1.0, 1.0))

  def score(features):
    return np.full(features.shape[1], next(calls))

  stream = StreamScorer(score, context=9, hop=4, look_ahead=2)
  found = np.concatenate([stream.push(rows(10)), stream.finish()])
  want = [0, 0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1, 1]
  np.testing.assert_allclose(found, want)


def test_a_video_within_the_look_ahead_is_scored_whole(whole):
  scorer = load_scorer(whole)
  features = rows(20, width=16).astype(np.float32)
  stream = scorer.stream(hop=8, look_ahead=16)
  assert not len(stream.push(features))
  np.testing.assert_allclose(stream.finish(), scorer.score(features), atol=1e-6)


def test_a_stream_agrees_with_the_whole_video(whole):
  scorer = load_scorer(whole)
  features = rows(120, width=16).astype(np.float32)
  want = scorer.score(features)
  stream = scorer.stream(context=100, hop=8, look_ahead=40)
  found = np.concatenate([stream.push(features), stream.finish()])
  # The first window begins where the video does.
  assert 0 < np.abs(found - want).mean() < 0.06


@pytest.mark.parametrize(
  "sizes", [(10, 0, 2), (10, 2, -1), (10, 6, 5), (161, 4, 8)]
)
def test_impossible_sizes_are_refused(whole, sizes):
  names = ("context", "hop", "look_ahead")
  with pytest.raises(ValueError, match="allowed"):
    load_scorer(whole).stream(**dict(zip(names, sizes, strict=True)))


def test_rows_of_another_shape_are_refused():
  stream = StreamScorer(cumulative, context=9, hop=2, look_ahead=2)
  stream.push(rows(2))
  with pytest.raises(ValueError, match="1 crops of 3 channels, but those"):
    stream.push(rows(2)[:, 0])
  assert len(StreamScorer(cumulative).finish()) == 0
