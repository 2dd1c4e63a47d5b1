"""Rows of features that come one after the other: a pipe, a growing file."""

import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from adplg_jax.score.follow import Chunk

FORMS = ("text", "float32")
_TEXT_SUFFIXES = (".csv", ".txt")
_READ_BYTES = 2**20
_PAUSE_SECONDS = 0.2


def form_of(path: str) -> str:
  """The form of a file's rows by its suffix; text on standard input.

  Raises:
    ValueError: A file that cannot grow.
  """
  suffix = Path(path).suffix.lower()
  if suffix in (".npy", ".npz", ".pt", ".pth"):
    raise ValueError(
      f"{path} is of a kind that cannot grow, as it begins with its length; "
      "write rows of text (.csv) or of float32 values (any other suffix), or "
      "score the finished file with --features."
    )
  return "text" if path == "-" or suffix in _TEXT_SUFFIXES else "float32"


def follow_rows(
  path: str,
  form: str,
  *,
  width: int,
  crops: int = 1,
  idle_seconds: float | None = None,
  seconds_per_snippet: float | None = None,
) -> Iterator[Chunk]:
  """The rows of a growing file or of standard input, as they come.

  Args:
    path: The file; - for standard input.
    form: See `read_rows`.
    width: D.
    crops: C.
    idle_seconds: See `wait_for_more`.
    seconds_per_snippet: From one snippet's start to the next one's; None where
      that is not known.

  Raises:
    OSError: The file cannot be read.
    ValueError: There is no file, or a row cannot be used.
  """
  first = 0
  for rows in _rows(path, form, width, crops, idle_seconds):
    seconds = None
    if seconds_per_snippet is not None:
      edges = np.arange(first, first + len(rows) + 1) * seconds_per_snippet
      seconds = np.stack([edges[:-1], edges[1:]], axis=1)
    yield Chunk(rows, seconds)
    first += len(rows)


def _rows(
  path: str, form: str, width: int, crops: int, idle_seconds: float | None
) -> Iterator[np.ndarray]:
  """The rows of a file or of standard input."""
  if path == "-":
    source = sys.stdin.buffer
    if not isinstance(source, io.BufferedReader):
      raise OSError("standard input cannot be read")
    yield from read_rows(source, form, width=width, crops=crops)
    return
  if not Path(path).is_file():
    raise ValueError(
      f"--follow names {path!r}, but there is no such file; begin to write it "
      "first, or give - for standard input."
    )
  with open(path, "rb") as file:
    wait = wait_for_more(Path(path), idle_seconds)
    yield from read_rows(file, form, width=width, crops=crops, wait=wait)


def wait_for_more(
  path: Path, idle_seconds: float | None
) -> Callable[[float], bool]:
  """What to do at the end of a growing file: wait, or give up.

  Args:
    path: The file.
    idle_seconds: How long it may stay as it is, None for any time.

  Returns:
    A function of the seconds since the last rows; false to give up.
  """

  def wait(idle: float) -> bool:
    if not path.exists() or (idle_seconds is not None and idle >= idle_seconds):
      return False
    time.sleep(_PAUSE_SECONDS)
    return True

  return wait


def read_rows(
  file: io.BufferedIOBase,
  form: str,
  *,
  width: int,
  crops: int = 1,
  wait: Callable[[float], bool] = lambda idle: False,
) -> Iterator[Float[np.ndarray, "n c d"]]:
  """Reads rows as they come; a row is complete before it is given.

  Args:
    file: Where from, opened without text encoding.
    form: "text": a line of numbers a snippet, separated by blanks or commas;
      "float32": these values as they are in memory, little-endian.
    width: D.
    crops: C; a row has C x D numbers, one crop after the other.
    wait: Called at the end with the seconds since the last bytes; true to try
      again.

  Yields:
    One snippet or more.

  Raises:
    ValueError: A row has another number of numbers, or the last is incomplete.
  """
  parse = _parse_text if form == "text" else _parse_float32
  rest, done, last = b"", 0, time.monotonic()
  while True:
    # What there is: a pipe is not waited for until a block is full.
    block = file.read1(_READ_BYTES)
    if not block:
      if wait(time.monotonic() - last):
        continue
      break
    last = time.monotonic()
    rows, rest = parse(rest + block, crops * width, done)
    done += len(rows)
    if len(rows):
      yield rows.reshape(-1, crops, width)
  if form == "text" and rest.strip():
    # The last line may lack its end.
    rows, rest = _parse_text(rest + b"\n", crops * width, done)
    yield rows.reshape(-1, crops, width)
  if rest:
    raise ValueError(
      f"row {done} ends after {len(rest)} bytes; a row has {crops} x {width} "
      f"float32 values, {4 * crops * width} bytes."
    )


def _parse_float32(
  data: bytes, size: int, done: int
) -> tuple[np.ndarray, bytes]:
  """Complete rows, and the bytes of one that is not."""
  del done
  end = len(data) // (4 * size) * 4 * size
  rows = np.frombuffer(data[:end], "<f4").astype(np.float32)
  return rows.reshape(-1, size), data[end:]


def _parse_text(data: bytes, size: int, done: int) -> tuple[np.ndarray, bytes]:
  """Complete lines, and the bytes of one that is not.

  Raises:
    ValueError: Naming the row.
  """
  *lines, rest = data.split(b"\n")
  rows = []
  for line in lines:
    words = line.replace(b",", b" ").split()
    if not words:
      continue
    try:
      row = np.array([float(word) for word in words], np.float32)
    except ValueError as error:
      raise ValueError(
        f"row {done + len(rows)} is no row of numbers: {line[:60]!r}."
      ) from error
    if len(row) != size:
      raise ValueError(
        f"row {done + len(rows)} has {len(row)} numbers; the model needs "
        f"{size}: those of one crop, or of each of --crops crops."
      )
    rows.append(row)
  return np.array(rows, np.float32).reshape(-1, size), rest
