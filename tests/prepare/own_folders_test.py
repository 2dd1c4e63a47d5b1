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
  assert sorted(found) == [
    (
      "test/Fire/d.npy",
      "anomalous",
      "test",
      "test/Fire/d",
      "",
      "Fire",
      "3-9 20-70",
    ),
    (
      "test/Normal videos/c.npy",
      "normal",
      "test",
      "test/Normal videos/c",
      "",
      "normal",
      "",
    ),
    ("train/Fire/b.npy", "anomalous", "train", "train/Fire/b", "", "Fire", ""),
    (
      "train/normal/a.npy",
      "normal",
      "train",
      "train/normal/a",
      "",
      "normal",
      "",
    ),
  ]


def test_crops_and_streams_are_of_one_video(tmp_path):
  save(
    tmp_path,
    [
      *("train/Fire/b__0.npy", "train/Fire/b__1.npy"),
      *("train/Fire/c_rgb.npy", "train/Fire/c_flow.npy"),
      *("train/rgb/Fire/e.npy", "train/flow/Fire/e.npy"),
      "train/Fire/d_rgb.npy",
    ],
  )
  found, details = rows(tmp_path)
  assert details == []
  assert sorted((row[0], row[3], row[4]) for row in found) == [
    ("train/Fire/b__0.npy", "train/Fire/b", ""),
    ("train/Fire/b__1.npy", "train/Fire/b", ""),
    ("train/Fire/c_flow.npy", "train/Fire/c", "flow"),
    ("train/Fire/c_rgb.npy", "train/Fire/c", "rgb"),
    ("train/Fire/d_rgb.npy", "train/Fire/d", ""),
    ("train/flow/Fire/e.npy", "train/Fire/e", "flow"),
    ("train/rgb/Fire/e.npy", "train/Fire/e", "rgb"),
  ]


@pytest.mark.parametrize(
  "name", ["train/a.npy", "Fire/a.npy", "train/Fire/video/a.npy", "a.npy"]
)
def test_folders_that_do_not_tell_are_found(tmp_path, name):
  save(tmp_path, [name])
  found, (detail,) = rows(tmp_path)
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
  status, _ = run("--name", "one", "--features", tmp_path / "x", *spans)
  assert status == 0
  one = store.open_dataset(str(tmp_path / "data"), "folder", "one", 2)
  (fire,) = (e for e in one.test if e["label"])
  assert fire["spans"].tolist() == [[16, 40]]
  # The manifest that was understood prepares the same data set.
  path = tmp_path / "data/folder/one_n2" / store.VERSION / "manifest.csv"
  assert run("--name", "two", "--manifest", path)[0] == 0
  two = store.open_dataset(str(tmp_path / "data"), "folder", "two", 2)
  assert two.metadata.fingerprint == one.metadata.fingerprint


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
  text = as_manifest(tmp_path, find_rows(tmp_path, None, Findings()))
  assert text == (
    "path,label,split,video,stream,category,spans\n"
    f"{tmp_path}/train/Fire/b.npy,anomalous,train,train/Fire/b,,Fire,\n"
  )
