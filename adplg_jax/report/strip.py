"""The strip below a video that is played: its scores, and where one is.

It is drawn once, and only copied for each frame.
"""

import io
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from adplg_jax.report.picture import POINT
from adplg_jax.report.timeline import Timeline, clock, mark_time
from adplg_jax.scoring.intervals import IntervalRule

_CURVE, _PAPER, _INK = "#56B4E9", "#141414", "#d8d8d8"
_DOTS = 100
# Heights [pixels]: of the curve by the width, and of the line of text below.
_CURVE_SHARE, _CURVE_HEIGHTS = 0.14, (76, 130)
_TEXT = 22
# Left and right of the curve, for the numbers below it [pixels].
_MARGIN = 18
# What is still to come is this bright.
_DIM = 0.55
# Two times that are nearer than this are the same [s].
_NEAR = 1e-6


class Strip:
  """The scores of a video, to be set below its frames.

  Attributes:
    height: Its height [pixels], even.
  """

  def __init__(
    self,
    timeline: Timeline,
    rule: IntervalRule,
    width: int,
    called: str = "anomalous interval",
  ):
    """Draws the curve.

    Args:
      timeline: Scores, intervals, and times in seconds.
      rule: The thresholds.
      width: Of the strip [pixels].
      called: What an interval is called.

    Raises:
      ValueError: Its seconds are not known.
    """
    video = timeline.video
    if video.times.seconds is None:
      raise ValueError(
        f"{video.name}: the seconds of its scores are not known."
      )
    self._called = called
    self._scores = video.scores
    self._edges = video.times.seconds
    self._inside = np.zeros(len(video.scores), bool)
    for interval in timeline.intervals:
      self._inside[interval.start : interval.end] = True
    curve = int(np.clip(_CURVE_SHARE * width, *_CURVE_HEIGHTS)) // 2 * 2
    self.height = curve + _TEXT
    self._played, self._left, self._right = _curve(timeline, rule, width, curve)
    ahead = self._played.astype(np.float32) * _DIM
    self._ahead = ahead.astype(np.uint8)

  def inside(self, seconds: float) -> bool:
    """Whether a time is in an anomalous interval."""
    snippet = self._snippet(seconds)
    return snippet is not None and bool(self._inside[snippet])

  def draw(self, seconds: float) -> UInt8[np.ndarray, "h w 3"]:
    """The strip at a time [s]."""
    begin, end = float(self._edges[0]), float(self._edges[-1])
    share = np.clip((seconds - begin) / max(end - begin, _NEAR), 0, 1)
    x = round(self._left + share * (self._right - self._left))
    curve = self._ahead.copy()
    curve[:, :x] = self._played[:, :x]
    curve[:, max(x - 1, 0) : x + 1] = 255
    return np.concatenate([self._text(seconds), curve])

  def _snippet(self, seconds: float) -> int | None:
    """The snippet at a time; None before the first and after the last one."""
    index = int(np.searchsorted(self._edges, seconds + _NEAR, "right")) - 1
    return index if 0 <= index < len(self._scores) else None

  def _text(self, seconds: float) -> np.ndarray:
    """Time, score, and whether it is anomalous."""
    snippet = self._snippet(seconds)
    width = self._played.shape[1]
    image = Image.new("RGB", (width, _TEXT), _PAPER)
    pen = ImageDraw.Draw(image)
    score = "-" if snippet is None else f"{self._scores[snippet]:.2f}"
    text = f"{clock(seconds)}   score {score}"
    pen.text((6, _TEXT / 2), text, _INK, _font(), "lm")
    if snippet is not None and self._inside[snippet]:
      label = self._called.split()[0] if width < 400 else self._called
      pen.rectangle(
        (width - 12 - pen.textlength(label, _font()), 0, width, 99), POINT
      )
      pen.text((width - 6, _TEXT / 2), label, "white", _font(), "rm")
    return np.asarray(image)


@cache
def _font() -> Any:
  """The font of matplotlib."""
  path = font_manager.findfont(font_manager.FontProperties())
  return ImageFont.truetype(path, 13)


def _curve(
  timeline: Timeline, rule: IntervalRule, width: int, height: int
) -> tuple[np.ndarray, int, int]:
  """The curve as pixels, and the columns where its time begins and ends."""
  figure = Figure(
    figsize=(width / _DOTS, height / _DOTS), dpi=_DOTS, facecolor=_PAPER
  )
  left, right = _MARGIN, width - _MARGIN
  axis = figure.add_axes(
    (left / width, 20 / height, (right - left) / width, 1 - 24 / height)
  )
  _draw_scores(axis, timeline, rule, width)
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png", dpi=_DOTS, facecolor=_PAPER)
  image = Image.open(buffer).convert("RGB").resize((width, height))
  return np.asarray(image), left, right


def _draw_scores(
  axis: Axes, timeline: Timeline, rule: IntervalRule, width: int
) -> None:
  """Scores over seconds, light on dark, intervals shaded."""
  video, edges = timeline.video, timeline.video.times.seconds
  if edges is None:
    return
  for interval in timeline.intervals:
    axis.axvspan(
      edges[interval.start], edges[interval.end], color=POINT, alpha=0.6, lw=0
    )
  for level, style in ((rule.high, "--"), (rule.low, ":")):
    if np.isfinite(level):
      axis.axhline(level, ls=style, lw=0.9, color=_INK)
  axis.stairs(video.scores, edges, baseline=None, color=_CURVE, lw=1.6)
  axis.set(xlim=(edges[0], edges[-1]), ylim=(-0.04, 1.04), yticks=())
  axis.set_facecolor("#242424")
  for side in axis.spines.values():
    side.set_visible(False)
  mark_time(axis, video.times, most=max(2, width // 90))
  axis.tick_params(axis="x", labelsize=8, colors=_INK, length=2, pad=1.5)
