"""Sizes, crops and their order, exactly, on frames made here."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from adplg_jax.video.profiles import (
  DEFAULT,
  PROFILES,
  Place,
  crop,
  find_profile,
)
from tests.video.clips import quarters

# Each pixel tells its place: rows in red, columns in green, and their carry.
ROWS, COLUMNS = np.mgrid[:256, :340]
PLACES = np.stack([ROWS, COLUMNS % 256, COLUMNS // 256], -1).astype(np.uint8)


def corner(image):
  """Row and column of the pixel at the top left, as PLACES has them."""
  row, column, carry = map(int, image[0, 0])
  return row, column + 256 * carry


def test_the_default_is_there_and_needs_no_weights():
  profile = find_profile(DEFAULT)
  assert profile.name == DEFAULT and not profile.own_weights
  assert all(p.own_weights for p in PROFILES.values() if p is not profile)


def test_profiles_are_named_as_they_are_listed():
  assert [p.name for p in PROFILES.values()] == list(PROFILES)
  assert list(PROFILES) == ["kinetics-scratch", "rocng", "urdmu", "vadclip"]


def test_numbers_of_each_profile():
  numbers = {
    name: (p.backbone, p.epsilon, p.size, p.interpolation, p.jpeg, p.tail)
    for name, p in PROFILES.items()
  }
  as_published = ("i3d", 1e-3, None, "bilinear", False, "drop")
  assert numbers == {
    "kinetics-scratch": as_published,
    "rocng": as_published,
    "urdmu": ("i3d", 1e-5, (256, 340), "lanczos", True, "repeat"),
    "vadclip": ("clip", 1e-3, (256, 340), *as_published[3:]),
  }


def test_profiles_do_not_change():
  with pytest.raises(dataclasses.FrozenInstanceError):
    PROFILES[DEFAULT].epsilon = 1.0


@pytest.mark.parametrize(
  ("position", "expected"),
  [
    ("centre", (16, 58)),
    ("top_left", (0, 0)),
    ("top_right", (0, 116)),
    ("bottom_left", (32, 0)),
    ("bottom_right", (32, 116)),
  ],
)
def test_places_of_crops(position, expected):
  cut = crop(PLACES, Place(position))
  assert cut.shape == (224, 224, 3)
  assert corner(cut) == expected
  mirrored = crop(PLACES, Place(position, mirrored=True))
  np.testing.assert_array_equal(mirrored, cut[:, ::-1])


def test_frames_of_a_snippet_are_cut_at_once():
  frames = np.stack([PLACES, 255 - PLACES])
  np.testing.assert_array_equal(
    crop(frames, Place("top_right"))[1], crop(255 - PLACES, Place("top_right"))
  )


CENTRE, TL, TR, BL, BR = (16, 58), (0, 0), (0, 116), (32, 0), (32, 116)


@pytest.mark.parametrize("name", ["kinetics-scratch", "rocng", "vadclip"])
def test_centre_corners_and_the_mirror_image_of_each(name):
  cuts = [crop(PLACES, place) for place in PROFILES[name].crops(10)]
  assert list(map(corner, cuts[:5])) == [CENTRE, TL, TR, BL, BR]
  for one, other in zip(cuts[:5], cuts[5:], strict=True):
    np.testing.assert_array_equal(other, one[:, ::-1])


def test_urdmu_cuts_the_mirrored_frame():
  cuts = [crop(PLACES, place) for place in PROFILES["urdmu"].crops(10)]
  assert list(map(corner, cuts[:5])) == [TL, TR, CENTRE, BL, BR]
  mirrored = PLACES[:, ::-1]
  for one, place in zip(cuts[5:], PROFILES["urdmu"].crops(5), strict=True):
    np.testing.assert_array_equal(one, crop(mirrored, place))


@pytest.mark.parametrize("name", PROFILES)
def test_numbers_of_crops(name):
  profile = PROFILES[name]
  assert profile.crops(1) == (Place("centre"),)
  assert profile.crops(5) == profile.places[:5]
  assert len(set(profile.crops(10))) == 10
  with pytest.raises(ValueError, match="crops is 3; allowed: 1, 5 or 10"):
    profile.crops(3)


@pytest.mark.parametrize(
  ("size", "expected"),
  [
    ((240, 320), (256, 341)),
    ((320, 240), (341, 256)),
    ((256, 340), (256, 340)),
    ((1080, 1920), (256, 455)),
    ((49, 65), (256, 340)),
  ],
)
def test_the_short_side_becomes_256(size, expected):
  assert PROFILES["rocng"].resized(*size) == expected
  assert PROFILES["urdmu"].resized(*size) == (256, 340)


def test_resizing_is_pillows_in_whole_numbers():
  # A column of 2 pixels to 4, bilinear: weights of quarters.
  profile = PROFILES["rocng"]
  image = np.array([0, 200], np.uint8)[:, None, None].repeat(3, 2)
  image = image.repeat(2, 1)
  column = profile.resize(image, (4, 2))[:, 0, 0]
  np.testing.assert_array_equal(column, [0, 50, 150, 200])
  # Reduced, every pixel counts: no aliasing.
  stripes = np.zeros((512, 512, 3), np.uint8)
  stripes[:, ::2] = 200
  small = profile.resize(stripes, (256, 256))
  assert small[:, 1:-1].std() == 0 and small[0, 10, 0] == 100


def test_frames_that_have_the_size_are_not_touched():
  same = PROFILES["rocng"].resize(PLACES, (256, 340))
  np.testing.assert_array_equal(same, PLACES)


def test_urdmu_takes_a_jpeg_then_lanczos():
  image = np.ascontiguousarray(np.random.default_rng(0).integers(
    0, 255, (100, 120, 3), np.uint8))  # fmt: skip
  file = io.BytesIO()
  Image.fromarray(image).save(file, "jpeg")
  expected = Image.open(file).resize((340, 256), Image.Resampling.LANCZOS)
  found = PROFILES["urdmu"].resize(image, (256, 340))
  np.testing.assert_array_equal(found, np.asarray(expected))


def test_colours_keep_their_order():
  resized = PROFILES["rocng"].resize(quarters(), (256, 341))
  np.testing.assert_array_equal(resized[0, 0], (255, 0, 0))


def test_unknown_profiles_are_refused():
  with pytest.raises(ValueError, match="--profile is 'i3d'; allowed: kinetics"):
    find_profile("i3d")


def test_frames_that_are_seen():
  for name, profile in PROFILES.items():
    middle = name == "vadclip"
    assert list(profile.seen) == ([8] if middle else list(range(16))), name
    # Else the last frame, which is repeated, might not be there.
    assert profile.tail == "drop" or len(profile.seen) == 16
