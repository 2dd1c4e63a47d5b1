"""Preparation by the command line: synthetic data and folders, and faults."""

import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from adplg_jax.data import store
from adplg_jax.prepare import __main__ as prepare
from adplg_jax.prepare import segments, writing
from adplg_jax.prepare.sources.synthetic_videos import VARIANTS, make_videos
from tests import layouts


def run(capsys, *arguments):
  """Runs the command; returns its status and all it printed."""
  status = prepare.main([str(argument) for argument in arguments])
  printed = capsys.readouterr()
  return status, printed.out + printed.err


def prepare_folder(capsys, root, *more, segments=4, name="mine"):
  return run(
    capsys,
    "folder",
    *("--name", name, "--manifest", root / "manifest.csv"),
    *("--data_dir", root / "data", "--segments", segments),
    *more,
  )


def open_folder(root, segments=4, name="mine"):
  return store.open_dataset(str(root / "data"), "folder", name, segments)


def left_over(root):
  """What lies below a folder data set's place."""
  return sorted(
    path.name
    for path in (root / "data/folder/mine_n4").glob("*")
    if path.name != ".lock"
  )


def test_synthetic_comes_back_as_it_was_made(tmp_path):
  spec = VARIANTS["tiny"]
  layouts.prepare_synthetic(str(tmp_path), "tiny", 8)
  data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 8)
  videos = {video.name: video for video in make_videos(spec)}
  longest = max(
    (video for video in videos.values() if video.split == "test"),
    key=lambda video: len(video.features[0]),
  )
  assert data.metadata == store.Metadata(
    fingerprint=data.metadata.fingerprint,
    longest_test_video=longest.name,
    longest_test_snippets=len(longest.features[0]),
    feature_width=spec.feature_width,
    num_segments=8,
    num_video_keys=spec.train_anomalous,
    num_crop_keys=spec.train_anomalous * spec.crops,
    dtype="float32",
    categories=tuple(sorted(spec.classes)),
  )
  assert len(data.train_normal) == spec.train_normal * spec.crops
  for split in (data.train_normal, data.train_anomalous, data.test):
    for example in split:
      video = videos[example["video"]]
      crop = video.features[example["crop"]]
      if video.split == "train":
        crop = segments.segment_means(crop, 8)
      np.testing.assert_array_equal(example["features"], crop)
      assert example["features"].dtype == np.float32
      assert example["length"] == len(crop)
      assert example["label"] == video.label
      assert example["category"] == video.category
      assert example["frames"] == video.frames
      assert example["frames_per_snippet"] == 16
      assert example["has_spans"]
      assert [tuple(span) for span in example["spans"]] == list(video.spans)


