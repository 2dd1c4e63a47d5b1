import dataclasses

import numpy as np
import pytest

from adplg_jax.data.sidecar import read_sidecar, sidecar_path
from adplg_jax.extract import outputs
from adplg_jax.extract.outputs import FeatureWriter, OutputError, is_done
from tests.sidecars import SIDECAR, write_sidecar


def write(path, count=3, finish=True):
  """Writes `count` snippets; returns them."""
  features = np.random.default_rng(0).normal(size=(count, 2, 5))
  writer = FeatureWriter(path)
  for row in features.astype(np.float32):
    writer.add(row)
    assert not path.exists()
  if finish:
    writer.finish(SIDECAR)
  writer.close()
  return features.astype(np.float32)


@pytest.mark.parametrize("count", [1, 3, 12345])
def test_features_are_an_ordinary_npy_file(tmp_path, count):
  path = tmp_path / "normal" / "a.npy"
  features = write(path, count)
  read = np.load(path, allow_pickle=False)
  assert read.dtype == np.float32
  np.testing.assert_array_equal(read, features)
  assert read_sidecar(path) == SIDECAR
  assert {p.name for p in path.parent.iterdir()} == {"a.npy", "a.json"}


def test_what_is_not_finished_leaves_nothing(tmp_path):
  write(tmp_path / "a.npy", finish=False)
  assert list(tmp_path.iterdir()) == []


def test_earlier_features_never_have_a_later_sidecar(tmp_path, monkeypatch):
  path = tmp_path / "a.npy"
  write(path)

  def interrupt(self, target):
    raise KeyboardInterrupt

  later = dataclasses.replace(SIDECAR, size=101)
  writer = FeatureWriter(path)
  writer.add(np.ones((2, 5), np.float32))
  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(type(path), "replace", interrupt)
    patch.setattr(
      outputs, "write_json", lambda *_: write_sidecar(path, size=101)
    )
    writer.finish(later)
  writer.close()
  assert not is_done(path, later)


def test_what_is_there_and_the_same_is_done(tmp_path):
  path = tmp_path / "a.npy"
  assert not is_done(path, SIDECAR)
  write(path)
  assert is_done(path, SIDECAR)
  other_times = dataclasses.replace(SIDECAR, seconds=(), frames=0, warnings=())
  assert is_done(path, other_times)
  # The video was replaced.
  assert not is_done(path, dataclasses.replace(SIDECAR, size=101))
  # A sidecar is written before its features have their name.
  path.unlink()
  assert not is_done(path, SIDECAR)


@pytest.mark.parametrize(
  ("field", "value"),
  [("profile", "urdmu"), ("weights", "cd" * 32), ("crops", 5), ("fps", 25.0)],
)
def test_other_features_are_refused_by_name(tmp_path, field, value):
  path = tmp_path / "a.npy"
  write(path)
  other = dataclasses.replace(SIDECAR, **{field: value})
  with pytest.raises(OutputError, match=rf"a\.npy: .*, with {field} ") as error:
    is_done(path, other)
  assert str(value) in str(error.value)


def test_features_of_unknown_origin_are_refused(tmp_path):
  path = tmp_path / "a.npy"
  np.save(path, np.zeros(3))
  with pytest.raises(OutputError, match="without a sidecar"):
    is_done(path, SIDECAR)
  sidecar_path(path).write_text("{}")
  with pytest.raises(OutputError, match=r"a\.json: is no description"):
    is_done(path, SIDECAR)
