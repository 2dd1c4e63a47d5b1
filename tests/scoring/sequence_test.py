"""Times of snippets; scored videos as the metrics take them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adplg_jax.scoring import metrics
from adplg_jax.scoring.sequence import (
  ScoredSequence,
  Truth,
  noted_times,
  regular_times,
)
from tests.sidecars import SIDECAR


@given(
  st.integers(1, 12), st.integers(1, 9), st.integers(1, 20), st.integers(1, 120)
)
def test_each_frame_has_the_score_that_the_metrics_give_it(
  snippets, step, window, frames
):
  """Whether snippets overlap, and whatever the video's length."""
  scores = np.random.default_rng(snippets).random(snippets)
  times = regular_times(snippets, step, window=window, frames=frames)
  video = ScoredSequence("v", scores, times)
  want = metrics.frame_scores(scores, step, frames, window=window)
  np.testing.assert_array_equal(video.frame_scores(), want)


def test_times_that_extraction_noted():
  seconds = ((0.0, 0.5), (0.5, 1.5), (1.5, 2.0))
  sidecar = dataclasses.replace(SIDECAR, seconds=seconds, frames_per_snippet=8)
  times = noted_times(sidecar)
  assert times.frames.tolist() == [0, 8, 16, 24]
  assert times.seconds.tolist() == [0, 0.5, 1.5, 2]
  assert times.duration == 2


def test_times_in_frames_and_seconds():
  times = regular_times(3, 16, fps=8.0)
  assert times.frames.tolist() == [0, 16, 32, 48]
  assert times.seconds.tolist() == [0, 2, 4, 6]
  assert times.duration == 6
  overlapping = regular_times(3, 4, window=16)
  assert overlapping.frames.tolist() == [0, 10, 14, 24]
  assert overlapping.seconds is None and overlapping.duration == 24


def test_the_peak_is_the_first_of_the_highest():
  video = ScoredSequence("v", np.array([0.1, 0.9, 0.9]), regular_times(3, 1))
  assert (video.peak, video.peak_snippet) == (0.9, 1)


@pytest.mark.parametrize(
  ("exact", "span_ends", "last"),
  [(False, "exclusive", 5), (False, "inclusive", 6), (True, "inclusive", 5)],
)
def test_spans_end_as_they_do_in_the_evaluation(exact, span_ends, last):
  truth = Truth(1, "Fire", ((2, 6),), exact)
  video = ScoredSequence(
    "v", np.ones(4), regular_times(4, 2), truth=truth
  ).video_score(span_ends)
  assert np.flatnonzero(video.truth).tolist() == list(range(2, last + 1))
  assert (video.label, video.category, len(video.scores)) == (1, "Fire", 8)


def test_nothing_is_made_up_of_what_is_not_known():
  video = ScoredSequence("v", np.ones(2), regular_times(2, 2))
  assert video.video_score("exclusive") is None
  unknown = Truth(1, "Fire", None)
  video = ScoredSequence("v", np.ones(2), regular_times(2, 2), truth=unknown)
  assert video.video_score("exclusive").truth is None
