"""PyTorch files: tensors alone are loaded, and only with PyTorch."""

import sys

import numpy as np
import pytest

from adplg_jax.prepare import tensors
from adplg_jax.prepare.stored_array import FeatureFileError

torch = pytest.importorskip("torch")
X = torch.arange(120, dtype=torch.float32).reshape(10, 4, 3)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_reads_rows_and_columns(tmp_path, old, dtype):
  path = tmp_path / "v.pt"
  x = torch.nn.Parameter(X.to(dtype).transpose(0, 1).contiguous())
  torch.save(x.transpose(0, 1), path, _use_new_zipfile_serialization=not old)
  stored = tensors.Tensor(path)
  assert (stored.shape, stored.dtype) == ((10, 4, 3), str(dtype)[6:])
  part = stored.read(2, 9, 1)
  np.testing.assert_array_equal(part, X[2:9, 1])
  assert part.flags.c_contiguous
  np.testing.assert_array_equal(stored.read(0, 10, None), X)


def test_the_type_of_a_tensor_is_named(tmp_path):
  torch.save(X.bfloat16(), tmp_path / "v.pt")
  stored = tensors.Tensor(tmp_path / "v.pt")
  assert stored.dtype == "bfloat16"
  assert stored.load_float32 == 'torch.load("v.pt").float().numpy()'


OTHERS = {
  "dict": (
    {"rgb": X, "fps": 30},
    r"2 arrays by name \(rgb, fps\); a file has one: "
    r'torch.save\(torch.load\("v.pt"\)\["rgb"\], "v.pt"\)',
  ),
  "list": ([X], "a PyTorch file of list, not of one dense tensor"),
  "sparse": (torch.eye(3).to_sparse(), "not of one dense tensor"),
  "numpy": (np.ones(3), r"more than tensors, .*torch.save\(torch.as_tensor"),
  "module": (torch.nn.Linear(2, 2), "more than tensors, whose pickle could"),
}


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("what", OTHERS)
def test_other_things_are_refused(tmp_path, what, old):
  value, message = OTHERS[what]
  path = tmp_path / "v.pt"
  torch.save(value, path, _use_new_zipfile_serialization=not old)
  with pytest.raises(FeatureFileError, match=message):
    tensors.Tensor(path)


@pytest.mark.parametrize("old", [False, True])
def test_damage_is_named(tmp_path, old):
  path = tmp_path / "v.pt"
  torch.save(X, path, _use_new_zipfile_serialization=not old)
  path.write_bytes(path.read_bytes()[:-50])
  with pytest.raises(FeatureFileError, match="a damaged PyTorch file"):
    tensors.Tensor(path)


def test_without_pytorch_the_cure_is_said(tmp_path, monkeypatch):
  torch.save(X, tmp_path / "v.pt")
  monkeypatch.setitem(sys.modules, "torch", None)
  with pytest.raises(FeatureFileError, match=r"pip install adplg_jax\[torch\]"):
    tensors.Tensor(tmp_path / "v.pt")
