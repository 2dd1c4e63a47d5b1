"""The second pass over a video: overlay, clips, and frames at the peaks."""

import contextlib
import functools
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from adplg_jax.report.overlay import Overlay, fitting, resize
from adplg_jax.report.thumbnails import Thumbnail, shrink
from adplg_jax.report.timeline import Timeline, clock
from adplg_jax.score.drawn import Clip, Drawn, Plan
from adplg_jax.score.outputs import Outputs
from adplg_jax.scoring.intervals import IntervalRule
from adplg_jax.scoring.sequence import Failure
from adplg_jax.video.decode import Decoder, Frame
from adplg_jax.video.encode import Part, VideoWriter

# Frames above a timeline, and what a clip has before and after [s].
_THUMBNAILS = 5
_PADDING = 1.0
_FORMAT = "{desc}: {percentage:3.0f}%|{bar:20}| {elapsed}<{remaining}"


class Drawing:
  """Draws what is planned of videos that are files."""

  def __init__(self, plan: Plan):
    """Draws nothing yet."""
    self._plan = plan

  def __call__(
    self, timelines: Sequence[Timeline], rule: IntervalRule, outputs: Outputs
  ) -> tuple[dict[str, Drawn], list[Failure]]:
    """Draws; a video that cannot be drawn is a failure, the others go on.

    Args:
      timelines: All videos, the highest peak first.
      rule: The thresholds.
      outputs: Where files are written.

    Returns:
      What was drawn of the videos, by their names, and what was not.
    """
    chosen = [own for own in timelines if can_be_drawn(own)]
    chosen = chosen[: self._plan.videos]
    drawn: dict[str, Drawn] = {}
    failures = []
    seconds = sum(own.video.times.duration for own in chosen)
    with tqdm(
      total=seconds, desc="drawing", bar_format=_FORMAT, leave=False
    ) as bar:
      for own in chosen:
        begin = time.perf_counter()
        try:
          path = functools.partial(_path, outputs, own.video.name)
          done = draw_video(own, rule, path, self._plan, bar)
        except (OSError, ValueError) as error:
          reason = f"was scored, but not drawn: {error}"
          failures.append(Failure(own.video.files[0], reason))
          tqdm.write(f"{own.video.files[0]}: {reason}", file=sys.stderr)
          continue
        for note in done.notes:
          tqdm.write(f"note: {own.video.files[0]}: {note}", file=sys.stderr)
        spent = time.perf_counter() - begin
        drawn[own.video.name] = done._replace(seconds=spent)
    return drawn, failures


def _path(outputs: Outputs, name: str, part: str = "") -> Path:
  """The file of a video with its scores, or of the clip of a part."""
  return outputs.folder / outputs.path(name, ".mp4", part)


def can_be_drawn(timeline: Timeline) -> bool:
  """Whether a video is a file that can be decoded a second time."""
  files = timeline.video.files
  known = timeline.video.times.seconds is not None
  return known and len(files) == 1 and os.path.isfile(files[0])


def draw_video(
  timeline: Timeline,
  rule: IntervalRule,
  path: Callable[..., Path],
  plan: Plan,
  bar: tqdm | None = None,
  *,
  called: str = "anomalous interval",
) -> Drawn:
  """Decodes a video once more, and writes what is planned.

  Args:
    timeline: Its scores; the first of its files is decoded.
    rule: The thresholds.
    path: Gives the file of the video with its scores, and, called with the
      name of a part, the file of its clip.
    plan: What is drawn.
    bar: Is moved by the seconds that are done.
    called: What an interval is called.

  Returns:
    What was written.

  Raises:
    OSError: It cannot be written.
    ValueError: It cannot be decoded or written; clips that are whole stay.
  """
  with contextlib.ExitStack() as stack:
    pass_ = _Pass(timeline, rule, path, plan, stack, called)
    decoder = Decoder(timeline.video.files[0])
    for frame in decoder:
      pass_.add(frame, decoder)
      done = max(0.0, frame.end - frame.start)
      if bar is not None:
        bar.update(min(done, bar.total - bar.n))
      if frame.start >= pass_.end:
        break
    return pass_.finish()


