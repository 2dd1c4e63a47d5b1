"""Feature files and arrays of frame labels: what is read, what is refused."""

import dataclasses
import json
import math
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from adplg_jax.data.schema import FEATURE_TYPES
from adplg_jax.prepare import file_contents
from adplg_jax.prepare.file_contents import NPY, NPZ, READABLE, SUFFIXES, quoted
from adplg_jax.prepare.numpy_arrays import NpyArray, NpzArray
from adplg_jax.prepare.stored_array import FeatureFileError, StoredArray
from adplg_jax.prepare.tensors import Tensor

__all__ = (
  "SUFFIXES",
  "FeatureFileError",
  "Header",
  "read_features",
  "read_flags",
  "read_header",
  "stored_bytes",
)


@dataclasses.dataclass(frozen=True)
class Header:
  """What a feature file's header says.

  Attributes:
    shape: [T, D] or [T, C, D].
    dtype: float16 | float32.
  """

  shape: tuple[int, ...]
  dtype: np.dtype


def read_header(path: Path) -> Header:
  """Reads and checks a file's header, and its size against it.

  Raises:
    FeatureFileError: It is missing, of a kind that is not read, truncated,
      empty, or of another type or shape than features have.
  """
  stored = _open(path)
  return Header(stored.shape, np.dtype(stored.dtype))


def read_features(
  path: Path,
  column: int | None = None,
  rows: tuple[int, int] | None = None,
) -> Float[np.ndarray, "t d"]:
  """Reads one crop.

  Args:
    path: A file with one float16 or float32 array, [T, D] or [T, C, D].
    column: Which crop of a [T, C, D] file.
    rows: The first of the file's rows and the one after the last, where it has
      several videos; None for all.

  Returns:
    The crop, in the file's type.

  Raises:
    FeatureFileError: The file cannot be used, has no such rows, or its values
      are not finite.
  """
  stored = _open(path)
  if (len(stored.shape) == 3) != (column is not None):
    raise FeatureFileError(
      path,
      "wrong-shape",
      f"shape is {stored.shape}; here a file has one crop, [T, D].",
    )
  start, stop = rows or (0, stored.shape[0])
  if not 0 <= start < stop <= stored.shape[0]:
    raise FeatureFileError(
      path,
      "wrong-shape",
      f"rows {start}-{stop} of {stored.shape[0]}; the first is from 0, the end "
      "beyond it and not beyond the file's rows. Correct the rows.",
    )
  array = stored.read(start, stop, column)
  if not np.isfinite(array).all():
    row = int(np.argmin(np.isfinite(array).all(axis=1)))
    raise FeatureFileError(
      path,
      "not-finite",
      f"NaN or infinity, first in snippet {row}; extract this video again.",
    )
  return array


def stored_bytes(path: Path) -> int:
  """Bytes that a file's array takes in memory, about; 0 if it is missing."""
  if not path.is_file():
    return 0
  if path.suffix.lower() == ".npz" and zipfile.is_zipfile(path):
    with zipfile.ZipFile(path) as archive:
      return sum(member.file_size for member in archive.infolist())
  return path.stat().st_size


def _open(path: Path) -> StoredArray:
  """Opens a file whose header says nothing that features cannot be."""
  stored = _open_array(path)
  if stored.dtype not in FEATURE_TYPES:
    cure = f"write np.save({quoted(path).npy}, {stored.load_float32})"
    if stored.dtype.startswith("void"):
      cure = (
        "NumPy writes types that it does not know, such as bfloat16, in this "
        "way. Where the file was made, write array.astype(np.float32)"
      )
    raise FeatureFileError(
      path,
      "wrong-dtype",
      f"dtype is {stored.dtype}; allowed: {', '.join(FEATURE_TYPES)}. To "
      f"convert it, {cure}",
    )
  if len(stored.shape) not in (2, 3):
    raise FeatureFileError(
      path,
      "wrong-shape",
      f"shape is {stored.shape}; allowed: [T, D] or [T, C, D] (snippets, "
      "crops, channels).",
    )
  if 0 in stored.shape:
    raise FeatureFileError(
      path,
      "empty",
      f"shape is {stored.shape}, no snippet; extract this video again.",
    )
  return stored


def read_flags(path: Path) -> Bool[np.ndarray, "n"]:
  """Reads an array of zeros and ones, [n], [n, 1] or [1, n].

  Raises:
    FeatureFileError: The file cannot be read, or holds something else.
  """
  name = quoted(path).npy
  try:
    stored = _open_array(path)
  except FeatureFileError as error:
    if error.kind != "object-array":
      raise
    raise FeatureFileError(
      path,
      error.kind,
      "an object array, whose pickle could run any code and is not loaded; "
      "where it was made, write the frames of all videos as one array of "
      f"numbers: np.save({name}, np.concatenate(arrays))",
    ) from error
  shape = stored.shape
  size = math.prod(shape)
  if len(shape) not in (1, 2) or size == 0 or size != max(shape):
    raise FeatureFileError(
      path,
      "wrong-shape",
      f"shape is {shape}; allowed: one value for each frame, [n], [n, 1] or "
      "[1, n].",
    )
  if not stored.dtype.startswith(("bool", "int", "uint", "float")):
    raise FeatureFileError(
      path,
      "wrong-dtype",
      f"dtype is {stored.dtype}; allowed: numbers, 0 for a normal frame and 1 "
      "for an anomalous one.",
    )
  array = stored.read(0, shape[0], None).ravel()
  if np.isin(array, (0, 1)).all():
    return array != 0
  values = np.unique(array)
  if np.isin(values, (0, 255)).all():
    raise FeatureFileError(
      path,
      "unreadable",
      f"values are 0 and 255; allowed: 0 and 1. Divide by 255: np.save({name}, "
      f"{stored.load} / 255)",
    )
  shown = ", ".join(f"{value:g}" for value in values[:3])
  more = f" and {len(values) - 3} more" if len(values) > 3 else ""
  raise FeatureFileError(
    path,
    "unreadable",
    f"values are {shown}{more}; allowed: 0 for a normal frame and 1 for an "
    "anomalous one.",
  )


def _open_array(path: Path) -> StoredArray:
  """Finds the one array of a file; its suffix must not contradict its content.

  Raises:
    FeatureFileError: It is missing, damaged, or of a kind that is not read; it
      has several arrays, or one of Python objects.
  """
  try:
    kind = file_contents.readable_kind(path)
    if kind is None:
      raise _unreadable(path)
  except FileNotFoundError as error:
    raise FeatureFileError(
      path, "missing-file", "no such file; correct its path or extract it."
    ) from error
  except OSError as error:
    raise FeatureFileError(
      path, "unreadable", f"cannot be read: {error.strerror}."
    ) from error
  suffixes = READABLE[kind]
  if path.suffix.lower() in SUFFIXES and path.suffix.lower() not in suffixes:
    renamed = json.dumps(path.with_suffix(suffixes[0]).name, ensure_ascii=False)
    raise FeatureFileError(
      path,
      "unreadable",
      f"{kind} under the suffix {path.suffix}; rename it: mv "
      f"{quoted(path).name} {renamed}",
    )
  if kind == NPY:
    return NpyArray(path)
  return NpzArray(path) if kind == NPZ else Tensor(path)


def _unreadable(path: Path) -> FeatureFileError:
  """What a file is that is not read."""
  if path.stat().st_size == 0:
    return FeatureFileError(
      path, "empty", "the file has 0 bytes; extract this video again."
    )
  return FeatureFileError(path, "unreadable", file_contents.describe(path))