def test_keys_number_the_anomalous_videos_and_crops(tmp_path):
  layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
  data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4)
  crops = VARIANTS["tiny"].crops
  keys = [
    (int(e["video_key"]), int(e["crop_key"])) for e in data.train_anomalous
  ]
  assert keys == [(i // crops, i) for i in range(len(keys))]
  assert {int(e["video_key"]) for e in data.train_normal} == {-1}
  assert {int(e["crop_key"]) for e in data.test} == {-1}


def test_a_shared_key_is_one_memory(tmp_path, capsys):
  rows = layouts.folder(tmp_path)
  for row in rows:
    row["key"] = "camera"
  layouts.write_manifest(tmp_path / "manifest.csv", rows)
  assert prepare_folder(capsys, tmp_path)[0] == 0
  metadata = open_folder(tmp_path).metadata
  assert (metadata.num_video_keys, metadata.num_crop_keys) == (1, 2)


def test_folder_from_files_to_examples(tmp_path, capsys):
  layouts.write_manifest(tmp_path / "manifest.csv", layouts.folder(tmp_path))
  status, printed = prepare_folder(capsys, tmp_path)
  assert status == 0
  assert "train: 4 videos (2 anomalous), 4 crops, 30 snippets" in printed
  assert "test: 4 videos (2 anomalous), 4 crops, 22 snippets" in printed
  assert "\nprepared " in printed
  data = open_folder(tmp_path)
  assert [e["video"] for e in data.train_normal] == ["train00", "train01"]
  assert [e["video"] for e in data.test] == [
    "test00",
    "test01",
    "test10",
    "test11",
  ]
  np.testing.assert_array_equal(
    data.test[3]["features"], layouts.features("test11", 6)
  )
  assert data.test[3]["frames"] == 96


def test_half_precision(tmp_path, capsys):
  layouts.write_manifest(tmp_path / "manifest.csv", layouts.folder(tmp_path))
  assert prepare_folder(capsys, tmp_path, "--dtype", "float16")[0] == 0
  got = open_folder(tmp_path).test[0]["features"]
  assert got.dtype == np.float16
  want = layouts.features("test00", 5).astype(np.float16)
  np.testing.assert_array_equal(got, want)


def test_unknown_spans_are_said(tmp_path, capsys):
  rows = layouts.folder(tmp_path)
  rows[-1]["spans"] = ""
  layouts.write_manifest(tmp_path / "manifest.csv", rows)
  status, printed = prepare_folder(capsys, tmp_path)
  assert status == 0
  assert "1 anomalous test videos have no spans: the video-level AUC" in printed
  assert [bool(e["has_spans"]) for e in open_folder(tmp_path).test] == [
    True,
    True,
    True,
    False,
  ]


def spoil(tmp_path, what):
  """Makes one file or row of a good folder bad; returns the rows."""
  rows = layouts.folder(tmp_path)
  good = layouts.features("train00", 7)
  path = tmp_path / "train00.npy"
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
  elif what == "label":
    rows[0]["label"] = "fine"
  elif what == "split":
    rows[0]["split"] = "validation"
  elif what == "late_span":
    rows[-1]["spans"] = "96-97"
  elif what == "long_span":
    rows[-1]["spans"] = "90-113"
  elif what == "frames":
    rows[0]["frames"] = 145
  elif what == "classes":
    rows = rows[:-2]
  elif what == "crops":
    rows[1]["video"] = "train00"
    rows[0]["video"] = "train00"
  return rows


FAULTS = {
  "missing": "missing-file: 1 .*train00.npy: no such file; correct its path",
  "width": "wrong-width: 1 .*train00.npy: feature width is 3; most files",
  "nan": "not-finite: 1 .*train00.npy: NaN or infinity, first in snippet 2",
  "infinity": "not-finite: 1 .*train00.npy: NaN or infinity",
  "empty": r"empty: 1 .*train00.npy: shape is \(0, 4\), no snippet; extract",
  "object": "object-array: 1 .*train00.npy: an object array.*save it as float",
  "truncated": "truncated: 1 .*train00.npy: truncated: .*copy or extract",
  "label": "manifest.csv:2: label is 'fine'; allowed: 0, 1, normal, anomalous",
  "split": "manifest.csv:2: split is 'validation'; allowed: train, test",
  "late_span": "bad-span: 1 .*test11: span 96-97 does not fit .* 96 frames",
  "long_span": "bad-span: 1 .*test11: span 90-113 .* at most 16 frames past",
  "frames": "frame-count: 1 .*train00: 145 frames annotated, but 7 snippets",
  "classes": "split-classes: 1 .*test: no anomalous video; both classes",
  "crops": "crop-length: 1 .*train00: .*snippets, .* has .; extract",
}


@pytest.mark.parametrize("what", FAULTS)
def test_faults_are_refused_and_leave_nothing(tmp_path, capsys, what):
  layouts.write_manifest(tmp_path / "manifest.csv", spoil(tmp_path, what))
  status, printed = prepare_folder(capsys, tmp_path)
  assert status == 1
  assert "Found 1 faults; nothing was written" in printed
  lines = " ".join(printed.split("\n"))
  assert re.search(FAULTS[what], lines), printed
  assert left_over(tmp_path) == []
  assert not store.is_prepared(str(tmp_path / "data"), "folder", "mine", 4)


def test_all_faults_are_in_one_report(tmp_path, capsys):
  rows = spoil(tmp_path, "nan")
  rows[1]["split"] = "tset"
  rows[2]["path"] = "gone.npy"
  layouts.write_manifest(tmp_path / "manifest.csv", rows)
  status, printed = prepare_folder(capsys, tmp_path)
  assert status == 1
  assert "Found 3 faults" in printed
  for kind in ("manifest: 1", "missing-file: 1", "not-finite: 1"):
    assert kind in printed


@pytest.mark.parametrize(
  ("header", "line", "said"),
  [
    ("path,label,split,label", "a.npy,1,train,0", "label is there twice"),
    (
      "path,label,split,spans",
      "a.npy,1.0,train,1-2",
      "label is '1.0'; allowed",
    ),
  ],
)
def test_odd_manifests(tmp_path, capsys, header, line, said):
  layouts.save(tmp_path / "a.npy", layouts.features("a", 4))
  (tmp_path / "manifest.csv").write_text(f"{header}\n{line}\n")
  status, printed = prepare_folder(capsys, tmp_path)
  assert status == 1
  assert said in printed
  assert "a normal video has none" not in printed


def test_one_file_under_two_names_is_found(tmp_path, capsys):
  rows = layouts.folder(tmp_path)
  twin = {**rows[0], "path": f"../{tmp_path.name}/train00.npy", "split": "test"}
  layouts.write_manifest(tmp_path / "manifest.csv", [*rows, twin])
  status, printed = prepare_folder(capsys, tmp_path)
  assert status == 1
  assert re.search(r"is already listed at \S+manifest.csv:2\.", printed)


@pytest.mark.parametrize("name", ["official", "fixed"])
def test_names_of_presets_are_refused(tmp_path, capsys, name):
  status, printed = prepare_folder(capsys, tmp_path, name=name)
  assert status == 1
  assert f"--name is '{name}', which is a preset's name" in printed


def test_names_that_are_no_folders_are_refused(tmp_path, capsys):
  status, printed = prepare_folder(capsys, tmp_path, name="../x")
  assert status == 1
  assert "--name is '../x'; allowed: letters, digits" in printed


def test_small_overshoots_are_clipped_and_counted(tmp_path, capsys):
  rows = layouts.folder(tmp_path)
  rows[-1]["spans"] = "90-112"
  layouts.write_manifest(tmp_path / "manifest.csv", rows)
  status, printed = prepare_folder(capsys, tmp_path)
  assert status == 0
  assert "note: 1 spans that end past their video, clipped" in printed


def test_values_beyond_half_precision_are_refused(tmp_path, capsys):
  rows = layouts.folder(tmp_path)
  layouts.save(tmp_path / "train00.npy", np.full((7, 4), 1e5, np.float32))
  layouts.write_manifest(tmp_path / "manifest.csv", rows)
  status, printed = prepare_folder(capsys, tmp_path, "--dtype", "float16")
  assert status == 1
  assert "holds 100000, infinite as float16; use --dtype float32" in printed


def test_means_that_overflow_are_refused(tmp_path, capsys):
  rows = layouts.folder(tmp_path)
  layouts.write_manifest(tmp_path / "manifest.csv", rows)
  layouts.save(tmp_path / "train10.npy", np.full((7, 4), 3e38, np.float32))
  status, printed = prepare_folder(capsys, tmp_path, segments=2)
  assert status == 1
  assert "train10.npy: its values are finite, but their segment" in printed
  assert store.prepared(tmp_path / "data") == []


def test_the_fingerprint_tells_other_data(tmp_path, capsys):
  """Features, spans and their order all count; the place does not."""
  rows = layouts.folder(tmp_path)

  def fingerprint(changed):
    layouts.write_manifest(tmp_path / "manifest.csv", changed)
    assert prepare_folder(capsys, tmp_path, "--overwrite")[0] == 0
    return open_folder(tmp_path).metadata.fingerprint

  first = fingerprint(rows)
  assert re.fullmatch("[0-9a-f]{8}", first)
  assert fingerprint(rows) == first
  assert fingerprint(rows[::-1]) != first
  spans = [row | {"spans": "17-40"} if "spans" in row else row for row in rows]
  assert fingerprint(spans) != first
  x = np.load(tmp_path / "test00.npy")
  x[1, 2] += 1
  np.save(tmp_path / "test00.npy", x)
  assert fingerprint(rows) != first


def test_skip_bad_leaves_named_kinds_out(tmp_path, capsys):
  layouts.write_manifest(tmp_path / "manifest.csv", spoil(tmp_path, "nan"))
  status, printed = prepare_folder(
    capsys, tmp_path, "--skip-bad", "wrong-width"
  )
  assert status == 1
  assert "--skip-bad not-finite,wrong-width" in printed
  status, printed = prepare_folder(capsys, tmp_path, "--skip-bad", "not-finite")
  assert status == 0
  assert "Left out by --skip-bad:\nnot-finite: 1" in printed
  data = open_folder(tmp_path)
  assert [e["video"] for e in data.train_normal] == ["train01"]


def test_skip_bad_that_leaves_a_class_empty_is_refused(tmp_path, capsys):
  rows = layouts.folder(tmp_path)
  for name in ("train00", "train01"):
    np.save(tmp_path / f"{name}.npy", np.full((7, 4), np.nan, np.float32))
  layouts.write_manifest(tmp_path / "manifest.csv", rows)
  status, printed = prepare_folder(capsys, tmp_path, "--skip-bad", "all")
  assert status == 1
  assert "Found 1 faults" in printed
  assert "train: no normal video" in printed


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["--skip-bad", "manifest"], "'manifest'; allowed: all, missing-file"),
    (["--dtype", "int8"], "invalid choice: 'int8'"),
  ],
)
def test_bad_arguments(tmp_path, capsys, arguments, message):
  with pytest.raises(SystemExit):
    prepare_folder(capsys, tmp_path, *arguments)
  assert message in capsys.readouterr().err


