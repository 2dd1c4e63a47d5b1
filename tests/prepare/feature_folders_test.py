"""Feature files below a folder: links, official folders, splits."""

import os
from pathlib import Path

import pytest

from adplg_jax.prepare.feature_folders import find_files, folder_split
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.sources.shanghaitech import SOURCE
from tests import layouts


def found(root, **options):
  """(path, video, crop, split) of each file, and the kinds of findings."""
  findings = Findings()
  files = [
    (
      str(file.path.relative_to(root)),
      file.name.video,
      file.name.crop,
      file.split,
    )
    for file in find_files(SOURCE, root, findings, **options)
  ]
  return files, [item.kind for item in findings.items]


def save(root, *names):
  for name in names:
    layouts.save(root / name, layouts.features(name, 3))


def test_files_are_found_wherever_they_are(tmp_path):
  save(
    tmp_path, "train/01_001_i3d.npy", "SH_Test/x/01_0014__2.npy", "02_003.npy"
  )
  (tmp_path / "notes.txt").write_text("01_001")
  assert found(tmp_path) == (
    [
      ("02_003.npy", "02_003", None, None),
      ("SH_Test/x/01_0014__2.npy", "01_0014", 2, "test"),
      ("train/01_001_i3d.npy", "01_001", None, "train"),
    ],
    [],
  )


def test_other_names_are_findings(tmp_path):
  save(tmp_path, "train/01_001_i3d.npy", "train/gt.npy")
  assert found(tmp_path)[1] == ["unknown-name"]
  assert found(tmp_path, besides=[tmp_path / "train/gt.npy"])[1] == []


def test_folders_that_hold_something_else_are_passed_over(tmp_path):
  save(tmp_path, "train/01_001.npy", "masks/01_0014.npy")
  files, _ = found(tmp_path, besides=[tmp_path / "masks"])
  assert [file[0] for file in files] == ["train/01_001.npy"]
  # Annotations may lie above the features.
  files, _ = found(tmp_path / "train", besides=[tmp_path])
  assert [file[0] for file in files] == ["01_001.npy"]


def test_where_the_official_folders_are_no_others_are_read(tmp_path):
  official = {"train": "a", "test": "b"}
  save(tmp_path, "a/01_001.npy", "b/01_0014.npy", "flow/01_001.npy", "x.npy")
  files, kinds = found(tmp_path, official=official)
  assert [file[::3] for file in files] == [
    ("a/01_001.npy", "train"),
    ("b/01_0014.npy", "test"),
  ]
  assert kinds == []
  files, kinds = found(tmp_path, official={"train": "a", "test": "c"})
  assert len(files) == 3
  assert kinds == ["unknown-name"]


def test_links_are_followed_and_circles_are_not(tmp_path):
  save(tmp_path, "elsewhere/01_001.npy")
  root = tmp_path / "root"
  root.mkdir()
  (root / "train").symlink_to(tmp_path / "elsewhere")
  (tmp_path / "elsewhere/circle").symlink_to(root)
  assert [file[0] for file in found(root)[0]] == ["train/01_001.npy"]


@pytest.mark.parametrize(
  ("path", "split"),
  [
    *[("train/x.npy", "train"), ("test/latest/x.npy", "test")],
    *[("Training-Normal/x.npy", "train"), ("UCF_Test_i3d/A/x.npy", "test")],
    *[("train/test/x.npy", "test"), ("pretrained/x.npy", None)],
    *[("train_test/x.npy", None), ("train.npy", None)],
  ],
)
def test_the_deepest_folder_tells_the_split(path, split):
  assert folder_split(Path(path)) == split


def test_a_folder_without_features_is_refused(tmp_path):
  with pytest.raises(PreparationError, match="no feature file"):
    found(tmp_path)
  (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
  with pytest.raises(PreparationError, match=r"a\.h5: an HDF5 file; choose"):
    found(tmp_path)
  with pytest.raises(PreparationError, match="no such folder"):
    found(tmp_path / "gone")


def test_a_file_in_the_place_of_a_feature_file_is_named(tmp_path):
  save(tmp_path, "train/01_001.npy")
  (tmp_path / "train/01_001.mp4").write_bytes(b"....ftypisom")
  assert found(tmp_path)[1] == []
  (tmp_path / "train/01_0014.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
  assert found(tmp_path)[1] == ["unreadable"]


def test_names_that_are_no_text_are_refused(tmp_path):
  save(tmp_path, "train/01_001.npy")
  name = os.path.join(os.fsencode(tmp_path), b"train", b"\xd5\xfd.npy")
  os.rename(tmp_path / "train/01_001.npy", name)
  with pytest.raises(PreparationError, match="is not UTF-8; rename the files"):
    found(tmp_path)


def test_audio_is_told_by_its_folder_too(tmp_path):
  save(tmp_path, "rgb/01_001.npy", "vggish-features/01_001.npy")
  findings = Findings()
  files = find_files(SOURCE, tmp_path, findings)
  assert [file.name.audio for file in files] == [False, True]
