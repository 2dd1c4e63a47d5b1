"""Every file is read once, and what is wrong with it is found."""

import re
import zlib

import numpy as np
import pytest

from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.scan import Rules, scan
from adplg_jax.prepare.videos import ArrayCrop, Video
from tests import layouts


def spoil(mine, what):
  """Makes one file of a good folder bad."""
  good = layouts.features("train00", 7)
  path = mine.root / "train00.npy"
  if what == "missing":
    path.unlink()
  elif what == "width":
    np.save(path, good[:, :3])
  elif what == "nan":
    good[2, 1] = np.nan
    np.save(path, good)
  elif what == "infinity":
    good[2, 1] = np.inf
    np.save(path, good)
  elif what == "empty":
    np.save(path, good[:0])
  elif what == "object":
    np.save(path, np.array([None, 1]), allow_pickle=True)
  elif what == "truncated":
    path.write_bytes(path.read_bytes()[:-3])


FAULTS = {
  "missing": "missing-file: 1 .*train00.npy: no such file; correct its path",
  "width": "wrong-width: 1 .*train00.npy: feature width is 3; most files",
  "nan": "not-finite: 1 .*train00.npy: NaN or infinity, first in snippet 2",
  "infinity": "not-finite: 1 .*train00.npy: NaN or infinity",
  "empty": r"empty: 1 .*train00.npy: shape is \(0, 4\), no snippet; extract",
  "object": "object-array: 1 .*train00.npy: an object array.*write it as float",
  "truncated": "truncated: 1 .*train00.npy: truncated: .*copy or extract",
}


@pytest.mark.parametrize("what", FAULTS)
def test_bad_files_are_refused_and_leave_nothing(mine, what):
  spoil(mine, what)
  report = mine.report()
  assert "Found 1 error; nothing was written" in report
  assert re.search(FAULTS[what], report), report


def test_crops_of_other_lengths_are_refused(mine):
  """The second crop of a video has one snippet more."""
  for row in mine.rows[:4]:
    copy = {**row, "video": row["path"]}
    row["video"] = row["path"]
    layouts.save(
      mine.root / f"b{row['path']}", layouts.features("b" + row["path"], 8)
    )
    mine.rows.append({**copy, "path": f"b{row['path']}"})
  mine.write()
  report = mine.report()
  # Of two videos the first crops have 7 snippets, of two 8.
  assert "Found 2 errors" in report
  assert re.search("crop-length: 2 .*7 snippets, .* has 8; extract", report)


def test_values_beyond_half_precision_are_refused(mine):
  layouts.save(mine.root / "train00.npy", np.full((7, 4), 1e5, np.float32))
  status, printed = mine.prepare("--dtype", "float16")
  assert status == 1
  assert "its largest value, 100000, is infinite as float16" in printed


class CountedCrop(ArrayCrop):
  """A crop that counts how often it is read."""

  reads = 0

  def read(self):
    CountedCrop.reads += 1
    return super().read()


def scanned(arrays, rules, dtype="float32"):
  """Scans a video of one crop for each array."""
  findings = Findings()
  videos = [
    Video(f"v{i}", "train", 0, "Normal", (CountedCrop(0, x, f"f{i}"),), "k")
    for i, x in enumerate(arrays)
  ]
  CountedCrop.reads = 0
  found, width = scan(videos, findings, rules, dtype)
  return found, width, findings.items


def test_snippets_and_width_are_known_after_one_read():
  arrays = [layouts.features("a", n, 4) for n in (3, 5)]
  videos, width, items = scanned(arrays, Rules())
  assert [video.snippets for video in videos] == [3, 5]
  assert (width, items) == (4, [])
  assert CountedCrop.reads == 2


def test_the_checksum_is_of_the_features():
  x = layouts.features("a", 3, 4)
  other = x.copy()
  other[2, 3] += 1
  (one, same, changed), _, _ = scanned([x, x.copy(), other], Rules())
  assert one.checksum == same.checksum != changed.checksum


def test_the_width_is_the_rules_or_that_of_most_files():
  arrays = [layouts.features("a", 3, width) for width in (4, 6, 6)]
  _, width, items = scanned(arrays, Rules())
  assert width == 6
  assert [item.video for item in items] == ["v0"]
  _, width, items = scanned(arrays, Rules(feature_width=4))
  assert width == 4
  assert [item.video for item in items] == ["v1", "v2"]


@pytest.mark.parametrize(
  ("rules", "kinds"),
  [
    (Rules(), []),
    (Rules(visual_width=2), ["zero-rows"]),
    (Rules(visual_width=2, zero_rows=True), []),
  ],
)
def test_rows_of_zeros_are_looked_for_in_the_visual_channels(rules, kinds):
  x = layouts.features("a", 3, 4)
  x[1, :2] = 0
  _, _, items = scanned([x], rules)
  assert [item.kind for item in items] == kinds


def test_the_same_features_in_training_and_test_are_found(mine):
  np.save(mine.root / "train10.npy", np.load(mine.root / "test00.npy"))
  report = mine.report()
  assert re.search(
    r"same-content: 1 .*train10.npy: has the features of the test video test00 "
    r"\(.*test00.npy\)",
    report,
  )
  assert mine.prepare("--skip-bad", "same-content")[0] == 0
  assert [e["video"] for e in mine.open().train_anomalous] == ["train11"]


def test_copies_within_a_split_are_counted(mine):
  np.save(mine.root / "train10.npy", np.load(mine.root / "train00.npy"))
  status, printed = mine.prepare()
  assert status == 0
  assert "note: 1 train videos with the features of another one" in printed


def test_equal_checksums_are_no_proof(monkeypatch):
  monkeypatch.setattr(zlib, "crc32", lambda data: 7)
  findings = Findings()
  videos = [
    Video(name, split, 0, "x", (ArrayCrop(0, x, name),), name)
    for name, split, x in (
      ("a", "train", layouts.features("a", 3)),
      ("b", "test", layouts.features("b", 3)),
    )
  ]
  scan(videos, findings, Rules(), "float32")
  assert findings.items == []


@pytest.mark.parametrize("kind", ["zeros", "constant"])
def test_dead_features_are_counted_and_a_set_of_them_refused(mine, kind):
  def kill(name):
    x = np.load(mine.root / f"{name}.npy")
    np.save(mine.root / f"{name}.npy", 0 * x if kind == "zeros" else 0 * x + 3)

  kill("train00")
  status, printed = mine.prepare()
  assert status == 0
  assert (
    "note: 1 videos have the same features in every snippet, as train00"
    in printed
  )
  for row in mine.rows[1:5]:
    kill(row["path"].removesuffix(".npy"))
  status, printed = mine.prepare("--overwrite", "--skip-bad", "all")
  assert status == 1
  # Both anomalous training videos, both normal ones, the first test video.
  assert "dead-features: 2" in printed
  for kind in ("normal", "anomalous"):
    assert f"2 of 2 {kind} train videos have the same features" in printed