def test_a_data_dir_that_cannot_be_is_named(tmp_path, capsys):
  layouts.write_manifest(tmp_path / "manifest.csv", layouts.folder(tmp_path))
  (tmp_path / "file").write_text("")
  manifest = str(tmp_path / "manifest.csv")
  below = str(tmp_path / "file" / "below")
  own = ["folder", "--name", "own", "--manifest", manifest]
  assert prepare.main([*own, "--data_dir", below]) == 1
  said = capsys.readouterr().err
  assert str(tmp_path / "file") in said
  assert "choose another --data_dir" in said


def test_segments_must_be_positive(tmp_path, capsys):
  layouts.write_manifest(tmp_path / "manifest.csv", layouts.folder(tmp_path))
  status, printed = prepare_folder(capsys, tmp_path, segments=0)
  assert status == 1
  assert "--segments is 0; allowed: 1 or more" in printed


def test_a_prepared_set_is_kept_unless_overwritten(tmp_path, capsys):
  rows = layouts.folder(tmp_path)
  layouts.write_manifest(tmp_path / "manifest.csv", rows)
  assert prepare_folder(capsys, tmp_path)[0] == 0
  layouts.save(tmp_path / "test00.npy", layouts.features("new", 5))
  status, printed = prepare_folder(capsys, tmp_path)
  assert status == 1
  assert "is prepared already; --overwrite replaces it" in printed
  old = open_folder(tmp_path).test[0]["features"]
  np.testing.assert_array_equal(old, layouts.features("test00", 5))
  (tmp_path / "train11.npy").unlink()
  assert prepare_folder(capsys, tmp_path, "--overwrite")[0] == 1
  np.testing.assert_array_equal(open_folder(tmp_path).test[0]["features"], old)
  layouts.folder(tmp_path)
  layouts.save(tmp_path / "test00.npy", layouts.features("new", 5))
  assert prepare_folder(capsys, tmp_path, "--overwrite")[0] == 0
  np.testing.assert_array_equal(
    open_folder(tmp_path).test[0]["features"], layouts.features("new", 5)
  )
  assert left_over(tmp_path) == [store.VERSION]


