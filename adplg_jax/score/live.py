"""A live video as a source of snippets: a camera, or an address."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from adplg_jax.score.follow import Chunk
from adplg_jax.scoring.streaming import StreamScorer
from adplg_jax.video.decode import VideoError
from adplg_jax.video.extraction import Ended, Extractor
from adplg_jax.video.profiles import SNIPPET_FRAMES


class LiveVideo:
  """The snippets of a video as they come, and how long they wait for scores.

  Iterating over it, once, gives a `Chunk` for each snippet.
  """

  def __init__(self, video: str, extractor: Extractor, stream: StreamScorer):
    """Opens nothing yet.

    Args:
      video: Its address, the number of a camera, or a file.
      extractor: What makes the features, of one snippet at a time.
      stream: What scores them, for the delays.
    """
    self._video = video
    self._extractor = extractor
    self._stream = stream
    # When snippets that have no score yet were decoded.
    self._waiting: list[float] = []
    self._delays: list[float] = []

  def __iter__(self) -> Iterator[Chunk]:
    """The snippets; first compiles, as a source that is open does not wait.

    Raises:
      VideoError: It cannot be used.
    """
    self._stream.warm_up(self._extractor.warm_up())
    items: Any = self._extractor.stream([self._video])
    with contextlib.closing(items):
      for item in items:
        if isinstance(item, Ended):
          for warning in item.warnings:
            print(f"note: {self._video}: {warning}", file=sys.stderr)
          if item.error:
            raise VideoError(item.error)
          return
        if not item.index:
          print(self._promise(item.end - item.start), file=sys.stderr)
        self._waiting.append(item.decoded_at)
        given = self._stream.given
        seconds = np.array([[item.start, item.end]])
        yield Chunk(item.features[None], seconds)
        # Scored by now, and written.
        self._note(self._stream.given - given)

  def _promise(self, seconds: float) -> str:
    """The delay to be expected, from the length of a snippet."""
    least = self._stream.look_ahead * seconds
    most = least + (self._stream.hop - 1) * seconds
    return (
      f"a snippet is of {SNIPPET_FRAMES} frames, {seconds:.2f} s: its score "
      f"comes {least:.1f} to {most:.1f} s after its end, and as much later as "
      "computing takes"
    )

  def _note(self, count: int) -> None:
    """Notes that the next snippets have their scores."""
    now = time.monotonic()
    self._delays += [now - then for then in self._waiting[:count]]
    del self._waiting[:count]

  def delays(self) -> str:
    """What the delays were, in words; of scores given before the end."""
    if not self._delays:
      return "no score was given before the end"
    return (
      f"delay from the end of a snippet to its score: {len(self._delays)} "
      f"scores, median {np.median(self._delays):.1f} s, longest "
      f"{max(self._delays):.1f} s"
    )
