"""One array in a file, and what may be wrong with the file."""

import abc
import json
from pathlib import Path
from typing import Any

import numpy as np

AGAIN = "copy, download or write it again"


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


class StoredArray(abc.ABC):
  """An array in a file, of which parts are read.

  Attributes:
    path: The file.
    shape: Its shape.
    dtype: Name of its type: float32, bfloat16, ...
    load: The Python expression that loads it as a NumPy array, for messages.
    load_float32: The one that loads it as float32.
  """

  path: Path
  shape: tuple[int, ...]
  dtype: str
  load: str

  @property
  def load_float32(self) -> str:
    """See the class."""
    return f"{self.load}.astype(np.float32)"

  @abc.abstractmethod
  def read(self, start: int, stop: int, column: int | None) -> np.ndarray:
    """Reads rows.

    Args:
      start: The first row.
      stop: The row after the last.
      column: Which column of them, None for all.

    Returns:
      The rows, in memory and in C order.

    Raises:
      FeatureFileError: The file is damaged.
    """


def part(array: np.ndarray, column: int | None) -> np.ndarray:
  """An array, or a column of its rows, in memory and in C order."""
  return np.array(array if column is None else array[:, column], order="C")


def quote(key: Any) -> str:
  """A key as it is written in an index."""
  return (
    json.dumps(key, ensure_ascii=False) if isinstance(key, str) else f"{key}"
  )


def several_arrays(path: Path, names: list[Any], line: str) -> FeatureFileError:
  """The error of a file with several arrays, and the line that takes one."""
  count = f"{len(names)} {'array' if len(names) == 1 else 'arrays'}"
  listed = ", ".join(map(str, names))
  return FeatureFileError(
    path,
    "unreadable",
    f"{count} by name ({listed}); a file has one: {line}",
  )