def test_an_exception_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
  def fail(*arguments):
    del arguments
    raise RuntimeError("the disk is on fire")

  monkeypatch.setattr(writing, "segment_means", fail)
  with pytest.raises(RuntimeError, match="on fire"):
    layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
  assert not store.is_prepared(str(tmp_path), "synthetic", "tiny", 4)
  assert [p.name for p in (tmp_path / "synthetic/tiny_n4").iterdir()] == [
    ".lock"
  ]


SLOW = """
import os, sys, time
from adplg_jax.prepare import writing
from tests import layouts
means, count = writing.segment_means, 0
def slow(*arguments):
  global count
  count += 1
  if count > 20:
    os.write(1, b"writing\\n")
    time.sleep(60)
  return means(*arguments)
writing.segment_means = slow
layouts.prepare_synthetic(sys.argv[1], "tiny", 4)
"""


def test_a_killed_preparation_is_never_taken_for_whole(tmp_path):
  process = subprocess.Popen(
    [sys.executable, "-c", SLOW, str(tmp_path)],
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
  )
  try:
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    place = tmp_path / "synthetic/tiny_n4"
    assert list(place.rglob("*.array_record*"))
    with pytest.raises(ValueError, match="being prepared by another process"):
      layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
    assert list(place.rglob("*.array_record*"))
  finally:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
  assert list(place.rglob("*.array_record*"))
  assert not store.is_prepared(str(tmp_path), "synthetic", "tiny", 4)
  assert store.prepared(tmp_path) == []
  with pytest.raises(store.NotPreparedError):
    store.open_dataset(str(tmp_path), "synthetic", "tiny", 4)
  layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
  assert sorted(p.name for p in place.iterdir()) == [".lock", store.VERSION]
  data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4)
  assert len(data.train_normal) == 16


