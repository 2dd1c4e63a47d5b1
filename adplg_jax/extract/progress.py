"""How far an extraction is: time left, and how fast beside real time."""

import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

from adplg_jax.extract.videos import NamedVideo

_FORMAT = "{percentage:3.0f}%|{bar:20}| {elapsed}<{remaining}{postfix} {desc}"


class Progress:
  """A bar over the bytes of all videos.

  Within a video it goes by the duration that its header says.

  Attributes:
    seconds: Of video, of which the features are there.
  """

  def __init__(self, videos: Sequence[NamedVideo]):
    """Shows the bar.

    Args:
      videos: What is to be extracted.
    """
    sizes = [video.size or 0 for video in videos]
    # An address counts as much as a file does in the mean.
    mean = sum(sizes) / max(1, sum(map(bool, sizes))) or 1
    self._sizes = {
      video.video: size or mean
      for video, size in zip(videos, sizes, strict=True)
    }
    self._begin = time.monotonic()
    self._ended_seconds = self._ended_bytes = self._promised = 0.0
    self.seconds = 0.0
    self._bar = tqdm(
      total=sum(self._sizes.values()), bar_format=_FORMAT, mininterval=0.5
    )

  def start(self, name: str, promised: float) -> None:
    """Says which video is next.

    Args:
      name: What is shown.
      promised: Its duration, 0 where that is not known [s].
    """
    self._promised = promised
    self._bar.set_description_str(name, refresh=False)
    self._show(0.0, 0.0)

  def at(self, video: str, seconds: float) -> None:
    """Says that its features are there up to a time [s]."""
    share = min(1.0, seconds / self._promised) if self._promised else 0.0
    self._show(seconds, share * self._sizes[video])

  def end(self, video: str, seconds: float) -> None:
    """Says that a video ended, at a time [s]; 0 if it could not be used."""
    self._ended_seconds += seconds
    self._ended_bytes += self._sizes[video]
    self._show(0.0, 0.0)

  def _show(self, seconds: float, size: float) -> None:
    """Moves the bar, not back, and says how fast it was so far."""
    self.seconds = self._ended_seconds + seconds
    self._bar.set_postfix_str(f"{self.speed:.2f}x real time", refresh=False)
    self._bar.update(max(0.0, self._ended_bytes + size - self._bar.n))

  @property
  def speed(self) -> float:
    """Seconds of video in a second."""
    return self.seconds / max(1e-9, time.monotonic() - self._begin)

  def write(self, line: str) -> None:
    """Prints a line above the bar."""
    self._bar.write(line, file=sys.stderr)

  def close(self) -> None:
    """Removes the bar."""
    self._bar.close()
