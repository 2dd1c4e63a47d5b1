"""Frame labels, spans and masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adplg_jax.data import frames


def test_frame_labels_by_hand():
  got = frames.frame_labels([(1, 3), (5, 9)], 7)
  np.testing.assert_array_equal(got, [0, 1, 1, 0, 0, 1, 1])
  got = frames.frame_labels(np.array([[1, 3]]), 5, span_ends="inclusive")
  np.testing.assert_array_equal(got, [0, 1, 1, 1, 0])
  assert not frames.frame_labels(np.zeros((0, 2), np.int64), 4).any()


def test_frame_labels_refuse_other_ends():
  with pytest.raises(ValueError, match="allowed: exclusive, inclusive"):
    frames.frame_labels([(0, 1)], 2, span_ends="open")


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_masks_and_spans_are_inverse(mask):
  mask = np.array(mask)
  spans = frames.mask_to_spans(mask)
  np.testing.assert_array_equal(frames.frame_labels(spans, len(mask)), mask)


@pytest.mark.parametrize(
  ("truth", "spans"),
  [
    ([0, 1, 1, 0, 1], [(1, 3), (4, 5)]),
    ([1, 0], [(0, 1)]),
    ([1, 1], [(0, 2)]),
    ([0, 0], []),
  ],
)
def test_spans_are_half_open_runs(truth, spans):
  assert list(frames.mask_to_spans(np.array(truth, np.uint8))) == spans
