"""The folder of results of scored videos: csv files, pictures, results.json."""

import csv
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adplg_jax.report import timeline
from adplg_jax.report.timeline import Timeline
from adplg_jax.run.files import write_atomically, write_json
from adplg_jax.score.drawn import LOOKS, Drawn
from adplg_jax.scoring.intervals import Interval, IntervalRule
from adplg_jax.scoring.sequence import ScoredSequence, Times

COLUMNS = (
  "snippet",
  "start_frame",
  "end_frame",
  "start_seconds",
  "end_seconds",
  "score",
)
RESULTS = "results.json"
NOTE = f"names: {LOOKS}"
# Videos on the page of all timelines, and with a picture of their own.
_ON_THE_PAGE = 10
_PICTURES = 50
# Bytes of a part of a path; file systems take 255, endings included.
_LONGEST_PART = 200


class OutputError(ValueError):
  """A folder that results cannot be written to."""


class Outputs:
  """The folder of results.

  `results.json` is there from the start, with `complete` false until all is
  written, and says which model the other files are of.
  """

  def __init__(
    self, folder: Path, model: Mapping[str, Any], *, overwrite: bool = False
  ):
    """Makes the folder, or empties it of results of the same model.

    Args:
      folder: Where.
      model: What scores, as results.json has it.
      overwrite: Empty it of another model's results, too.

    Raises:
      OutputError: It cannot be made, or holds something else.
    """
    self.folder = folder
    self._model = dict(model)
    self._paths: dict[tuple[str, str], str] = {}
    self._used: set[str] = set()
    try:
      self._claim(overwrite)
      self._write_results({"complete": False, "videos": []})
    except OSError as error:
      raise OutputError(
        f"{folder} cannot be written ({error.strerror}); name another folder "
        "with --out."
      ) from error

  def _claim(self, overwrite: bool) -> None:
    """Removes results of before.

    Raises:
      OutputError: They are another model's, or no results.
    """
    if not self.folder.exists() or not any(self.folder.iterdir()):
      return
    there = _read_model(self.folder / RESULTS)
    if there is None:
      raise OutputError(
        f"{self.folder} holds other files, and no {RESULTS} of scored videos; "
        "name an empty or a new folder with --out."
      )
    if there.get("fingerprint") != self._model["fingerprint"] and not overwrite:
      raise OutputError(
        f"{self.folder} holds results of another model, step "
        f"{there.get('step')} of {there.get('run')}; name another folder with "
        "--out, or replace them with --overwrite."
      )
    shutil.rmtree(self.folder / "videos", ignore_errors=True)
    for name in ("timelines.png", RESULTS):
      (self.folder / name).unlink(missing_ok=True)

  def write_scores(self, video: ScoredSequence) -> None:
    """Writes a video's csv.

    Raises:
      OSError: It cannot be written.
    """
    path = self.path(video.name, ".csv")
    write_atomically(self.folder / path, table(video))

  def path(self, name: str, suffix: str, part: str = "") -> str:
    """A video's file, below the folder; no two videos have the same.

    Args:
      name: Of the video.
      suffix: What kind of file.
      part: Of the video; "" for all of it.
    """
    if (name, part) not in self._paths:
      whole = file_name(f"{name}.{part}" if part else name)
      own, number = whole, 2
      while own.lower() in self._used:
        own, number = f"{whole}~{number}", number + 1
      self._used.add(own.lower())
      self._paths[name, part] = own
    return f"videos/{self._paths[name, part]}{suffix}"

  def write_found(
    self, timelines: Sequence[Timeline], facts: Mapping[str, Any]
  ) -> None:
    """Writes what is known before anything is drawn.

    Args:
      timelines: The videos, the highest peak first.
      facts: What else results.json has.

    Raises:
      OSError: It cannot be written.
    """
    videos = [self._describe(own, picture=False) for own in timelines]
    self._write_results({"complete": False, **facts, "videos": videos})

  def finish(
    self,
    timelines: Sequence[Timeline],
    rule: IntervalRule,
    facts: Mapping[str, Any],
    drawn: Mapping[str, Drawn] | None = None,
  ) -> None:
    """Draws the pictures and writes results.json.

    Args:
      timelines: The videos, the highest peak first.
      rule: When snippets are an interval.
      facts: What else results.json has.
      drawn: What was drawn of videos, by their names.

    Raises:
      OSError: They cannot be written.
    """
    drawn = drawn or {}
    pictures = set()
    for own in timelines[:_PICTURES]:
      thumbnails = drawn.get(own.video.name, Drawn()).thumbnails
      timeline.draw(
        self.folder / self.path(own.video.name, ".png"),
        [own],
        rule,
        thumbnails=thumbnails,
        note=NOTE if thumbnails and own.video.looks else "",
      )
      pictures.add(own.video.name)
    if timelines:
      shown = timelines[:_ON_THE_PAGE]
      heading = f"{len(timelines)} videos"
      if len(shown) < len(timelines):
        heading += f", the {len(shown)} with the highest peaks"
      timeline.draw(
        self.folder / "timelines.png",
        shown,
        rule,
        heading if len(timelines) > 1 else "",
      )
    videos = [
      self._describe(
        own,
        picture=own.video.name in pictures,
        drawn=drawn.get(own.video.name, Drawn()),
      )
      for own in timelines
    ]
    self._write_results({"complete": True, **facts, "videos": videos})

  def _write_results(self, facts: Mapping[str, Any]) -> None:
    write_json(self.folder / RESULTS, {"model": self._model, **facts})

  def _describe(
    self,
    own: Timeline,
    *,
    picture: bool,
    drawn: Drawn = Drawn(),  # noqa: B008
  ) -> dict[str, Any]:
    """A video as results.json has it."""
    video, peak = own.video, own.video.peak_snippet
    clips = {clip.interval: self._below(clip.path) for clip in drawn.clips}
    spent = {
      **video.spent,
      **({"drawing": drawn.seconds} if drawn.seconds else {}),
    }
    start_frame, _, start_seconds, _ = _extent(video.times, peak, peak + 1)
    return {
      "name": video.name,
      "files": list(video.files),
      "csv": self.path(video.name, ".csv"),
      "picture": self.path(video.name, ".png") if picture else None,
      "overlay": self._below(drawn.overlay),
      "snippets": len(video.scores),
      "crops": video.crops,
      "frames": int(video.times.frames[-1]),
      "seconds": _end(video.times),
      "fps": video.fps,
      "windows": video.windows,
      "overlap": video.overlap,
      "peak": video.peak,
      "peak_frame": start_frame,
      "peak_seconds": start_seconds,
      "mean": float(video.scores.mean()),
      "looks_like": _looks(video, peak),
      "intervals": [
        {**_interval(video, i), "clip": clips.get(i)} for i in own.intervals
      ],
      "spent_seconds": spent,
    }

  def _below(self, path: Path | None) -> str | None:
    """A file's path below the folder."""
    return None if path is None else path.relative_to(self.folder).as_posix()


