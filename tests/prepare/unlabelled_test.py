"""Feature files of which nothing is known: names, crops, streams."""

from pathlib import Path

import numpy as np
import pytest

from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.registry import SOURCES
from adplg_jax.prepare.unlabelled import Known, find_unlabelled
from tests.layouts import features, save


def find(*paths, naming=None, width=None):
  """{name: [(file below tmp, crop)]}, and the findings."""
  findings = Findings()
  source = SOURCES[naming] if naming else None
  layout = source.layout("i3d") if source else None
  known = Known(source, layout, width)
  videos = find_unlabelled([Path(p) for p in paths], findings, known)
  return {
    video.name: [(crop.path.name, crop.column) for crop in video.crops]
    for video in videos
  }, findings


def write(root, *names, shape=(4, 6)):
  for name in names:
    save(root / name, np.ones(shape, np.float32))


def test_crops_are_grouped_by_name_and_folders_are_kept(tmp_path):
  write(tmp_path, "a/cam__0.npy", "a/cam__1.npy", "b/cam.npy", "b/c_crop1.npy")
  found, findings = find(tmp_path)
  assert found == {
    "a/cam": [("cam__0.npy", None), ("cam__1.npy", None)],
    "b/c": [("c_crop1.npy", None)],
    "b/cam": [("cam.npy", None)],
  }
  assert not findings.items


def test_a_glob_is_as_good_as_the_folder(tmp_path):
  write(tmp_path, "v.npy", "v__1.npy", "w.npy")
  by_file, _ = find(*sorted(tmp_path.glob("*.npy")))
  assert by_file == find(tmp_path)[0] == find(tmp_path, tmp_path / "v.npy")[0]
  assert list(by_file) == ["v", "w"]


def test_all_kinds_of_files_and_all_crops_in_one(tmp_path):
  np.savez(tmp_path / "z.npz", features=features("z", 3))
  write(tmp_path, "three.npy", shape=(5, 2, 6))
  write(tmp_path, "notes.txt.npy")
  (tmp_path / "README.txt").write_text("hello")
  found, findings = find(tmp_path)
  assert found["three"] == [("three.npy", 0), ("three.npy", 1)]
  assert found["z"] == [("z.npz", None)]
  (line,) = findings.note_lines()
  assert "1 files passed over, such as" in line and "README.txt" in line


def test_two_videos_of_one_name_are_told_apart_by_their_folders(tmp_path):
  write(tmp_path, "one/x/cam.npy", "two/x/cam.npy", "two/x/other.npy")
  found, _ = find(tmp_path / "one/x", tmp_path / "two/x")
  assert list(found) == ["one/x/cam", "two/x/cam", "other"]


def test_two_files_of_one_crop_are_refused(tmp_path):
  write(tmp_path, "a.npy", "a__0.npy", "b.npy")
  found, findings = find(tmp_path)
  assert list(found) == ["b"]
  (item,) = findings.items
  assert item.kind == "surplus-crops" and "crop 0 of a" in item.detail


def test_streams_of_a_video_are_joined_and_others_left_alone(tmp_path):
  write(
    tmp_path, "rgb/a.npy", "flow/a.npy", "c_rgb.npy", "c_flow.npy",
    "motion/hall.npy",
  )  # fmt: skip
  findings = Findings()
  videos = find_unlabelled([tmp_path], findings, Known())
  assert not findings.items
  widths = {video.name: video.crops[0].read().shape for video in videos}
  assert widths == {"a": (4, 12), "c": (4, 12), "motion/hall": (4, 6)}


def test_the_others_go_on_without_a_bad_file(tmp_path):
  write(tmp_path, "good.npy", "crops/v__1.npy")
  (tmp_path / "bad.npy").write_text("hello")
  (tmp_path / "crops/v__0.npy").write_text("hello")
  missing = tmp_path / "missing"
  found, findings = find(missing, tmp_path)
  assert list(found) == ["good"]
  wheres = [Path(item.where).name for item in findings.items]
  assert wheres == ["missing", "bad.npy", "v__0.npy"]


@pytest.mark.parametrize(
  ("shape", "transposed"),
  [((6, 9), ".T"), ((10, 60, 6), "(1, 0, 2)"), ((1, 40, 6), "(1, 0, 2)")],
)
def test_swapped_axes_are_found(tmp_path, shape, transposed):
  write(tmp_path, "v.npy", shape=shape)
  found, findings = find(tmp_path, width=6)
  assert not found
  (item,) = findings.items
  assert item.kind == "wrong-axes" and transposed in item.detail


def test_many_crops_of_a_long_video_are_what_they_say(tmp_path):
  write(tmp_path, "v.npy", shape=(40, 12, 6))
  assert len(find(tmp_path, width=6)[0]["v"]) == 12


def test_names_of_the_models_data_set_come_first(tmp_path):
  """Those that it does not have are of own folders."""
  write(tmp_path, "01_0014_0.npy", "01_0014_1.npy", "door_1.npy", "yard__1.npy")
  found, findings = find(tmp_path, naming="shanghaitech")
  assert list(found) == ["01_0014", "door_1", "yard"]
  assert len(found["01_0014"]) == 2 and not findings.items
  assert list(find(tmp_path)[0]) == ["01_0014_0", "01_0014_1", "door_1", "yard"]


def test_audio_of_the_models_data_set_is_joined(tmp_path):
  name = "Bad.Boys__#1_label_A"
  write(tmp_path, f"rgb/{name}__0.npy", f"rgb/{name}__1.npy")
  save(tmp_path / f"audio/{name}__vggish.npy", np.zeros((4, 2), np.float32))
  source = SOURCES["xd_violence"]
  (video,) = find_unlabelled(
    [tmp_path], Findings(), Known(source, source.layout("own"), 8)
  )
  assert video.name == f"rgb/{name}"
  assert [crop.read().shape for crop in video.crops] == [(4, 8), (4, 8)]
