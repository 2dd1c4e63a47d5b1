"""manifest.csv: what it says, and every way it can be wrong."""

import csv
import re

import numpy as np
import pytest

from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.manifest import read_manifest
from tests import layouts


def read(tmp_path, rows, change=None):
  """Reads a manifest of `rows`, the first one changed."""
  rows = [dict(row) for row in rows]
  rows[0].update(change or {})
  findings = Findings()
  path = layouts.write_manifest(tmp_path / "manifest.csv", rows)
  return read_manifest(path, findings), findings


def test_defaults(tmp_path):
  videos, findings = read(tmp_path, layouts.folder(tmp_path))
  assert not findings.items
  assert len(videos) == 8
  normal, anomalous, tested = videos[0], videos[2], videos[6]
  assert (normal.name, normal.key, normal.category) == (
    "train00",
    "train00",
    "normal",
  )
  assert (normal.frames, normal.frames_per_snippet) == (None, 16)
  assert anomalous.spans is None
  assert normal.spans == ()
  assert tested.spans == ((16, 40),)
  assert tested.category == "anomalous"


def test_every_column(tmp_path):
  rows = layouts.folder(tmp_path)
  videos, findings = read(
    tmp_path,
    rows,
    {
      "video": "a video",
      "key": "camera 3",
      "category": "Fire",
      "label": "anomalous",
      "frames": "130",
      "frames_per_snippet": "20",
      "spans": "3-7 20-90",
      "mood": "blue",
    },
  )
  assert not findings.items
  assert findings.note_lines() == [
    "note: 1 column 'mood' of the manifest ignored"
  ]
  video = videos[0]
  assert (video.name, video.key, video.category, video.label) == (
    "a video",
    "camera 3",
    "Fire",
    1,
  )
  assert (video.frames, video.annotated_frames) == (130, 130)
  assert video.frames_per_snippet == 20
  assert video.spans == ((3, 7), (20, 90))


def test_rows_and_columns_of_a_video_are_its_crops(tmp_path):
  x = np.arange(40, dtype=np.float32).reshape(5, 2, 4)
  layouts.save(tmp_path / "sub/two.npy", x)
  layouts.save(tmp_path / "one.npy", x[:, 1] + 1)
  videos, findings = read(
    tmp_path,
    [
      {"path": "one.npy", "label": 0, "split": "train", "video": "v"},
      {"path": "sub/two.npy", "label": 0, "split": "train", "video": "v"},
    ],
  )
  assert not findings.items
  crops = videos[0].crops
  assert [crop.index for crop in crops] == [0, 1, 2]
  np.testing.assert_array_equal(crops[0].read(), x[:, 1] + 1)
  np.testing.assert_array_equal(crops[1].read(), x[:, 0])
  np.testing.assert_array_equal(crops[2].read(), x[:, 1])


BAD_CELLS = {
  "label": ({"label": "2"}, "label is '2'; allowed: 0, 1, normal, anomalous"),
  "split": ({"split": "val"}, "split is 'val'; allowed: train, test"),
  "path": ({"path": ""}, "path: empty"),
  "frames": ({"frames": "0"}, "frames: '0' is not a whole number of 1 or more"),
  "frames_text": ({"frames": "12.5"}, "frames: '12.5' is not a whole number"),
  "per_snippet": ({"frames_per_snippet": "x"}, "frames_per_snippet: 'x' is no"),
  "spans": ({"label": 1, "spans": "5-"}, "spans: '5-' is no span"),
  "normal": ({"spans": "1-2"}, "spans: a normal video has none"),
  "twice": ({"path": "train01.npy"}, "train01.npy is already listed at"),
  "label_of_video": (
    {"video": "train01", "label": 1},
    "label of video train01 is 0, but 1 at",
  ),
}


def test_cells_beyond_the_header_are_found(tmp_path):
  path = tmp_path / "manifest.csv"
  layouts.write_manifest(path, layouts.folder(tmp_path))
  lines = path.read_text().splitlines()
  count = len(next(csv.reader(lines[:1])))
  lines[2] += ", 48-64"
  path.write_text("\n".join(lines) + "\n")
  findings = Findings()
  read_manifest(path, findings)
  (item,) = findings.items
  assert item.where.endswith("manifest.csv:3")
  assert f"{count + 1} cells, the header has {count}" in item.detail


