"""The array of a .npy file, or of an .npz archive that has one.

Object arrays are refused: they are pickles.
"""

import contextlib
import lzma
import math
import threading
import warnings
import zipfile
import zlib
from collections.abc import Iterator
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

# NumPy parses headers with `ast`, which CPython before 3.11.8 and 3.12.1 does
# not do safely in several threads ("AST constructor recursion depth mismatch").
_HEADER_LOCK = threading.Lock()
_BLOCK_BYTES = 2**20
# What reading a damaged archive raises; RuntimeError for an encrypted one.
_DAMAGE = (
  zipfile.BadZipFile,
  zlib.error,
  lzma.LZMAError,
  EOFError,
  OSError,
  RuntimeError,
  ValueError,
)


class NpyArray(StoredArray):
  """The array of a .npy file."""

  def __init__(self, path: Path):
    self.path = path
    self.load = f"np.load({quoted(path).name})"
    with path.open("rb") as file:
      self._header = _Header(path, file)
    self._header.check_size(path.stat().st_size)
    self.shape, self.dtype = self._header.shape, self._header.dtype_name

  def read(self, start: int, stop: int, column: int | None) -> np.ndarray:
    """See StoredArray."""
    header = self._header
    if column is None and not header.fortran:
      # Read, not mapped: pages of a map would count as memory too.
      row = math.prod(self.shape[1:])
      offset = header.end + start * row * header.dtype.itemsize
      shape = (stop - start, *self.shape[1:])
      array = np.fromfile(
        self.path, header.dtype, (stop - start) * row, offset=offset
      )
      return array.reshape(shape)
    order = "F" if header.fortran else "C"
    mapped = np.memmap(
      self.path, header.dtype, "r", header.end, self.shape, order
    )
    return part(mapped[start:stop], column)


class NpzArray(StoredArray):
  """The array of an .npz archive that has one."""

  def __init__(self, path: Path):
    self.path = path
    with zipfile.ZipFile(path) as archive:
      members = archive.infolist()
      names = [member.filename.removesuffix(".npy") for member in members]
      self.load = f"np.load({quoted(path).name})[{quote(names[0])}]"
      if len(members) > 1:
        raise several_arrays(
          path, names, f"np.save({quoted(path).npy}, {self.load})"
        )
      self._member = members[0]
      with _damage(self.path), archive.open(self._member) as file:
        self._header = _Header(path, file)
    self._header.check_size(self._member.file_size)
    self.shape, self.dtype = self._header.shape, self._header.dtype_name

  def read(self, start: int, stop: int, column: int | None) -> np.ndarray:
    """See StoredArray."""
    header = self._header
    with (
      _damage(self.path),
      zipfile.ZipFile(self.path) as archive,
      archive.open(self._member) as file,
    ):
      file.seek(header.end)
      if header.fortran:
        array = np.frombuffer(file.read(), header.dtype)
        array = array.reshape(self.shape, order="F")
        return part(array[start:stop], column)
      # By blocks, so that other crops are never all in memory.
      row = max(1, math.prod(self.shape[1:]) * header.dtype.itemsize)
      file.seek(start * row, 1)
      kept = self.shape[1:] if column is None else self.shape[2:]
      array = np.empty((stop - start, *kept), header.dtype)
      step = max(1, _BLOCK_BYTES // row)
      for first in range(0, stop - start, step):
        into = array[first : first + step]
        block = np.frombuffer(file.read(len(into) * row), header.dtype)
        block = block.reshape(len(into), *self.shape[1:])
        into[:] = block if column is None else block[:, column]
    return array


class _Header:
  """What the header of a .npy file says.

  Attributes:
    shape: Shape of the array.
    dtype: Its type.
    fortran: Whether its first axis varies fastest.
    end: Where its values begin [bytes].
  """

  def __init__(self, path: Path, file: Any):
    self._path = path
    read: Any = np.lib.format.read_array_header_2_0
    try:
      # Headers of Python 2 are read, with a warning.
      with _HEADER_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if np.lib.format.read_magic(file) == (1, 0):
          read = np.lib.format.read_array_header_1_0
        self.shape, self.fortran, self.dtype = read(file)
    except (zipfile.BadZipFile, zlib.error):
      raise
    except Exception as error:  # A damaged header raises almost anything.
      raise FeatureFileError(
        path, "unreadable", f"a damaged .npy header ({error}); {AGAIN}."
      ) from error
    self.end = file.tell()
    self.dtype_name = self.dtype.newbyteorder("=").name
    if self.dtype.hasobject:
      raise FeatureFileError(
        path,
        "object-array",
        "an object array, whose pickle could run any code and is not loaded; "
        "where it was made, write it as float16 or float32.",
      )

  def check_size(self, size: int) -> None:
    """Compares the size of the file with the array's.

    Raises:
      FeatureFileError: It is too small, or the shape makes no sense.
    """
    if min(self.shape, default=0) < 0:
      raise FeatureFileError(
        self._path,
        "unreadable",
        f"a damaged .npy header: {self.shape}; {AGAIN}.",
      )
    needed = self.end + math.prod(self.shape) * self.dtype.itemsize
    if size < needed:
      raise FeatureFileError(
        self._path,
        "truncated",
        f"truncated: {size} bytes, but its header says {needed}; copy or "
        "extract it again.",
      )


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
  """Names the file where reading a zip archive fails."""
  try:
    yield
  except FeatureFileError:
    raise
  except _DAMAGE as error:
    raise FeatureFileError(
      path, "unreadable", f"a damaged .npz archive ({error}); {AGAIN}."
    ) from error
