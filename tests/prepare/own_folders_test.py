"""Own features in folders: what is understood, and what is not."""

import pytest

from adplg_jax.data import store
from adplg_jax.prepare import __main__ as prepare
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.own_folders import as_manifest, find_rows
from tests import layouts

FILES = (
  "train/normal/a.npy",
  "train/Fire/b.npy",
  "test/Normal videos/c.npy",
  "test/Fire/d.npy",
)


def save(root, names, snippets=5):
  for name in names:
    layouts.save(root / name, layouts.features(name, snippets))


def rows(root, spans=None):
  """(path, label, split, video, stream, category, spans) of each row."""
  findings = Findings()
  if spans is not None:
    (root.parent / "spans.txt").write_text(spans)
    spans = root.parent / "spans.txt"
  found = find_rows(root, spans, findings)
  return [tuple(row.values()) for _, row in found], [
    item.detail for item in findings.items
  ]


def test_folders_tell_split_and_class(tmp_path):
  save(tmp_path / "x", FILES)
  found, details = rows(tmp_path / "x", "VIDEO spans\nd.mp4 3-9, 20-70\n")
  assert details == []
  assert sorted(" ".join(row) for row in found) == [
    "test/Fire/d.npy anomalous test test/Fire/d   Fire 3-9 20-70",
    "test/Normal videos/c.npy normal test test/Normal videos/c   normal ",
    "train/Fire/b.npy anomalous train train/Fire/b   Fire ",
    "train/normal/a.npy normal train train/normal/a   normal ",
  ]


@pytest.mark.parametrize(
  ("name", "video", "stream", "crop"),
  [
    *[
      ("b__0", "b", "", "0"),
      ("b_crop12", "b", "", "12"),
      ("b_1", "b_1", "", ""),
    ],
    *[("c_rgb", "c", "rgb", ""), ("c_flow", "c", "flow", "")],
    *[("c.optical_flow", "c", "flow", ""), ("c_OpticalFlow", "c", "flow", "")],
    *[("rgb_c", "c", "rgb", ""), ("flow-c", "c", "flow", "")],
    *[("c_crop3_rgb", "c", "rgb", "3"), ("c_rgb__3", "c", "rgb", "3")],
    *[("rgb", "rgb", "", ""), ("overflow", "overflow", "", "")],
  ],
)
def test_names_tell_crops_and_streams(tmp_path, name, video, stream, crop):
  """Of one video, which has another stream besides."""
  names = ["train/normal/n_rgb.npy", "train/normal/n_flow.npy"]
  save(tmp_path, [*names, f"train/Fire/{name}.npy"])
  found, details = rows(tmp_path)
  assert details == []
  (row,) = (row for row in found if row[6] == "Fire")
  assert row[3:6] == (f"train/Fire/{video}", stream, crop)


def test_folders_tell_streams(tmp_path):
  names = ["train/rgb/normal/e.npy", "train/i3d_flow/normal/e.npy"]
  save(tmp_path, names)
  found, details = rows(tmp_path)
  assert details == []
  assert {row[3:5] for row in found} == {
    ("train/normal/e", "rgb"),
    ("train/normal/e", "flow"),
  }


def test_a_stream_that_all_videos_have_is_none(tmp_path):
  save(tmp_path, ["train/normal/a_rgb.npy", "train/Fire/b_rgb.npy"])
  assert {row[4] for row in rows(tmp_path)[0]} == {""}


@pytest.mark.parametrize("name", ["AbNormal", "non-normal", "not_normal"])
def test_what_is_not_normal_is_a_class(tmp_path, name):
  save(tmp_path, [f"train/{name}/a.npy"])
  ((_, label, *_),), (detail,) = rows(tmp_path)
  assert label == "anomalous"
  assert "has no folder of normal videos" in detail


def test_a_file_that_is_not_read_is_named(tmp_path):
  save(tmp_path, ["train/normal/a.npy"])
  (tmp_path / "train/normal/b.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
  (tmp_path / "train/normal/a.json").write_text("{}")
  (detail,) = rows(tmp_path)[1]
  assert detail.startswith("an HDF5 file; choose one of the arrays")


def test_lines_of_spans_of_one_video_are_joined(tmp_path):
  save(tmp_path / "x", FILES)
  found, details = rows(tmp_path / "x", "d 16-48\nd 64-80\n")
  assert details == []
  assert [row[7] for row in found if row[7]] == ["16-48 64-80"]
  assert rows(tmp_path / "x", "\n")[1] == ["has no line of spans."]


@pytest.mark.parametrize(
  "name", ["train/a.npy", "Fire/a.npy", "train/Fire/video/a.npy", "a.npy"]
)
def test_folders_that_do_not_tell_are_found(tmp_path, name):
  save(tmp_path, [name])
  found, (detail, *_) = rows(tmp_path)
  assert found == []
  assert "do not tell its split and class" in detail


@pytest.mark.parametrize(
  ("line", "message"),
  [
    ("gone 1-2", "no test video of the name 'gone'"),
    ("a 1-2", "no test video of the name 'a'"),
    ("d", "'d' is no line of spans"),
    ("d 7", "'d 7' is no line of spans"),
  ],
)
def test_lines_of_spans_that_do_not_fit_are_found(tmp_path, line, message):
  save(tmp_path / "x", FILES)
  _, (detail,) = rows(tmp_path / "x", f"test/Fire/d 1-2\n{line}\n")
  assert message in detail


def test_it_is_prepared_and_its_manifest_kept(tmp_path, capsys):
  save(tmp_path / "x", FILES)
  (tmp_path / "spans.csv").write_text("video,spans\nd,16-40\n")

  def run(*arguments):
    common = ["--data_dir", tmp_path / "data", "--segments", 2]
    status = prepare.main(["folder", *map(str, [*arguments, *common])])
    return status, capsys.readouterr()

  spans = ("--spans", tmp_path / "spans.csv")
  spans += ("--span-ends", "inclusive")
  status, _ = run("--name", "one", "--features", tmp_path / "x", *spans)
  assert status == 0
  one = store.open_dataset(str(tmp_path / "data"), "folder", "one", 2)
  (fire,) = (e for e in one.test if e["label"])
  assert fire["spans"].tolist() == [[16, 41]]
  # The manifest that was understood prepares the same data set.
  path = tmp_path / "data/folder/one_n2" / store.VERSION / "manifest.csv"
  assert run("--name", "two", "--manifest", path)[0] == 0
  two = store.open_dataset(str(tmp_path / "data"), "folder", "two", 2)
  assert two.metadata.fingerprint == one.metadata.fingerprint
  (fire,) = (e for e in two.test if e["label"])
  assert fire["spans"].tolist() == [[16, 41]]


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ([], "Give --manifest or --features"),
    (["--manifest", "m", "--features", "d"], "Give --manifest or --features"),
    (["--manifest", "m", "--spans", "s"], "--spans s goes with --features"),
  ],
)
def test_a_manifest_or_a_folder_is_needed(capsys, arguments, message):
  assert prepare.main(["folder", "--name", "x", *arguments]) == 1
  assert message in capsys.readouterr().err


def test_the_manifest_is_text_with_absolute_paths(tmp_path):
  save(tmp_path, ["train/Fire/b.npy"])
  text = as_manifest(
    tmp_path, find_rows(tmp_path, None, Findings()), "exclusive"
  )
  assert text == (
    "path,label,split,video,stream,crop,category,spans\n"
    f"{tmp_path}/train/Fire/b.npy,anomalous,train,train/Fire/b,,,Fire,\n"
  )
