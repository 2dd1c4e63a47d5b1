"""Scores of a video that is still to come, from a camera or an address."""

import contextlib
import csv
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from adplg_jax.score.outputs import COLUMNS, row
from adplg_jax.scoring.sequence import Times
from adplg_jax.scoring.streaming import StreamScorer
from adplg_jax.scoring.trained import TrainedScorer
from adplg_jax.video.extraction import Ended, Extractor, Snippet
from adplg_jax.video.profiles import SNIPPET_FRAMES


def follow_video(
  scorer: TrainedScorer,
  stream: StreamScorer,
  extractor: Extractor,
  address: str,
  *,
  out: Any,
  say: Callable[[str], None],
) -> bool:
  """Scores a video's snippets as they come, until it ends.

  Ctrl-C ends it, too; what is left is then scored.

  Args:
    scorer: The model.
    stream: Its stream.
    extractor: Makes the features, a snippet at a time.
    address: Of the video, a file, or the number of a camera.
    out: The text file that the csv goes to.
    say: Takes what is said beside it, the delay among it.

  Returns:
    Whether it could be read.

  Raises:
    ValueError: The features are not those of the model.
  """
  _warm_up(scorer, stream, extractor)
  say(
    f"{address}: a score comes {stream.look_ahead} to "
    f"{stream.look_ahead + stream.hop - 1} snippets of {SNIPPET_FRAMES} frames "
    f"after its own; context {stream.context} snippets"
  )
  rows = _Rows(stream, out, say)
  end = None
  items = extractor.stream([address])
  with (
    contextlib.suppress(KeyboardInterrupt),
    contextlib.closing(items),  # pyright: ignore
  ):
    for item in items:
      if isinstance(item, Ended):
        end = item
      else:
        rows.add(item)
  rows.finish(None if end is None else end.taken)
  for line in _said_of_the_end(address, end):
    say(line)
  return end is None or not end.error


def _warm_up(
  scorer: TrainedScorer, stream: StreamScorer, extractor: Extractor
) -> None:
  """Compiles, before the first frames wait.

  Raises:
    ValueError: The features are not those of the model.
  """
  features = extractor.warm_up()
  window = np.repeat(features[:, None], stream.hop + stream.look_ahead, axis=1)
  scorer.score_crops(window)


class _Rows:
  """Snippets that came, and the rows of those whose score is known."""

  def __init__(
    self, stream: StreamScorer, out: Any, say: Callable[[str], None]
  ):
    """Writes the columns' names."""
    self._stream, self._out, self._say = stream, out, say
    self._writer = csv.writer(out, lineterminator="\n")
    self._writer.writerow(COLUMNS)
    out.flush()
    # Start and end of snippets without a score [s], and of the first one.
    self._times: list[tuple[float, float]] = []
    self._begin: tuple[float, float] | None = None
    self._delays: list[float] = []

  def add(self, snippet: Snippet) -> None:
    """Takes a snippet, and writes what is known now."""
    if self._begin is None:
      # When the video's time was 0, on this clock.
      now, length = time.monotonic(), snippet.end - snippet.start
      self._begin = now - snippet.end, length
      least = self._stream.look_ahead * length
      most = (self._stream.look_ahead + self._stream.hop - 1) * length
      self._say(
        f"a snippet takes {length:.2f} s, so that is a delay of {least:.1f} to "
        f"{most:.1f} s, and the time of its computation"
      )
    self._times.append((snippet.start, snippet.end))
    first = self._stream.given
    self._write(self._stream.push(snippet.features[None]), first)

  def finish(self, taken: int | None) -> None:
    """Scores what is left, and says what the delay was.

    Args:
      taken: Frames of the whole video, if that is known.
    """
    if self._delays and self._begin is not None:
      middle, most = np.median(self._delays), max(self._delays)
      self._say(
        f"measured delay of {len(self._delays)} scores after their snippets' "
        f"end: {middle:.2f} s in the middle, {most:.2f} s at most; 0 is the "
        "first snippet's arrival"
      )
    first = self._stream.given
    self._write(self._stream.finish(), first, taken)

  def _write(
    self, scores: np.ndarray, first: int, taken: int | None = None
  ) -> None:
    """Writes rows of the next snippets."""
    count = len(scores)
    if not count:
      return
    known, self._times = self._times[:count], self._times[count:]
    frames = np.arange(first, first + count + 1) * SNIPPET_FRAMES
    if taken is not None:
      # A tail that repeats the last frame has fewer.
      frames[-1] = min(int(frames[-1]), taken)
    seconds = np.array([*(start for start, _ in known), known[-1][1]])
    times = Times(frames, seconds)
    for index, score in enumerate(scores):
      self._writer.writerow(row(times, index, score, first=first))
    self._out.flush()
    if taken is None and self._begin is not None:
      now = time.monotonic() - self._begin[0]
      self._delays += [now - end for _, end in known]


def _said_of_the_end(address: str, end: Ended | None) -> list[str]:
  """Why it ended, and how fast it was."""
  if end is None:
    return [f"{address}: stopped"]
  lines = [f"note: {address}: {warning}" for warning in end.warnings]
  if end.error:
    return [*lines, f"error: {end.error}"]
  spent = end.spent
  return [
    *lines,
    f"{address}: ended after {end.taken} frames; features took "
    f"{spent.features:.1f} s",
  ]
