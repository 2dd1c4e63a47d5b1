"""Scores of features that are still being written, a line as each is known."""

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from adplg_jax.score.outputs import COLUMNS, row
from adplg_jax.score.rows import read_rows, wait_for_more
from adplg_jax.scoring.sequence import Times
from adplg_jax.scoring.streaming import StreamScorer
from adplg_jax.scoring.trained import TrainedScorer


def follow(
  scorer: TrainedScorer,
  stream: StreamScorer,
  path: str,
  form: str,
  *,
  crops: int = 1,
  idle_seconds: float | None = None,
  frames_per_snippet: int,
  fps: float | None,
  out: Any,
) -> None:
  """Scores rows of a growing file or of standard input until they end.

  Ctrl-C ends them, too; what is left is then scored.

  Args:
    scorer: The model.
    stream: Its stream.
    path: The file; - for standard input.
    form: See `read_rows`.
    crops: C.
    idle_seconds: See `wait_for_more`.
    frames_per_snippet: Frames from one snippet's start to the next one's.
    fps: Frames in a second, None where that is not known.
    out: The text file that the csv goes to.

  Raises:
    OSError: The file cannot be read.
    ValueError: A row cannot be used.
  """
  writer = csv.writer(out, lineterminator="\n")
  writer.writerow(COLUMNS)

  def write(scores: np.ndarray, first: int) -> None:
    edges = np.arange(first, first + len(scores) + 1) * frames_per_snippet
    times = Times(edges, None if fps is None else edges / fps)
    for index, score in enumerate(scores):
      writer.writerow(row(times, index, score, first=first))
    out.flush()

  try:
    for rows in _rows(path, form, scorer, crops, idle_seconds):
      first = stream.given
      write(stream.push(rows), first)
  except KeyboardInterrupt:
    pass
  first = stream.given
  write(stream.finish(), first)


def _rows(
  path: str,
  form: str,
  scorer: TrainedScorer,
  crops: int,
  idle_seconds: float | None,
) -> Iterator[np.ndarray]:
  """The rows of a file or of standard input."""
  width = scorer.model.feature_width
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
