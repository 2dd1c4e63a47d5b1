"""Frames of a video above the curve of its scores, each tied to its peak."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.offsetbox import (
  AnnotationBbox,
  OffsetImage,
  TextArea,
  VPacker,
)
from PIL import Image

from adplg_jax.report.picture import POINT

# Largest height and width, and the distance of two of them [inches].
_HEIGHT, _WIDTH, _GAP = 1.3, 2.1, 0.12
# Width that the text above one needs [inches].
_LEAST = 2.0
# Pixels in an inch.
_DOTS = 220


class Thumbnail(NamedTuple):
  """A frame at a peak.

  Attributes:
    image: RGB, uint8 [height, width, 3].
    seconds: Where the peak is, on the axis of time [s].
    score: The peak.
    text: What stands above it; a line, or two.
  """

  image: UInt8[np.ndarray, "h w 3"]
  seconds: float
  score: float
  text: str


def shrink(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "a b 3"]:
  """A frame as small as it is shown."""
  height, width = image.shape[:2]
  scale = min(_HEIGHT * _DOTS / height, _WIDTH * _DOTS / width)
  size = max(1, round(width * scale)), max(1, round(height * scale))
  return np.asarray(Image.fromarray(image).resize(size))


def place_thumbnails(
  above: Axes, scores: Axes, thumbnails: Sequence[Thumbnail]
) -> None:
  """Puts frames over their times, beside each other, with lines to the peaks.

  Args:
    above: The axis that they are on, which is emptied.
    scores: The axis of the scores.
    thumbnails: In order of time.
  """
  above.set_axis_off()
  figure = above.figure
  # The layout is known after that; then it must not change any more.
  figure.draw_without_rendering()  # pyright: ignore
  figure.set_layout_engine("none")  # pyright: ignore
  inches = above.get_window_extent().transformed(
    figure.dpi_scale_trans.inverted()
  )
  begin, end = scores.get_xlim()
  span = inches.width
  wanted = [(own.seconds - begin) / (end - begin) * span for own in thumbnails]
  images = [shrink(own.image) for own in thumbnails]
  widths = [max(image.shape[1] / _DOTS, _LEAST) + _GAP for image in images]
  centres = spread(np.array(wanted), np.array(widths), span)
  for own, image, centre in zip(thumbnails, images, centres, strict=True):
    lines = [
      TextArea(line, textprops={"size": 7.5, "color": "0.2"})
      for line in own.text.split("\n")
    ]
    packed = VPacker(
      children=[*lines, OffsetImage(image, zoom=72 / _DOTS)],
      align="center",
      pad=0,
      sep=2,
    )
    artist = AnnotationBbox(
      packed,
      (own.seconds, own.score),
      xycoords=scores.transData,
      xybox=(centre / span, 0.0),
      boxcoords=above.transAxes,
      box_alignment=(0.5, 0.0),
      frameon=False,
      pad=0.1,
      arrowprops={
        "arrowstyle": "-",
        "color": POINT,
        "lw": 0.9,
        "relpos": (0.5, 0),
        "shrinkA": 0,
        "shrinkB": 0,
      },
      annotation_clip=False,
    )
    # It is above the scores, whichever axis is drawn last.
    figure.add_artist(artist)


def spread(
  wanted: Float[np.ndarray, "n"], widths: Float[np.ndarray, "n"], span: float
) -> Float[np.ndarray, "n"]:
  """Places beside each other, near to where they should be.

  Args:
    wanted: Where the centres should be, in order.
    widths: How much room each takes.
    span: They are between 0 and this, as far as there is room.

  Returns:
    The centres, in the same order.
  """
  centres = np.array(wanted, float)
  edge = 0.0
  for index, width in enumerate(widths):
    centres[index] = max(centres[index], edge + width / 2)
    edge = centres[index] + width / 2
  edge = max(span, float(widths.sum()))
  for index in reversed(range(len(widths))):
    half = widths[index] / 2
    centres[index] = min(centres[index], edge - half)
    edge = centres[index] - half
  return centres
