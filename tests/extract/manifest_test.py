"""The manifest of extracted features, as preparation reads it."""

import csv
import json

import numpy as np
import pytest

from adplg_jax.extract.manifest import write_manifest
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.manifest import read_manifest
from tests.sidecars import write_sidecar


def extract(folder, *names, manifest_of=None):
  """Stands for the extraction of videos; the manifest's number of rows."""
  for name in names:
    path = folder / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.zeros((3, 2, 5), np.float32))
    write_sidecar(path)
  return write_manifest(folder, manifest_of or names)


def rows(folder):
  with (folder / "manifest.csv").open(encoding="utf-8") as file:
    return {row["path"]: row for row in csv.DictReader(file)}


def test_folders_tell_class_and_split(tmp_path):
  names = ["train/normal/a", "test/Fire/b,1", "train/abnormal/ц"]
  other = ["no_class", "normal/Fire/two"]
  not_there = ["train/normal/c"]
  assert extract(tmp_path, *names, *other,
                 manifest_of=names + other + not_there) == 3  # fmt: skip
  found = rows(tmp_path)
  facts = {
    path: (row["label"], row["split"], row["category"])
    for path, row in found.items()
  }
  assert facts == {
    "train/normal/a.npy": ("normal", "train", "normal"),
    "test/Fire/b,1.npy": ("anomalous", "test", "Fire"),
    "train/abnormal/ц.npy": ("anomalous", "train", "abnormal"),
  }
  row = found["test/Fire/b,1.npy"]
  assert (row["frames"], row["step"], row["spans"]) == ("49", "16", "")


def test_preparation_reads_it(tmp_path):
  extract(tmp_path, *(f"{c}/{n}" for c in ("normal", "Fire") for n in range(9)))
  findings = Findings()
  videos = read_manifest(tmp_path / "manifest.csv", findings)
  assert not findings.items and len(videos) == 18
  for label in (0, 1):
    splits = [video.split for video in videos if video.label == label]
    assert 0 < splits.count("test") < 9
  assert all(len(video.crops) == 2 for video in videos)
  assert {video.frames for video in videos} == {49}


def test_both_splits_have_both_labels_of_two_videos(tmp_path):
  for number in range(20):
    folder = tmp_path / str(number)
    extract(
      folder, *(f"{c}/{number}{i}" for c in ("normal", "x") for i in "ab")
    )

    told = [(r["label"], r["split"]) for r in rows(folder).values()]
    assert len(set(told)) == 4


def test_parts_choose_the_same_splits(tmp_path):
  one, two = tmp_path / "one", tmp_path / "two"
  videos = [f"{c}/{n}" for c in ("normal", "Fire") for n in range(40)]
  extract(one, *videos)
  for number in range(5):
    extract(two, *videos[number::5], manifest_of=videos)
  assert rows(one) == rows(two)
  tests = sum(row["split"] == "test" for row in rows(one).values())
  assert 8 <= tests <= 24


def test_rows_that_are_there_stay(tmp_path):
  extract(tmp_path, "normal/a", "Fire/b")
  path = tmp_path / "manifest.csv"
  filled = path.read_text().replace("16,\n", "16,3-9 20-30\n", 1)
  path.write_text(filled)
  assert extract(tmp_path, "normal/a", "Fire/b") == 2
  assert path.read_text() == filled
  assert extract(tmp_path, "normal/c") == 3
  assert path.read_text().startswith(filled)


def test_features_that_are_made_again_have_other_frames(tmp_path):
  extract(tmp_path, "normal/a", "Fire/b")
  path = tmp_path / "manifest.csv"
  path.write_text(path.read_text().replace("16,\n", "16,3-9\n"))
  sidecar = json.loads((tmp_path / "normal/a.json").read_text())
  (tmp_path / "normal/a.json").write_text(
    json.dumps(sidecar | {"frames": 7000})
  )
  before = rows(tmp_path)
  assert extract(tmp_path, "Fire/b") == 2
  own = before["normal/a.npy"]
  assert rows(tmp_path) == before | {"normal/a.npy": own | {"frames": "7000"}}


def test_another_manifest_is_left_alone(tmp_path):
  (tmp_path / "manifest.csv").write_text("path,label,split\n")
  with pytest.raises(ValueError, match=r"manifest\.csv: its columns are not"):
    extract(tmp_path, "normal/a")


def test_without_classes_there_is_no_manifest(tmp_path):
  assert extract(tmp_path, "a", "b") == 0
  assert not (tmp_path / "manifest.csv").exists()
