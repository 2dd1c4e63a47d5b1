"""The tensor of a PyTorch file, loaded as weights only; PyTorch is optional."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from adplg_jax.prepare.file_contents import quoted
from adplg_jax.prepare.stored_array import (
  AGAIN,
  FeatureFileError,
  StoredArray,
  part,
  quote,
  several_arrays,
)


class Tensor(StoredArray):
  """The tensor of a PyTorch file."""

  def __init__(self, path: Path):
    name, npy, _ = quoted(path)
    self.path = path
    torch = _import_torch(path)
    # Files of old versions cannot be mapped.
    mapped = zipfile.is_zipfile(path)
    try:
      loaded = torch.load(
        str(path), map_location="cpu", weights_only=True, mmap=mapped
      )
    except pickle.UnpicklingError as error:
      raise FeatureFileError(
        path,
        "object-array",
        "more than tensors, whose pickle could run any code and is not loaded; "
        "where it was made, write torch.save(torch.as_tensor(features), "
        f"{name})",
      ) from error
    except Exception as error:  # A damaged file raises almost anything.
      # Advice on how to load it anyhow follows.
      reason = str(error).split(". ")[0] or type(error).__name__
      raise FeatureFileError(
        path, "unreadable", f"a damaged PyTorch file ({reason}); {AGAIN}."
      ) from error
    if isinstance(loaded, dict):
      keys = [key for key in loaded if isinstance(loaded[key], torch.Tensor)]
      load = f"torch.load({name})[{quote(keys[0]) if keys else 'KEY'}]"
      raise several_arrays(path, list(loaded), f"torch.save({load}, {name})")
    if not isinstance(loaded, torch.Tensor) or loaded.layout != torch.strided:
      raise FeatureFileError(
        path,
        "unreadable",
        f"a PyTorch file of {type(loaded).__name__}, not of one dense tensor; "
        f"write np.save({npy}, features)",
      )
    self._tensor = loaded.detach()
    self.load = f"torch.load({name}).numpy()"
    self.shape = tuple(loaded.shape)
    self.dtype = str(loaded.dtype).removeprefix("torch.")

  @property
  def load_float32(self) -> str:
    """See StoredArray."""
    return self.load.replace(".numpy", ".float().numpy")

  def read(self, start: int, stop: int, column: int | None) -> np.ndarray:
    """See StoredArray."""
    return part(self._tensor[start:stop].numpy(), column)


def _import_torch(path: Path) -> Any:
  try:
    import torch
  except ImportError as error:
    raise FeatureFileError(
      path,
      "unreadable",
      "a PyTorch file, which PyTorch is needed to read: pip install "
      "adplg_jax[torch]",
    ) from error
  return torch