@pytest.mark.parametrize("case", BAD_CELLS)
def test_bad_cells_are_found(tmp_path, case):
  change, message = BAD_CELLS[case]
  _, findings = read(tmp_path, layouts.folder(tmp_path), change)
  assert {item.kind for item in findings.items} == {"manifest"}
  assert any(message in item.detail for item in findings.items)
  assert "manifest.csv:" in findings.items[0].where


def test_a_video_in_both_splits_is_found(tmp_path):
  rows = layouts.folder(tmp_path)
  _, findings = read(tmp_path, rows, {"video": "test00"})
  assert [item.kind for item in findings.items] == ["both-splits"]


def test_all_rows_are_looked_at(tmp_path):
  rows = layouts.folder(tmp_path)
  for row in rows[:3]:
    row["label"] = "maybe"
  rows[3]["path"] = "nowhere.npy"
  videos, findings = read(tmp_path, rows)
  assert [item.kind for item in findings.items] == [
    "manifest",
    "manifest",
    "manifest",
    "missing-file",
  ]
  assert [video.name for video in videos if not video.crops] == ["nowhere"]
  assert len(videos) == 5


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (b"path,label\na.npy,0\n", "no column split among path, label; needed: "),
    (b"", "no column path, label, split among none"),
    (b"path,label,split\n", "has no rows"),
    (b"\xff\xfe\x00", "is UTF-16 text; UTF-8 is needed"),
  ],
)
def test_files_that_are_no_manifest(tmp_path, content, message):
  path = tmp_path / "manifest.csv"
  path.write_bytes(content)
  findings = Findings()
  assert read_manifest(path, findings) == []
  assert message in findings.items[0].detail


def test_a_missing_manifest_is_found(tmp_path):
  findings = Findings()
  read_manifest(tmp_path / "manifest.csv", findings)
  assert "No such file" in findings.items[0].detail


@pytest.mark.parametrize(
  ("header", "line", "said"),
  [
    ("path,label,split,label", "a.npy,1,train,0", "label is there twice"),
    (
      "path,label,split,spans",
      "a.npy,1.5,train,1-2",
      "label is '1.5'; allowed",
    ),
  ],
)
def test_odd_manifests(mine, header, line, said):
  layouts.save(mine.root / "a.npy", layouts.features("a", 4))
  (mine.root / "manifest.csv").write_text(f"{header}\n{line}\n")
  report = mine.report()
  assert said in report
  assert "a normal video has none" not in report


def test_one_file_under_two_names_is_found(mine):
  twin = f"../{mine.root.name}/train00.npy"
  mine.rows.append({**mine.rows[0], "path": twin, "split": "test"})
  mine.write()
  report = mine.report()
  assert re.search(r"is already listed at \S+manifest.csv:2\.", report)


def test_what_comes_before_the_header_is_passed_over(tmp_path):
  path = layouts.write_manifest(
    tmp_path / "manifest.csv", layouts.folder(tmp_path)
  )
  lines = path.read_text().replace(",", "|").splitlines()
  lines[2] = lines[2].replace("train", "maybe")
  path.write_text("\n".join(["sep=|", "", "# mine", *lines]) + "\n")
  findings = Findings()
  assert len(read_manifest(path, findings)) == 7
  assert {item.where for item in findings.items} == {f"{path}:6"}


def test_paths_of_windows_are_found(tmp_path):
  layouts.save(tmp_path / "a/b.npy", layouts.features("b", 4))
  row = {"path": "a\\b.npy", "label": "Normal", "split": "Train"}
  videos, findings = read(tmp_path, [row])
  assert findings.items == []
  assert len(videos[0].crops) == 1


def test_rows_that_overlap_are_named(tmp_path):
  layouts.save(tmp_path / "all.npy", layouts.features("all", 30))
  row = {"path": "all.npy", "label": 0, "split": "train"}
  ranges = ("0-15", "10-30")
  _, findings = read(tmp_path, [{**row, "rows": own} for own in ranges])
  (item,) = findings.items
  assert "all.npy rows 10-30 is already listed at" in item.detail
  assert item.detail.endswith("all.npy rows 0-15.")


@pytest.mark.parametrize(("step", "faults"), [("8", 1), ("20", 0)])
def test_two_names_of_the_step_must_agree(tmp_path, step, faults):
  change = {"step": step, "frames_per_snippet": "20", "window": "64"}
  videos, findings = read(tmp_path, layouts.folder(tmp_path), change)
  assert len(findings.items) == faults
  if faults:
    assert "step is 8, frames_per_snippet 20; they" in findings.items[0].detail
  else:
    assert (videos[0].frames_per_snippet, videos[0].window) == (20, 64)
