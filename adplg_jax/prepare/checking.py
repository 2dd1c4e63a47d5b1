"""The one check of a data set: files, ground truth, classes, what is left out.

All errors are found before anything is written.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from adplg_jax.data import schema
from adplg_jax.prepare import scale as scale_lib
from adplg_jax.prepare.feature_kinds import shared_kind
from adplg_jax.prepare.findings import (
  UNCERTAIN,
  Findings,
  PreparationError,
  describe,
)
from adplg_jax.prepare.scan import Rules, scan
from adplg_jax.prepare.source import Collected, Options
from adplg_jax.prepare.videos import SPLITS, Video


class Checked(NamedTuple):
  """A data set that can be written.

  Attributes:
    splits: Its videos by split, those that are left out removed.
    feature_width: D.
    incomplete: What it lacks of the complete data set, "" for nothing.
    summary: Lines on what was found.
    statistics: Of the training features; see `prepare.scale`.
    kind: What made the features; see `prepare.feature_kinds`.
  """

  splits: dict[str, list[Video]]
  feature_width: int
  incomplete: str
  summary: list[str]
  statistics: dict[str, Any] | None = None
  kind: str = ""


def check(collection: Collected, options: Options) -> Checked:
  """Reads all files and checks everything that is known about the videos.

  Args:
    collection: The data set.
    options: Which findings may be left out, the type to be written.

  Returns:
    What can be written.

  Raises:
    PreparationError: Findings that may not be skipped, all of them reported.
  """
  findings = collection.findings
  scale = scale_lib.Scale()
  videos, width = scan(
    collection.videos, findings, collection.rules, options.dtype, scale
  )
  statistics = scale.statistics(width)
  kind = shared_kind(videos, findings)
  videos = collection.annotate(videos)
  for video in videos:
    check_frames(video, findings, collection.rules)
  if all(item.kind not in UNCERTAIN for item in findings.items):
    check_classes(collection.videos, findings)
  summary = [*collection.summarize(videos)]
  if statistics is not None:
    summary.append(scale_lib.describe(statistics))
  if kind:
    summary.append(f"features of the kind {kind}")
  lengths = {video.snippets for video in videos}
  if len(lengths) == 1 and len(videos) > len(lengths):
    summary.append(
      f"note: all videos have {lengths.pop()} rows; a row must be a snippet of "
      "a fixed number of frames, not a segment of its video"
    )
  summary += findings.note_lines()
  try:
    dropped = findings.dropped(
      options.skip_bad, lambda names: _emptied(videos, names)
    )
  except PreparationError as error:
    raise PreparationError("\n".join([*summary, str(error)])) from error
  kept = [video for video in videos if video.name not in dropped]
  if findings.items:
    summary += _left_out(collection.videos, dropped, findings)
  incomplete = collection.incomplete(kept)
  if incomplete:
    summary.append(incomplete)
  splits = {name: [] for name in schema.SPLITS}
  for video in kept:
    splits[split_name(video)].append(video)
  return Checked(splits, width, incomplete, summary, statistics, kind)


def _emptied(videos: Sequence[Video], dropped: Collection[str]) -> str:
  """Which classes of which splits are empty without some videos."""
  kept = {_kind(v.split, v.label) for v in videos if v.name not in dropped}
  kinds = [_kind(split, label) for split in SPLITS for label in (0, 1)]
  return ", no ".join(kind for kind in kinds if kind not in kept)


def _kind(split: str, label: int) -> str:
  name = {"train": "training", "test": "test"}[split]
  return f"{('normal', 'anomalous')[label]} {name} video"


def _left_out(
  videos: Sequence[Video], dropped: Collection[str], findings: Findings
) -> list[str]:
  """What --skip-bad left out: how many videos of each kind, and why."""
  counts = Counter(
    _kind(video.split, video.label) for video in videos if video.name in dropped
  )
  what = ", ".join(f"{count} {kind}s" for kind, count in counts.items())
  return [
    f"Left out by --skip-bad: {what or 'no video, files alone'}",
    *describe(findings.items),
  ]


def split_name(video: Video) -> str:
  """The stored split that a video belongs to."""
  normal, anomalous = schema.TRAINING_SPLITS
  if video.split == "test":
    return "test"
  return anomalous if video.label else normal


def check_classes(videos: Sequence[Video], findings: Findings) -> None:
  """Finds splits that lack normal or anomalous videos."""
  present = {(video.split, video.label) for video in videos}
  for split in SPLITS:
    for label, what in enumerate(("normal", "anomalous")):
      if (split, label) not in present:
        findings.add(
          "split-classes",
          split,
          f"no {what} video; both classes are needed. Add some, or correct "
          "the labels and splits.",
        )


def check_frames(video: Video, findings: Findings, rules: Rules) -> None:
  """Compares a video's annotated frames and spans with its snippets."""
  step, frames = video.frames_per_snippet, video.total_frames
  annotated, covered = video.annotated_frames, video.covered_frames
  if annotated is not None and abs(annotated - covered) > (
    rules.frame_slack * step
  ):
    findings.add(
      "frame-count",
      video.name,
      f"{annotated} frames annotated, but {video.snippets} snippets of {step} "
      f"frames are {covered}; at most {rules.frame_slack} snippets may be "
      f"missing or too many. {rules.frames_cure}",
      video.name,
    )
    return
  for start, end in video.spans or ():
    if end > frames + rules.span_slack * step:
      findings.add(
        "bad-span",
        video.name,
        f"span {start}-{end} does not fit the video's {frames} frames: it may "
        f"end at most {rules.span_slack * step} frames past them. Correct the "
        "annotation.",
        video.name,
      )
    elif start >= frames:
      findings.note("spans past their video's last snippet, dropped")
    elif end > frames:
      findings.note("spans that end past their video, clipped")
