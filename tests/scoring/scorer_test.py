"""Scores of videos from those of their crops."""

import numpy as np
import pytest

from adplg_jax.run import sharding
from adplg_jax.scoring import scorer


def crop(video, index, scores, **changes):
  """A crop whose features are its scores."""
  return {
    "features": np.array(scores, np.float32)[:, None],
    "video": video,
    "crop": index,
    "category": "Abuse",
    "label": 1,
    "frames": 2 * len(scores),
    "frames_per_snippet": 2,
    "spans": np.array([[1, 2]]),
    "has_spans": True,
    **changes,
  }


def first_channel(params, features, lengths):
  """Padding, too, gets a score: one that no video may show."""
  beyond = np.arange(features.shape[1]) >= np.asarray(lengths)[:, None]
  return features[..., 0] + 9 * beyond


def score(examples, *, batch_snippets=128, span_ends="exclusive", **more):
  return scorer.score_videos(
    first_channel,
    None,
    examples,
    batch_snippets=batch_snippets,
    longest=400,
    mesh=sharding.make_mesh(),
    span_ends=span_ends,
    **more,
  )


@pytest.mark.parametrize("batch_snippets", [64, 128, 1024])
def test_a_video_is_the_mean_of_its_crops(batch_snippets):
  """In whatever batches the crops come; in order of the videos' names."""
  examples = [
    crop("b", 0, [0.25, 0.5]),
    crop("a", 0, [1.0]),
    crop("b", 1, [0.75, 0.0]),
    crop("a", 1, [0.0]),
    crop("a", 2, [0.5]),
    crop("long", 0, [0.125] * 70),
  ]
  first, second, last = score(examples, batch_snippets=batch_snippets)
  assert (first.name, second.name, last.name) == ("a", "b", "long")
  np.testing.assert_array_equal(first.snippet_scores, [0.5])
  np.testing.assert_array_equal(second.snippet_scores, [0.5, 0.25])
  np.testing.assert_array_equal(second.scores, [0.5, 0.5, 0.25, 0.25])
  np.testing.assert_array_equal(last.snippet_scores, np.full(70, 0.125))


def test_frame_truth_is_that_of_the_spans():
  examples = [
    crop("a", 0, [0.5, 0.5]),
    crop("b", 0, [0.5], has_spans=False),
  ]
  known, unknown = score(examples)
  np.testing.assert_array_equal(known.truth, [0, 1, 0, 0])
  assert unknown.truth is None
  known, _ = score(examples, span_ends="inclusive")
  np.testing.assert_array_equal(known.truth, [0, 1, 1, 0])


def test_crops_of_different_lengths_are_named():
  examples = [crop("a", 0, [0.5]), crop("a", 3, [0.5, 0.5])]
  with pytest.raises(ValueError, match="1 snippets, but 2 in crop 3"):
    score(examples)


def test_scoring_stops_when_asked():
  asked = []

  def stop(number):
    asked.append(number)
    return number == 1

  examples = [crop(name, 0, [0.5]) for name in "abcde"]
  with pytest.raises(scorer.StoppedError):
    score(examples, stop=stop)
  assert asked == [0, 1]
