"""What is drawn of scored videos, and what was."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from adplg_jax.report.thumbnails import Thumbnail
from adplg_jax.scoring.intervals import Interval

# What names of classes mean.
LOOKS = (
  "what the snippet looks like to a classifier of Kinetics-400, not what the "
  "anomaly is"
)


@dataclasses.dataclass(frozen=True)
class Plan:
  """What is drawn of scored videos.

  Attributes:
    videos: Of how many, those with the highest peaks.
    clips: Intervals of each that get a clip, those with the highest peaks.
    overlay: Whether the whole video is written with its scores.
  """

  videos: int = 10
  clips: int = 3
  overlay: bool = True


class Clip(NamedTuple):
  """A clip of an interval.

  Attributes:
    path: Its file.
    interval: The interval.
    start: Where it begins in the video [s].
    end: Where it ends [s].
  """

  path: Path
  interval: Interval
  start: float
  end: float


class Drawn(NamedTuple):
  """What was drawn of a video.

  Attributes:
    thumbnails: Frames at the highest peaks, in order of time.
    overlay: The video with its scores, None for none.
    clips: Clips of intervals, in order of time.
    notes: What could not be kept of its sound.
    seconds: How long that took.
  """

  thumbnails: tuple[Thumbnail, ...] = ()
  overlay: Path | None = None
  clips: tuple[Clip, ...] = ()
  notes: tuple[str, ...] = ()
  seconds: float = 0.0
