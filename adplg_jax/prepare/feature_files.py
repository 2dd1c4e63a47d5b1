"""Feature files in NumPy's .npy format, read safely: never unpickled."""

import dataclasses
import math
import threading
from pathlib import Path

import numpy as np
from jaxtyping import Float

from adplg_jax.data.schema import FEATURE_TYPES

SUFFIXES = (".npy",)

# NumPy parses headers with `ast`, which CPython before 3.11.8 and 3.12.1 does
# not do safely in several threads ("AST constructor recursion depth mismatch").
_HEADER_LOCK = threading.Lock()


class FeatureFileError(ValueError):
  """A feature file that cannot be used.

  Attributes:
    path: The file.
    kind: What is wrong, as `findings` names it.
    detail: What is wrong and what to do.
  """

  def __init__(self, path: Path, kind: str, detail: str):
    super().__init__(f"{path}: {detail}")
    self.path = path
    self.kind = kind
    self.detail = detail


@dataclasses.dataclass(frozen=True)
class Header:
  """What a feature file's header says.

  Attributes:
    shape: [T, D] or [T, C, D].
    dtype: float16 | float32.
  """

  shape: tuple[int, ...]
  dtype: np.dtype

  @property
  def crops(self) -> int:
    """Crops in the file."""
    return self.shape[1] if len(self.shape) == 3 else 1


def read_header(path: Path) -> Header:
  """Reads and checks a file's header, and its size against it.

  Raises:
    FeatureFileError: It is missing, no .npy file, truncated, empty, or of
      another type or shape than features have.
  """
  array = _open(path)
  return Header(array.shape, array.dtype)


def read_features(
  path: Path,
  column: int | None = None,
  *,
  rows: tuple[int, int] | None = None,
) -> Float[np.ndarray, "t d"]:
  """Reads one crop.

  Args:
    path: A .npy file, float16 or float32, [T, D] or [T, C, D].
    column: Which crop of a [T, C, D] file.

  Returns:
    The crop, in the file's type.

  Raises:
    FeatureFileError: The file cannot be used, or its values are not finite.
  """
  mapped = _open(path)
  if (mapped.ndim == 3) != (column is not None):
    raise FeatureFileError(
      path,
      "wrong-shape",
      f"shape is {mapped.shape}; here a file has one crop, [T, D].",
    )
  if column is not None:
    array = np.array(mapped[:, column], order="C")
  else:
    # Read, not copied: pages of a map would count as memory too.
    array = np.fromfile(path, mapped.dtype, mapped.size, offset=mapped.offset)
    order = "F" if mapped.flags.fnc else "C"
    array = np.ascontiguousarray(array.reshape(mapped.shape, order=order))
  if rows is not None:
    array = array[slice(*rows)]
  if not np.isfinite(array).all():
    row = int(np.argmin(np.isfinite(array).all(axis=1)))
    raise FeatureFileError(
      path,
      "not-finite",
      f"NaN or infinity, first in snippet {row}; extract this video again.",
    )
  return array


def _open(path: Path) -> np.memmap:
  """Maps a file's array, once all that its header says is acceptable."""
  if not path.is_file():
    raise FeatureFileError(
      path, "missing-file", "no such file; correct its path or extract it."
    )
  try:
    with _HEADER_LOCK:
      array = np.lib.format.open_memmap(path, mode="r")
  except Exception as error:  # A damaged file raises almost anything.
    raise _unreadable(path, error) from error
  if array.dtype.newbyteorder("=").name not in FEATURE_TYPES:
    raise FeatureFileError(
      path,
      "wrong-dtype",
      f"dtype is {array.dtype}; allowed: {', '.join(FEATURE_TYPES)}. Convert "
      "it with array.astype(np.float32).",
    )
  if array.ndim not in (2, 3):
    raise FeatureFileError(
      path,
      "wrong-shape",
      f"shape is {array.shape}; allowed: [T, D] or [T, C, D] (snippets, "
      "crops, channels).",
    )
  if array.size == 0:
    raise _empty(path, array.shape)
  return array


def _unreadable(path: Path, error: Exception) -> FeatureFileError:
  """Finds out why NumPy cannot map a file."""
  size = path.stat().st_size
  if size == 0:
    return FeatureFileError(
      path, "empty", "the file has 0 bytes; extract this video again."
    )
  with path.open("rb") as file, _HEADER_LOCK:
    try:
      version = np.lib.format.read_magic(file)
      if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
      else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    except Exception:
      return FeatureFileError(
        path,
        "unreadable",
        f"not an .npy file, perhaps an .npz archive ({error}); save one "
        "array with np.save.",
      )
    start = file.tell()
  if dtype.hasobject:
    return FeatureFileError(
      path,
      "object-array",
      "an object array, whose pickle could run any code; save it as float16 "
      "or float32.",
    )
  if 0 in shape:
    return _empty(path, shape)
  needed = start + math.prod(shape) * dtype.itemsize
  if min(shape, default=0) >= 0 and size < needed:
    return FeatureFileError(
      path,
      "truncated",
      f"truncated: {size} bytes, but its header says {needed}; copy or "
      "extract it again.",
    )
  return FeatureFileError(path, "unreadable", f"cannot be read: {error}.")


def _empty(path: Path, shape: tuple[int, ...]) -> FeatureFileError:
  return FeatureFileError(
    path, "empty", f"shape is {shape}, no snippet; extract this video again."
  )


def read_flags(path: Path) -> np.ndarray:
  """Reads a one-dimensional array of zeros and ones.

  Raises:
    ValueError: It is something else.
  """
  try:
    with path.open("rb") as file:
      array = np.lib.format.read_array(file, allow_pickle=False)
  except Exception as error:  # A damaged file raises almost anything.
    raise ValueError(f"cannot be read: {error}") from error
  if array.dtype.kind not in "biuf":
    raise ValueError("no array of numbers")
  array = array.squeeze()
  if array.ndim != 1 or not len(array) or not np.isin(array, (0, 1)).all():
    raise ValueError(f"shape {array.shape}: not one 0 or 1 for each frame")
  return array != 0
