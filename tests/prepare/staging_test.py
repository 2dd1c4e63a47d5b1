"""A data set is there whole or not at all."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from adplg_jax.data import store
from adplg_jax.prepare import writing
from tests import layouts


def test_a_prepared_set_is_kept_unless_overwritten(mine):
  assert mine.prepare()[0] == 0
  layouts.save(mine.root / "test00.npy", layouts.features("new", 5))
  status, printed = mine.prepare()
  assert status == 1
  assert "is prepared already; --overwrite replaces it" in printed
  old = mine.open().test[0]["features"]
  np.testing.assert_array_equal(old, layouts.features("test00", 5))
  (mine.root / "train11.npy").unlink()
  assert mine.prepare("--overwrite")[0] == 1
  np.testing.assert_array_equal(mine.open().test[0]["features"], old)
  layouts.folder(mine.root)
  layouts.save(mine.root / "test00.npy", layouts.features("new", 5))
  assert mine.prepare("--overwrite")[0] == 0
  np.testing.assert_array_equal(
    mine.open().test[0]["features"], layouts.features("new", 5)
  )
  assert mine.left_over() == [store.VERSION]


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
