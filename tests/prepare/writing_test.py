"""Videos as examples: keys, types, order, predicted size, fingerprint."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from adplg_jax.data import store
from adplg_jax.prepare import writing
from adplg_jax.prepare.source import Options
from adplg_jax.prepare.sources.synthetic_videos import VARIANTS
from adplg_jax.prepare.videos import Video
from tests import layouts


def test_predicted_size_is_what_is_written(ucf, monkeypatch):
  predicted = []
  monkeypatch.setattr(
    writing, "check_disk", lambda folder, needed: predicted.append(needed)
  )
  assert ucf.prepare()[0] == 0
  records = (ucf.root / "data").rglob("*array_record*")
  written = sum(path.stat().st_size for path in records)
  assert written <= predicted[0] <= 1.2 * written + 2**17


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


def test_a_shared_key_is_one_memory(mine):
  for row in mine.rows:
    row["key"] = "camera"
  mine.write()
  assert mine.prepare()[0] == 0
  metadata = mine.open().metadata
  assert (metadata.num_video_keys, metadata.num_crop_keys) == (1, 2)


def test_half_precision(mine):
  assert mine.prepare("--dtype", "float16")[0] == 0
  got = mine.open().test[0]["features"]
  assert got.dtype == np.float16
  want = layouts.features("test00", 5).astype(np.float16)
  np.testing.assert_array_equal(got, want)


def test_means_that_overflow_are_refused(mine):
  layouts.save(mine.root / "train10.npy", np.full((7, 4), 3e38, np.float32))
  status, printed = mine.prepare(segments=2)
  assert status == 1
  assert "train10.npy: its values are finite, but their segment" in printed
  assert store.prepared(mine.root / "data") == []


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


@pytest.mark.parametrize(
  ("change", "same"),
  [
    ({"exact_spans": True}, True),
    ({"window": 64}, False),
    ({"spans": ((1, 3),)}, False),
  ],
)
def test_the_fingerprint_is_what_it_was_for_what_did_not_change(change, same):
  """Before there were windows and exact spans."""
  video = Video("v", "test", 1, "Abuse", (), "v", spans=((1, 2),))
  changed = dataclasses.replace(video, **change)
  one, other = (
    writing.fingerprint({"test": [own]}, Options(variant="x"))
    for own in (video, changed)
  )
  assert one == "8f463c08"
  assert (one == other) == same


def test_the_fingerprint_tells_other_data(mine):
  """Features, spans and their order all count; the place does not."""
  rows = mine.rows

  def fingerprint(changed):
    mine.rows = changed
    mine.write()
    assert mine.prepare("--overwrite")[0] == 0
    return mine.open().metadata.fingerprint

  first = fingerprint(rows)
  assert re.fullmatch("[0-9a-f]{8}", first)
  assert fingerprint(rows) == first
  assert fingerprint(rows[::-1]) != first
  spans = [row | {"spans": "17-40"} if "spans" in row else row for row in rows]
  assert fingerprint(spans) != first
  x = np.load(mine.root / "test00.npy")
  x[1, 2] += 1
  np.save(mine.root / "test00.npy", x)
  assert fingerprint(rows) != first


def test_frames_a_snippet_are_recorded_where_all_have_the_same(tmp_path):
  found = []
  for name, steps in (("same", "8888"), ("other", "8884")):
    rows = layouts.folder(tmp_path / name)
    for row, step in zip(rows, 2 * steps, strict=True):
      row |= {"step": step, "window": 16}
    manifest = layouts.write_manifest(tmp_path / name / "m.csv", rows)
    layouts.prepare_folder(manifest, name, 4, tmp_path)
    metadata = store.open_dataset(str(tmp_path), "folder", name, 4).metadata
    found.append((metadata.frames_per_snippet, metadata.window))
  assert found == [(8, 16), (0, 16)]
