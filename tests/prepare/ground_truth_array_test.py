"""The field's array of all test frames."""

import re

import numpy as np
import pytest

from adplg_jax.data import frames
from tests import layouts
from tests.prepare.official_layouts import videos


def field_array(layout, order):
  """Frame labels of the whole test split, videos as `order` has them."""
  known = videos(layout.open().test)
  return np.concatenate(
    [frames.frame_labels(known[name][2], known[name][1]) for name in order]
  )


def test_the_fields_array_agrees(ucf):
  ucf.prepare()
  order = list(videos(ucf.open().test))
  array = field_array(ucf, order)
  path = layouts.save(ucf.root / "gt.npy", array.astype(np.float64))
  status, printed = ucf.prepare("--ground-truth", path, "--overwrite")
  assert status == 0
  assert "note: 0 of 576 frames (0.0000%) differ between gt.npy" in printed
  array[3] = True
  layouts.save(ucf.root / "gt.npy", array)
  _, printed = ucf.prepare("--ground-truth", path, "--overwrite")
  assert "note: 1 of 576 frames (0.1736%) differ" in printed
  spans = videos(ucf.open().test)["Abuse028_x264"][2]
  assert spans == [(3, 4), (165, 240)]


def test_the_fields_array_in_place_of_annotations(shanghai):
  shanghai.prepare()
  want = videos(shanghai.open().test)
  path = layouts.save(shanghai.root / "gt.npy", field_array(shanghai, want))
  shanghai.annotations = None
  status, printed = shanghai.prepare("--ground-truth", path, "--overwrite")
  assert status == 0
  assert "differ" not in printed
  assert videos(shanghai.open().test) == want


def test_the_fields_array_in_the_order_of_the_list(ucf):
  ucf.prepare()
  want = videos(ucf.open().test)
  order = list(want)[::-1]
  path = layouts.save(ucf.root / "gt.npy", field_array(ucf, order))
  files = sorted((ucf.root / "test").rglob("*.npy"), reverse=True)
  listing = ucf.root / "test.list"
  listing.write_text("".join(f"{file}\n" for file in files))
  ucf.annotations = None
  arguments = ("--ground-truth", path, "--list", listing, "--overwrite")
  assert ucf.prepare(*arguments)[0] == 0
  found = videos(ucf.open().test)
  assert list(found) == order
  # The array cannot hold the frame that the annotation has past the video.
  assert found.pop("RoadAccidents001_x264")[2] == [(20, 30), (150, 160)]
  assert found == {name: want[name] for name in found}


@pytest.mark.parametrize(
  ("array", "message"),
  [
    (np.zeros(575), "575 frames, but the 4 test videos have 36 snippets of 16"),
    (np.zeros((2, 288)), r"shape is \(2, 288\); allowed"),
    (np.full(576, 2.0), "values are 2; allowed: 0 for"),
    (
      np.zeros(576),
      "0 anomalous frames in .* but class Abuse; .* another order",
    ),
  ],
)
def test_arrays_that_do_not_fit_are_refused(ucf, array, message):
  path = layouts.save(ucf.root / "gt.npy", array)
  report = ucf.report("--ground-truth", path)
  assert re.search(message, report), report
  assert "ground-truth: " in report


@pytest.mark.parametrize("annotated", [True, False])
def test_an_array_needs_every_test_video(ucf, annotated):
  """Else nobody knows which frames are whose."""
  path = layouts.save(ucf.root / "gt.npy", np.zeros(3))
  for file in (ucf.root / "test/RGB/Abuse").glob("*.npy"):
    np.save(file, np.full((16, 1024), np.nan, np.float32))
  if not annotated:
    ucf.annotations = None
  kinds = "not-finite,no-video,no-annotation"
  report = ucf.report("--ground-truth", path, "--skip-bad", kinds)
  assert "1 of the 4 test videos cannot be read" in report


def test_a_damaged_array_is_named(ucf):
  path = ucf.root / "gt.npy"
  path.write_bytes(b"PK\x03\x04 cut off")
  assert f"{path}: a damaged zip archive" in ucf.report("--ground-truth", path)