def test_processes_may_share_one_preparation(tmp_path):
  code = (
    "import sys; from tests import layouts;"
    "layouts.prepare_synthetic(sys.argv[1], 'tiny', 4, exist_ok=True)"
  )
  processes = [
    subprocess.Popen(
      [sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.DEVNULL
    )
    for _ in range(3)
  ]
  assert [process.wait() for process in processes] == [0, 0, 0]
  data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4)
  assert len(data.train_normal) == 16


def test_too_little_disk_is_said_before_writing(tmp_path, monkeypatch):
  usage = shutil.disk_usage(tmp_path)
  monkeypatch.setattr(
    writing.shutil, "disk_usage", lambda path: usage._replace(free=1000)
  )
  with pytest.raises(
    ValueError, match=r"GiB will be needed, 0\.00 GiB are free"
  ):
    layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
  assert store.prepared(tmp_path) == []


def test_many_shards_keep_the_order(tmp_path, monkeypatch):
  monkeypatch.setattr("adplg_jax.prepare.writing.SHARD_BYTES", 3000)
  prepared = layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
  shards = list(prepared.path.glob("*train_normal*"))
  assert len(shards) > 3
  data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4)
  names = [(e["video"], int(e["crop"])) for e in data.train_normal]
  assert names == sorted(names)
  assert len(names) == 16


def test_an_unknown_synthetic_variant_is_refused(tmp_path):
  with pytest.raises(ValueError, match="variant is 'huge'; allowed: small"):
    layouts.prepare_synthetic(str(tmp_path), "huge", 4)


def test_preparing_needs_no_tensorflow(tmp_path):
  code = (
    "import sys; from adplg_jax.prepare import __main__ as prepare;"
    f"prepare.main(['synthetic', '--variant=tiny', '--data_dir={tmp_path}']);"
    "from adplg_jax.data import store;"
    f"store.open_dataset({str(tmp_path)!r}, 'synthetic', 'tiny', 32).test[0];"
    "print([m for m in ('tensorflow', 'jax') if m in sys.modules])"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert done.stdout.splitlines()[-1] == "[]"
  assert "writing: 100%" in done.stderr
  assert "file/s" in done.stderr
