"""Timelines of scored videos: score, thresholds, anomalous intervals."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from adplg_jax.report.picture import (
  POINT,
  SCORE,
  TRUTH,
  note_lacking,
  shorten,
)
from adplg_jax.report.thumbnails import Thumbnail, place_thumbnails
from adplg_jax.run.files import write_atomically
from adplg_jax.scoring.intervals import Interval, IntervalRule
from adplg_jax.scoring.sequence import ScoredSequence, Times

_LONGEST_NAME = 70
_MOST_TICKS = 12
# Height of the bars that repeat the intervals below the scores.
_BAR = -0.05
# Distances of marks on an axis of seconds.
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)


class Timeline(NamedTuple):
  """What is drawn of a video.

  Attributes:
    video: Its scores and times.
    intervals: Its anomalous intervals.
  """

  video: ScoredSequence
  intervals: Sequence[Interval]


def clock(seconds: float) -> str:
  """Seconds as min:s, or h:min:s from one hour on; parts of them cut off."""
  minutes, seconds = divmod(int(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  if hours:
    return f"{hours}:{minutes:02}:{seconds:02}"
  return f"{minutes}:{seconds:02}"


def place(times: Times, snippet: int) -> str:
  """Where a snippet begins, as min:s, or as a frame without seconds."""
  if times.seconds is None:
    return str(int(times.frames[snippet]))
  return clock(float(times.seconds[snippet]))


def draw(
  path: str | Path,
  timelines: Sequence[Timeline],
  rule: IntervalRule,
  heading: str = "",
  *,
  interval: str = "anomalous interval",
  thumbnails: Sequence[Thumbnail] = (),
  note: str = "",
) -> None:
  """Draws videos one below the other into one PNG.

  Args:
    path: The file.
    timelines: The videos, at least one.
    rule: The thresholds.
    heading: What stands above.
    interval: What an interval is called.
    thumbnails: Frames that are shown above the scores; of one video alone.
    note: What stands at the bottom.
  """
  note_lacking("".join(timeline.video.name for timeline in timelines))
  count = len(timelines)
  size = [2.6] if count == 1 else [1.55] * count
  if thumbnails:
    size.insert(0, 1.8)
  figure = Figure(figsize=(12.5, 1.0 + sum(size)), layout="constrained")
  figure.get_layout_engine().set(h_pad=0.06)  # pyright: ignore
  if heading:
    figure.suptitle(heading, x=0.01, ha="left", fontsize=13)
  axes = figure.subplots(
    len(size), 1, squeeze=False, height_ratios=size if thumbnails else None
  )[:, 0]
  above, axes = axes[0], axes[-count:]
  for axis, timeline in zip(axes, timelines, strict=True):
    _draw_timeline(axis, timeline, rule, interval)
    _entitle(above if thumbnails else axis, timeline)
  seconds = timelines[-1].video.times.seconds is not None
  axes[-1].set_xlabel("time [min:s]" if seconds else "frame", fontsize=9)
  entries = {
    label: handle
    for axis in axes
    for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
  }
  figure.legend(
    entries.values(),
    entries.keys(),
    loc="outside lower right",
    ncols=len(entries),
    frameon=False,
  )
  figure.text(0.008, 0.02, note, fontsize=8, color="0.35")
  if thumbnails:
    place_thumbnails(above, axes[0], thumbnails)
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png", dpi=110)
  write_atomically(path, buffer.getvalue())


def _draw_timeline(
  axis: Axes, timeline: Timeline, rule: IntervalRule, called: str
) -> None:
  """Scores over time, intervals shaded, true spans as a bar at the top."""
  video, times = timeline.video, timeline.video.times
  edges = times.frames if times.seconds is None else times.seconds
  for interval in timeline.intervals:
    axis.axvspan(
      edges[interval.start],
      edges[interval.end],
      color=POINT,
      alpha=0.22,
      lw=0,
      label=called,
    )
    # However short it is, it can be seen.
    axis.plot(
      (edges[interval.start], edges[interval.end]),
      (_BAR, _BAR),
      color=POINT,
      lw=3,
      solid_capstyle="projecting",
    )
  for start, end in (video.truth and video.truth.spans) or ():
    axis.axvspan(
      *_at(times, (start, end)),
      ymin=0.93,
      color=TRUTH,
      lw=0,
      label="true span",
    )
  axis.stairs(
    video.scores, edges, baseline=None, color=SCORE, lw=1.4, label="score"
  )
  for level, style, label in (
    (rule.high, "--", "threshold that opens an interval"),
    (rule.low, ":", "that keeps it"),
  ):
    if np.isfinite(level):
      axis.axhline(level, ls=style, lw=1, color=POINT, label=label)
  axis.set(
    xlim=(edges[0], edges[-1]),
    ylim=(-0.1, 1.1),
    yticks=(0, 0.5, 1),
    ylabel="score",
  )
  axis.grid(axis="x", color="0.92")
  axis.set_axisbelow(True)
  mark_time(axis, times)


def _entitle(axis: Axes, timeline: Timeline) -> None:
  """Name and summary above an axis."""
  axis.set_title(
    shorten(timeline.video.name, _LONGEST_NAME),
    fontsize=9.5,
    loc="left",
    parse_math=False,
  )
  axis.set_title(_summary(timeline), fontsize=9, loc="right", color="0.3")


def _summary(timeline: Timeline) -> str:
  """The peak and its place, and how many intervals there are."""
  video, count = timeline.video, len(timeline.intervals)
  where = place(video.times, video.peak_snippet)
  unit = "frame " if video.times.seconds is None else ""
  intervals = "1 interval" if count == 1 else f"{count or 'no'} intervals"
  return f"peak {video.peak:.3f} at {unit}{where} · {intervals}"


def _at(times: Times, frames: Sequence[int]) -> np.ndarray:
  """Frames on the axis of a timeline."""
  if times.seconds is None:
    return np.asarray(frames, float)
  return np.interp(frames, times.frames, times.seconds)


def mark_time(axis: Axes, times: Times, most: int = _MOST_TICKS) -> None:
  """Marks round times in min:s, or frames where seconds are not known.

  Args:
    axis: Where.
    times: Of the video.
    most: About how many marks there may be.
  """
  if times.seconds is None:
    axis.xaxis.set_major_locator(MaxNLocator(most, integer=True))
  else:
    duration = float(times.seconds[-1])
    step = next(
      (step for step in _TICKS if duration / step <= most),
      3600 * (1 + int(duration / 3600 / most)),
    )
    axis.xaxis.set_major_locator(MultipleLocator(step))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x)))
  axis.tick_params(axis="x", labelsize=8)
