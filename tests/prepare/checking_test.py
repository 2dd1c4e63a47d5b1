"""The check of a whole data set: spans, frames, classes, what is left out."""

import re

import numpy as np
import pytest

from adplg_jax.prepare import checking
from adplg_jax.prepare.videos import Video


def spoil(mine, what):
  """Makes one row of a good manifest bad."""
  rows = mine.rows
  if what == "label":
    rows[0]["label"] = "fine"
  elif what == "split":
    rows[0]["split"] = "validation"
  elif what == "late_span":
    rows[-1]["spans"] = "96-113"
  elif what == "long_span":
    rows[-1]["spans"] = "90-113"
  elif what == "frames":
    rows[0]["frames"] = 145
  elif what == "classes":
    del rows[-2:]
  mine.write()


FAULTS = {
  "label": "manifest.csv:2: label is 'fine'; allowed: 0, 1, normal, anomalous",
  "split": "manifest.csv:2: split is 'validation'; allowed: train, test",
  "late_span": "bad-span: 1 .*test11: span 96-113 does not fit .* 96 frames",
  "long_span": "bad-span: 1 .*test11: span 90-113 .* at most 16 frames past",
  "frames": "frame-count: 1 .*train00: 145 frames annotated, but 7 snippets",
  "classes": "split-classes: 1 .*test: no anomalous video; both classes",
}


@pytest.mark.parametrize("what", FAULTS)
def test_bad_rows_are_refused_and_leave_nothing(mine, what):
  spoil(mine, what)
  report = mine.report()
  assert "Found 1 error; nothing was written" in report
  assert re.search(FAULTS[what], report), report


def test_all_faults_are_in_one_report(mine):
  x = np.load(mine.root / "train00.npy")
  x[2, 1] = np.nan
  np.save(mine.root / "train00.npy", x)
  mine.rows[1]["split"] = "tset"
  mine.rows[2]["path"] = "gone.npy"
  mine.write()
  report = mine.report()
  assert "Found 3 errors" in report
  for kind in ("manifest: 1", "missing-file: 1", "not-finite: 1"):
    assert kind in report


def test_small_overshoots_are_clipped_and_counted(mine):
  mine.rows[-1]["spans"] = "90-112"
  mine.write()
  status, printed = mine.prepare()
  assert status == 0
  assert "note: 1 spans that end past their video, clipped" in printed


def test_spans_past_the_last_snippet_are_dropped_and_counted(mine):
  mine.rows[-1]["spans"] = "16-40 96-112"
  mine.write()
  status, printed = mine.prepare()
  assert status == 0
  assert "note: 1 spans past their video's last snippet, dropped" in printed
  assert mine.open().test[3]["spans"].tolist() == [[16, 40]]


def test_skip_bad_that_leaves_a_class_empty_is_refused(mine):
  for name in ("train00", "train01"):
    np.save(mine.root / f"{name}.npy", np.full((7, 4), np.nan, np.float32))
  status, printed = mine.prepare("--skip-bad", "all")
  assert status == 1
  assert "--skip-bad would leave no normal training video; nothing" in printed
  assert "not-finite: 2" in printed
  assert "Fix the files; --skip-bad not-finite would leave" in mine.report()


@pytest.mark.parametrize(
  ("split", "label", "stored"),
  [
    *[("train", 0, "train_normal"), ("train", 1, "train_anomalous")],
    *[("test", 0, "test"), ("test", 1, "test")],
  ],
)
def test_the_stored_split_of_a_video(split, label, stored):
  video = Video("v", split, label, "x", (), "v")
  assert checking.split_name(video) == stored


@pytest.mark.parametrize("part", ["train", "t"])
def test_skipping_files_of_unknown_names_leaves_no_class_empty(ucf, part):
  for path in ucf.root.glob(f"{part}*/RGB/*/*.npy"):
    path.rename(path.with_name(f"x{path.name}"))
  report = ucf.report("--skip-bad", "all")
  assert "would leave no" in report
  assert "unknown-class" in report
