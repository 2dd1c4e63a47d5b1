"""Files that are written whole, values as JSON."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from adplg_jax.run.files import as_json, write_atomically


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
  write_atomically(tmp_path / "x", "old")

  def fail(*_):
    raise OSError("full")

  monkeypatch.setattr("os.fsync", fail)
  with pytest.raises(OSError, match="full"):
    write_atomically(tmp_path / "x", "new")
  assert (tmp_path / "x").read_text() == "old"
  assert [path.name for path in Path(tmp_path).iterdir()] == ["x"]


def test_as_json_knows_numpy():
  value = {"a": np.float32(0.5), "b": (np.int64(2), np.array([math.nan]))}
  text = json.dumps(as_json(value), allow_nan=False)
  assert json.loads(text) == {"a": 0.5, "b": [2, [None]]}
