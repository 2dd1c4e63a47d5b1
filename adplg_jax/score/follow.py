"""Scores of what is still being written or filmed, a line as each is known."""

import csv
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from adplg_jax.score.outputs import COLUMNS, row
from adplg_jax.scoring.sequence import Times
from adplg_jax.scoring.streaming import StreamScorer


class Chunk(NamedTuple):
  """Snippets that came together.

  Attributes:
    features: Of one snippet or more.
    seconds: Where each begins and ends; None where that is not known.
  """

  features: Float[np.ndarray, "n c d"]
  seconds: Float[np.ndarray, "n 2"] | None


def follow(
  stream: StreamScorer,
  chunks: Iterable[Chunk],
  out: Any,
  *,
  frames_per_snippet: int,
) -> None:
  """Scores snippets as they come, until they end.

  Ctrl-C ends them, too; what is left is then scored.

  Args:
    stream: The model's stream.
    chunks: The snippets.
    out: The text file that the csv goes to.
    frames_per_snippet: Frames from one snippet's start to the next one's.

  Raises:
    OSError: The source cannot be read.
    ValueError: A snippet cannot be used.
  """
  writer = csv.writer(out, lineterminator="\n")
  writer.writerow(COLUMNS)
  # Of the snippets that have no score yet.
  seconds: list[np.ndarray] = []

  def write(scores: np.ndarray, first: int) -> None:
    frames = np.arange(first, first + len(scores) + 1) * frames_per_snippet
    own = None
    if seconds and len(scores):
      starts, ends = np.array(seconds[: len(scores)]).T
      own = np.append(starts, ends[-1])
      del seconds[: len(scores)]
    for index, score in enumerate(scores):
      writer.writerow(row(Times(frames, own), index, score, first=first))
    out.flush()

  try:
    for chunk in chunks:
      if chunk.seconds is not None:
        seconds.extend(chunk.seconds)
      first = stream.given
      write(stream.push(chunk.features), first)
  except KeyboardInterrupt:
    pass
  first = stream.given
  write(stream.finish(), first)
