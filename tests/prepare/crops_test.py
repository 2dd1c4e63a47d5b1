"""Crops of a video: from files, columns, rows and streams."""

import dataclasses

import numpy as np
import pytest

from adplg_jax.prepare.crops import Part, check_counts, make_crops
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.videos import FileCrop, Video
from tests import layouts


def made(*parts):
  findings = Findings()
  return make_crops(parts, findings), findings.items


def saved(tmp_path, name, *shape):
  array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
  return layouts.save(tmp_path / name, array), array


def test_files_and_columns_are_crops_in_order(tmp_path):
  one, x = saved(tmp_path, "one.npy", 5, 4)
  two, y = saved(tmp_path, "two.npy", 5, 2, 4)
  crops, items = made(Part("v", one), Part("v", two))
  assert items == []
  assert [crop.index for crop in crops["v"]] == [0, 1, 2]
  for crop, want in zip(crops["v"], (x, y[:, 0], y[:, 1]), strict=True):
    np.testing.assert_array_equal(crop.read(), want)


def test_numbered_crops_keep_their_numbers(tmp_path):
  one, _ = saved(tmp_path, "one.npy", 5, 4)
  two, _ = saved(tmp_path, "two.npy", 5, 4)
  crops, items = made(Part("v", one, 7), Part("v", two, 3))
  assert items == []
  assert [(c.index, c.path) for c in crops["v"]] == [(3, two), (7, one)]
  _, (item,) = made(Part("v", one, 3), Part("v", two, 3))
  assert item.kind == "surplus-crops"


def test_rows_of_one_array_are_videos(tmp_path):
  path, x = saved(tmp_path, "all.npy", 9, 4)
  crops, items = made(
    Part("a", path, rows=(0, 4)), Part("b", path, rows=(4, 9))
  )
  assert items == []
  np.testing.assert_array_equal(crops["a"][0].read(), x[:4])
  np.testing.assert_array_equal(crops["b"][0].read(), x[4:])


def test_streams_are_joined_by_channel(tmp_path):
  rgb, x = saved(tmp_path, "rgb.npy", 5, 2, 4)
  flow, y = saved(tmp_path, "flow.npy", 5, 2, 3)
  crops, items = made(
    Part("v", rgb, stream="rgb"), Part("v", flow, stream="flow")
  )
  assert items == []
  assert len(crops["v"]) == 2
  for index, crop in enumerate(crops["v"]):
    want = np.concatenate([x[:, index], y[:, index]], axis=1)
    np.testing.assert_array_equal(crop.read(), want)


def test_streams_with_other_crops_are_found(tmp_path):
  rgb, _ = saved(tmp_path, "rgb.npy", 5, 2, 4)
  flow, _ = saved(tmp_path, "flow.npy", 5, 4)
  crops, (item,) = made(
    Part("v", rgb, stream="rgb"), Part("v", flow, stream="flow")
  )
  assert crops["v"] == ()
  assert item.kind == "missing-crops"
  assert "stream 'flow' has crops 0, stream 'rgb' has 0, 1" in item.detail


def test_a_file_that_cannot_be_used_leaves_no_crop(tmp_path):
  good, _ = saved(tmp_path, "good.npy", 5, 4)
  crops, (item,) = made(Part("v", good), Part("v", tmp_path / "gone.npy"))
  assert crops["v"] == ()
  assert (item.kind, item.video) == ("missing-file", "v")


def test_swapped_axes_leave_no_crop(tmp_path):
  paths = [saved(tmp_path, f"{t}.npy", 10, t, 4)[0] for t in (20, 21, 22)]
  crops, items = made(*(Part(path.stem, path) for path in paths))
  assert {item.kind for item in items} == {"wrong-axes"}
  assert set(crops.values()) == {()}


def counted(counts, **known):
  """Findings about training videos with these crops."""
  videos = [
    Video(
      f"v{number}",
      "train",
      0,
      "x",
      tuple(FileCrop(crop, layouts.Path("x")) for crop in crops),
      "k",
    )
    for number, crops in enumerate(counts)
  ]
  findings = Findings()
  check_counts(videos, findings, **known)
  return [(item.kind, item.video, item.detail) for item in findings.items]


def test_videos_with_other_crops_than_most_are_found():
  ten = range(10)
  (found,) = counted([ten, ten, range(3), ()])
  assert found[:2] == ("missing-crops", "v2")
  assert "lacks crops 3 to 9 (train); most videos have crops 0 to 9" in found[2]
  (found,) = counted([range(1), range(1), range(2)])
  assert found[:2] == ("surplus-crops", "v2")
  # A crop by itself may have any number.
  assert counted([[5], [5]]) == []


@pytest.mark.parametrize(
  ("crops", "kinds"), [(2, []), (3, ["missing-crops"]), (1, ["surplus-crops"])]
)
def test_known_counts(crops, kinds):
  assert [kind for kind, _, _ in counted([range(2)], crops=crops)] == kinds


def test_streams_are_joined_in_one_order(tmp_path):
  rgb, x = saved(tmp_path, "rgb.npy", 5, 4)
  flow, y = saved(tmp_path, "flow.npy", 5, 3)
  crops, items = made(
    Part("a", rgb, stream="rgb"),
    Part("a", flow, stream="flow"),
    Part("b", flow, stream="flow"),
    Part("b", rgb, stream="rgb"),
  )
  assert items == []
  want = np.concatenate([x, y], axis=1)
  for video in ("a", "b"):
    np.testing.assert_array_equal(crops[video][0].read(), want)


def test_a_video_without_a_stream_is_found(tmp_path):
  rgb, _ = saved(tmp_path, "rgb.npy", 5, 4)
  flow, _ = saved(tmp_path, "flow.npy", 5, 3)
  crops, (item,) = made(
    Part("a", rgb, stream="rgb"),
    Part("a", flow, stream="flow"),
    Part("b", rgb, stream="rgb"),
  )
  assert crops["b"] == ()
  assert (item.kind, item.video) == ("missing-file", "b")
  assert "no file of stream 'flow'; other videos have" in item.detail


def test_axes_are_compared_within_a_split(tmp_path):
  """Ten crops in training, one in test, of which one has ten snippets."""
  parts = [
    Part(f"{split}{t}", saved(tmp_path, f"{split}{t}.npy", t, c, 4)[0])
    for split, c in (("train", 10), ("test", 1))
    for t in (10, 20, 21)
  ]
  parts = [dataclasses.replace(p, split=p.video[:4]) for p in parts]
  assert made(*parts)[1] == []