class _Pass:
  """What is written while a video is decoded."""

  def __init__(
    self,
    timeline: Timeline,
    rule: IntervalRule,
    path: Callable[..., Path],
    plan: Plan,
    stack: contextlib.ExitStack,
    called: str,
  ):
    """Nothing is opened before the first frame."""
    self._timeline, self._rule, self._stack = timeline, rule, stack
    self._overlay_path = path() if plan.overlay else None
    self._overlay: tuple[Overlay, VideoWriter] | None = None
    self._called = called
    self._size: tuple[int, int] | None = None
    self._clips = _clips(timeline, path, plan.clips)
    self._writers: dict[Path, VideoWriter] = {}
    self._finished: list[VideoWriter] = []
    self._peaks = _peaks(timeline)
    self._images: dict[int, np.ndarray] = {}
    self.end = math.inf
    if not plan.overlay:
      last = [_middle(timeline, peak) for peak in self._peaks]
      self.end = max([*last, *(clip.end for clip in self._clips)])

  def add(self, frame: Frame, decoder: Decoder) -> None:
    """Writes a frame where it belongs."""
    # A video whose size changes keeps that of its first frame.
    size = self._size = self._size or fitting(frame.image.shape[:2])
    for peak in self._peaks:
      # The last one before the middle, or the first one of all.
      if peak not in self._images or frame.start <= _middle(
        self._timeline, peak
      ):
        self._images[peak] = frame.image
    if self._overlay_path is not None:
      self._add_to_overlay(self._overlay_path, frame, decoder)
    for clip in self._clips:
      self._add_to_clip(clip, frame, size, decoder)

  def _add_to_overlay(self, path: Path, frame: Frame, decoder: Decoder) -> None:
    if self._overlay is None:
      size = frame.image.shape[:2]
      overlay = Overlay(self._timeline, self._rule, size, self._called)
      self._overlay = overlay, self._open(path, decoder)
    overlay, writer = self._overlay
    writer.add(overlay.draw(frame.image, frame.start), frame.start, frame.end)

  def _add_to_clip(
    self, clip: Clip, frame: Frame, size: tuple[int, int], decoder: Decoder
  ) -> None:
    if frame.start >= clip.end and clip.path in self._writers:
      self._end(self._writers.pop(clip.path))
    if frame.end <= clip.start or frame.start >= clip.end:
      return
    if clip.path not in self._writers:
      self._writers[clip.path] = self._open(
        clip.path, decoder, clip.start, clip.end
      )
    # One that is shown already when the clip begins is its first.
    self._writers[clip.path].add(
      resize(frame.image, size),
      max(0.0, frame.start - clip.start),
      min(frame.end, clip.end) - clip.start,
    )

  def _open(
    self,
    path: Path,
    decoder: Decoder,
    start: float = 0.0,
    end: float = math.inf,
  ) -> VideoWriter:
    """A file for a part of the video, which is closed whatever happens."""
    part = Part(decoder.name, decoder.origin, start, end)
    writer = VideoWriter(path, part, rate=decoder.frame_rate)
    self._stack.callback(writer.close)
    return writer

  def _end(self, writer: VideoWriter) -> None:
    writer.finish()
    self._finished.append(writer)

  def finish(self) -> Drawn:
    """Ends the files; what has no frame is left out."""
    if self._overlay is not None:
      self._end(self._overlay[1])
    for writer in self._writers.values():
      self._end(writer)
    return Drawn(
      tuple(_thumbnail(self._timeline, *it) for it in self._images.items()),
      self._overlay_path,
      tuple(clip for clip in self._clips if clip.path.exists()),
      tuple(dict.fromkeys(own.note for own in self._finished if own.note)),
    )


def _peaks(timeline: Timeline) -> list[int]:
  """The snippets of the highest intervals, in order, or that of the peak."""
  highest = sorted(timeline.intervals, key=lambda own: -own.peak)
  found = sorted(own.peak_snippet for own in highest[:_THUMBNAILS])
  return found or [timeline.video.peak_snippet]


def _middle(timeline: Timeline, snippet: int) -> float:
  """The middle of a snippet [s]."""
  edges = timeline.video.times.seconds
  return 0.0 if edges is None else float(edges[snippet : snippet + 2].mean())


def _thumbnail(
  timeline: Timeline, snippet: int, image: np.ndarray
) -> Thumbnail:
  """A frame with what is said of its snippet."""
  video, seconds = timeline.video, _middle(timeline, snippet)
  score = float(video.scores[snippet])
  text = f"{clock(seconds)} · {score:.2f}"
  if video.looks:
    name, share = video.looks[snippet][0]
    text += f"\n{name} {share:.2f}"
  return Thumbnail(shrink(image), seconds, score, text)


def _clips(
  timeline: Timeline, path: Callable[..., Path], count: int
) -> tuple[Clip, ...]:
  """The clips of the highest intervals, numbered in order of time."""
  edges = timeline.video.times.seconds
  if edges is None:
    return ()
  highest = sorted(timeline.intervals, key=lambda own: -own.peak)[:count]
  return tuple(
    Clip(
      path(f"interval_{number}"),
      own,
      max(0.0, float(edges[own.start]) - _PADDING),
      float(edges[own.end]) + _PADDING,
    )
    for number, own in enumerate(sorted(highest), 1)
  )
