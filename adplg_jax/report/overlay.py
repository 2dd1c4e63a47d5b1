"""Frames of a video with the strip of its scores below."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from adplg_jax.report.picture import POINT
from adplg_jax.report.strip import Strip
from adplg_jax.report.timeline import Timeline
from adplg_jax.scoring.intervals import IntervalRule

# Longest side of a frame, and width that a strip needs at least [pixels].
_LONGEST, _LEAST_WIDTH = 1280, 320
_ORANGE = tuple(int(POINT[at : at + 2], 16) for at in (1, 3, 5))


class Overlay:
  """Draws scores below the frames of a video, and a frame around intervals."""

  def __init__(
    self,
    timeline: Timeline,
    rule: IntervalRule,
    size: tuple[int, int],
    called: str = "anomalous interval",
  ):
    """Draws the strip.

    Args:
      timeline: The video's scores, intervals and times.
      rule: The thresholds.
      size: Height and width of its frames [pixels].
      called: What an interval is called.

    Raises:
      ValueError: The seconds of its scores are not known.
    """
    self._size = fitting(size, least_width=_LEAST_WIDTH)
    width = max(self._size[1], _LEAST_WIDTH)
    self._strip = Strip(timeline, rule, width, called)

  def draw(
    self, image: UInt8[np.ndarray, "h w 3"], seconds: float
  ) -> UInt8[np.ndarray, "a b 3"]:
    """A frame with what belongs to its time [s]; all have the same size."""
    image = resize(image, self._size)
    strip = self._strip.draw(seconds)
    (height, width), whole = self._size, strip.shape[1]
    drawn = np.zeros((height + self._strip.height, whole, 3), np.uint8)
    left = (whole - width) // 2
    drawn[:height, left : left + width] = image
    if self._strip.inside(seconds):
      edge = max(2, min(height, width) // 90)
      drawn[:edge] = drawn[height - edge : height] = _ORANGE
      drawn[:height, :edge] = drawn[:height, -edge:] = _ORANGE
    drawn[height:] = strip
    return drawn


def fitting(size: tuple[int, int], *, least_width: int = 0) -> tuple[int, int]:
  """Height and width, both even, of a frame as it is written.

  Args:
    size: As it is.
    least_width: Narrower ones are made larger, as far as they fit.

  Returns:
    The size; the longest side is 1280 at most.
  """
  height, width = size
  scale = min(max(1.0, least_width / width), _LONGEST / max(height, width))
  height, width = (max(2, round(x * scale / 2) * 2) for x in size)
  return height, width


def resize(
  image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "a b 3"]:
  """A frame in another size."""
  if image.shape[:2] == size:
    return image
  picture = Image.fromarray(image).resize(
    (size[1], size[0]), Image.Resampling.BILINEAR
  )
  return np.asarray(picture)
