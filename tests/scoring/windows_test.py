"""Windows that cover a video, and their blended scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adplg_jax.scoring import windows

SIZES = st.integers(1, 40).flatmap(
  lambda length: st.tuples(
    st.integers(1, 300), st.just(length), st.integers(0, length // 2)
  )
)


@given(SIZES)
def test_windows_cover_the_video_and_overlap_enough(sizes):
  snippets, length, overlap = sizes
  starts = windows.window_starts(*sizes)
  assert starts[0] == 0
  if snippets <= length:
    assert len(starts) == 1
    return
  assert starts[-1] + length == snippets
  assert (starts[:-1] + length - starts[1:] >= overlap).all()
  # No more windows than are needed.
  assert (len(starts) - 1) * length - (len(starts) - 2) * overlap < snippets


@given(SIZES)
def test_weights_sum_to_1_and_none_is_0(sizes):
  snippets, length, _ = sizes
  starts = windows.window_starts(*sizes)
  length = min(length, snippets)
  weights = windows.blend_weights(starts, length, snippets)
  total = np.zeros(snippets)
  for start, row in zip(starts, weights, strict=True):
    total[start : start + length] += row
  np.testing.assert_allclose(total, 1, rtol=1e-12)
  assert (weights > 0).all()


def test_one_window_fades_out_as_the_next_fades_in():
  weights = windows.blend_weights(np.array([0, 3]), 6, 9)
  rising = np.array([1, 2, 3]) / 4
  np.testing.assert_allclose(weights[0], [1, 1, 1, *rising[::-1]])
  np.testing.assert_allclose(weights[1], [*rising, 1, 1, 1])


@given(SIZES, st.integers(0, 99))
def test_windows_that_agree_are_blended_to_what_they_say(sizes, seed):
  snippets, length, _ = sizes
  scores = np.random.default_rng(seed).random(snippets)
  starts = windows.window_starts(*sizes)
  cut = np.stack([scores[start : start + length] for start in starts])
  blended = windows.blend(cut, starts, snippets)
  np.testing.assert_allclose(blended, scores, rtol=1e-12)


def test_a_seam_is_no_jump():
  """Windows of 0 and of 1 alternate; neighbours differ by their fading."""
  starts = windows.window_starts(100, 20, 10)
  scores = np.arange(len(starts))[:, None] % 2 * np.ones((1, 20))
  blended = windows.blend(scores, starts, 100)
  assert blended.min() < 0.1 and blended.max() > 0.9
  assert np.abs(np.diff(blended)).max() <= 1 / 10


@pytest.mark.parametrize("sizes", [(0, 4, 0), (9, 0, 0), (9, 4, 3), (9, 4, -1)])
def test_impossible_windows_are_refused(sizes):
  with pytest.raises(ValueError, match="half a window"):
    windows.window_starts(*sizes)
