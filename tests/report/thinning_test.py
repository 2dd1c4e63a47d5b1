"""Long series in few points."""

import numpy as np
import pytest

from adplg_jax.report import thinning


def test_stretches_of_equal_scores_are_exact():
  scores = np.repeat([0.5, 0.25, 0.5], [3, 1, 4])
  found = thinning.envelope(scores, 3)
  np.testing.assert_array_equal(found.edges, [0, 3, 4, 8])
  np.testing.assert_array_equal(found.low, [0.5, 0.25, 0.5])
  np.testing.assert_array_equal(found.high, found.low)


def test_the_extremes_of_a_long_video_are_kept():
  scores = np.random.default_rng(0).random(100_000)
  scores[[777, 99_999]] = 1.5, -1.0
  found = thinning.envelope(scores, 300)
  assert len(found.low) == 300
  assert found.edges[0] == 0
  assert found.edges[-1] == 100_000
  inside = np.searchsorted(found.edges, 777, "right") - 1
  assert found.high[inside] == found.high.max() == 1.5
  assert found.low[-1] == found.low.min() == -1.0
  assert (found.low <= found.high).all()


def test_fewer_frames_than_stretches():
  found = thinning.envelope(np.array([0.1, 0.2]), 30)
  np.testing.assert_array_equal(found.edges, [0, 1, 2])


def test_means_of_blocks_with_gaps():
  values = np.array([1, 3, np.nan, 5, np.nan, np.nan])
  np.testing.assert_array_equal(thinning.block_means(values, 3), [2, 5, np.nan])
  np.testing.assert_array_equal(thinning.block_means(values, 6), values)


@pytest.mark.parametrize("most", [2, 7, 50])
def test_points_lie_evenly_along_a_curve(most):
  x = np.linspace(0, 1, 5000) ** 4
  places = thinning.spread(x, np.zeros(5000), most)
  assert len(places) <= most
  assert places[0] == 0
  assert places[-1] == 4999
  assert np.diff(x[places]).max() < 1.1 / (most - 1)
  np.testing.assert_array_equal(thinning.spread(x[:2], x[:2], most), [0, 1])
