"""The field's array of all test frames."""

import re

import numpy as np
import pytest

from adplg_jax.data import frames
from adplg_jax.prepare import ground_truth_array
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.videos import Video
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
  report = ucf.report_of("--ground-truth", path, "--overwrite")
  assert (
    "gt.npy: 1 of 576 frames (0.1736%) differ from the annotations, 1 of them "
    "in Abuse028_x264; at most 0.1% may."
  ) in report


def annotated(tmp_path, truth, **options):
  """Two annotated test videos of 100 snippets, given an array of labels."""
  videos = [
    Video(name, "test", label, category, (), name, spans=spans, snippets=100)
    for name, label, category, spans in (
      ("a", 1, "Abuse", ((200, 700),)),
      ("n", 0, "Normal", ()),
    )
  ]
  findings = Findings()
  path = layouts.save(tmp_path / "gt.npy", truth)
  options = {"listed": True, "compare": True} | options
  found = ground_truth_array.annotate_by_array(
    videos, path, ["a", "n"], findings, **options
  )
  return [video.spans for video in found], findings


def test_a_few_frames_may_differ_from_the_annotations(tmp_path):
  truth = np.zeros(3200)
  truth[200:703] = 1
  spans, findings = annotated(tmp_path, truth)
  assert not findings.items
  assert spans == [((200, 703),), ()]
  assert findings.note_lines() == [
    "note: 3 of 3200 frames (0.0938%) differ between gt.npy, which is used, "
    "and the annotations"
  ]
  truth[200:704] = 1
  spans, findings = annotated(tmp_path, truth)
  assert spans == [((200, 700),), ()]
  (item,) = findings.items
  assert item.detail.startswith("4 of 3200 frames (0.1250%) differ")


@pytest.mark.parametrize("listed", [True, False])
def test_no_order_is_claimed_that_was_not_given(tmp_path, listed):
  truth = np.zeros(3200)
  truth[1600:1700] = 1
  _, findings = annotated(tmp_path, truth, listed=listed, compare=False)
  assert [item.where for item in findings.items] == ["a", "n"]
  detail = findings.items[0].detail
  assert detail.startswith("0 anomalous frames in ")
  assert "but class Abuse; " in detail
  paths = "taken in the order of their paths. Give the list"
  assert (paths in detail) != listed


def test_the_fields_array_in_place_of_annotations(shanghai):
  shanghai.prepare()
  want = videos(shanghai.open().test)
  path = layouts.save(shanghai.root / "gt.npy", field_array(shanghai, want))
  shanghai.annotations = None
  arguments = ["--ground-truth", path, "--overwrite"]
  assert "needs --list with the list of the test" in shanghai.report_of(
    *arguments
  )
  listing = shanghai.root / "test.list"
  # Whatever the features' files are called.
  listing.write_text("".join(f"/x/{name}_i3d.npy 0\n" for name in want))
  status, printed = shanghai.prepare(*arguments, "--list", listing)
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
    (
      np.arange(36) < 9,
      "36 values for 36 snippets: one value a snippet, .* write np.save"
      r'\("gt.npy", np.repeat\(np.load\("gt.npy"\), 16\)\)',
    ),
    (np.ones(576), "every one of its 576 frames is an anomalous one"),
    (np.zeros((2, 288)), r"shape is \(2, 288\); allowed"),
    (np.full(576, 2.0), "values are 2; allowed: 0 for"),
    (np.zeros(576), "every one of its 576 frames is a normal one"),
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