def file_name(name: str) -> str:
  """A path below a folder for any name: no part leads out of it."""
  parts = [re.sub(r"[\x00-\x1f\\]", "_", part) for part in name.split("/")]
  parts = ["_" if part in (".", "..") else part for part in parts if part]
  cut = [
    part.encode()[:_LONGEST_PART].decode(errors="ignore") for part in parts
  ]
  return "/".join(cut) or "_"


def table(video: ScoredSequence) -> str:
  """A video's csv; seconds are empty where they are not known."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(COLUMNS)
  for snippet, score in enumerate(video.scores):
    writer.writerow(row(video.times, snippet, score))
  return text.getvalue()


def row(
  times: Times, index: int, score: float, *, first: int = 0
) -> tuple[Any, ...]:
  """A snippet's row of the csv.

  Args:
    times: Of some snippets.
    index: Which of them.
    score: Its score.
    first: The first of them in the whole video.
  """
  extent = ("" if x is None else x for x in _extent(times, index, index + 1))
  return (first + index, *extent, f"{score:.7g}")


def _extent(
  times: Times, start: int, end: int
) -> tuple[int, int, float | None, float | None]:
  """Start and end of snippets in frames, and in seconds if these are known."""
  frames = int(times.frames[start]), int(times.frames[end])
  if times.seconds is None:
    return *frames, None, None
  first, last = (round(float(times.seconds[edge]), 3) for edge in (start, end))
  return *frames, first, last


def _end(times: Times) -> float | None:
  return None if times.seconds is None else float(times.seconds[-1])


def _looks(video: ScoredSequence, snippet: int) -> list[dict[str, Any]] | None:
  """What a snippet looks like; None where there is no classifier."""
  if not video.looks:
    return None
  return [
    {"class": name, "probability": share}
    for name, share in video.looks[snippet]
  ]


def _interval(video: ScoredSequence, interval: Interval) -> dict[str, Any]:
  """An interval as results.json has it."""
  times = video.times
  names = ("start_frame", "end_frame", "start_seconds", "end_seconds")
  extent = _extent(times, interval.start, interval.end)
  peak = _extent(times, interval.peak_snippet, interval.peak_snippet + 1)
  return {
    **dict(zip(names, extent, strict=True)),
    "peak": interval.peak,
    "peak_frame": peak[0],
    "peak_seconds": peak[2],
    "mean": interval.mean,
    "looks_like": _looks(video, interval.peak_snippet),
  }


def _read_model(file: Path) -> dict[str, Any] | None:
  """The model that a results.json names; None where it is none of ours."""
  try:
    model = json.loads(file.read_text("utf-8"))["model"]
  except (OSError, ValueError, KeyError, TypeError):
    return None
  return model if isinstance(model, dict) else None
