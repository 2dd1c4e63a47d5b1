"""Frames with their scores."""

import numpy as np
import pytest

from adplg_jax.report.overlay import Overlay, fitting, resize
from tests.report.strip_test import RULE, make

SIZES = [(48, 64), (64, 48), (270, 480), (1080, 1920), (1921, 1081), (900, 16)]


@pytest.mark.parametrize("size", SIZES)
def test_any_size_becomes_one_that_is_even_and_not_too_large(size):
  overlay = Overlay(make(), RULE, size)
  image = np.full((*size, 3), 100, np.uint8)
  usual, inside = overlay.draw(image, 5.0), overlay.draw(image, 15.0)
  height, width = usual.shape[:2]
  assert usual.shape == inside.shape
  assert height % 2 == 0 and 320 <= width <= 1280 and width % 2 == 0
  own = fitting(size, least_width=320)
  assert max(own) <= 1280
  if min(size) > 40:
    assert own[0] / own[1] == pytest.approx(size[0] / size[1], rel=0.01)
  # The frame is in the middle; an orange edge around it tells an interval.
  middle = own[0] // 2, width // 2
  assert (usual[middle] == 100).all() and (inside[middle] == 100).all()
  assert (usual[0, width // 2] == 100).all()
  assert inside[0, width // 2].tolist() == [0xD5, 0x5E, 0x00]


def test_frames_of_another_size_follow_the_first(make=make):
  overlay = Overlay(make(), RULE, (270, 480))
  image = np.full((100, 100, 3), 90, np.uint8)
  drawn = overlay.draw(image, 1.0)
  assert drawn.shape[1] == 480 and (drawn[:270] == 90).all()
  assert resize(image, (50, 60)).shape == (50, 60, 3)
