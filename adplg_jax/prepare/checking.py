"""The one check of a data set: files, ground truth, classes, what is left out.

All errors are found before anything is written.
"""

from collections.abc import Sequence
from typing import NamedTuple

from adplg_jax.data import schema
from adplg_jax.prepare.findings import Findings, PreparationError, describe
from adplg_jax.prepare.scan import Rules, scan
from adplg_jax.prepare.source import Collection, Options
from adplg_jax.prepare.videos import Video


class Checked(NamedTuple):
  """A data set that can be written.

  Attributes:
    splits: Its videos by split, those that are left out removed.
    feature_width: D.
    summary: Lines on what was found.
  """

  splits: dict[str, list[Video]]
  feature_width: int
  summary: list[str]


def check(collection: Collection, options: Options) -> Checked:
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
  videos, width = scan(
    collection.videos, findings, collection.rules, options.dtype
  )
  videos = collection.annotate(videos)
  for video in videos:
    check_frames(video, findings, collection.rules)
  if all(item.kind != "manifest" for item in findings.items):
    check_classes([*collection.videos, *videos], findings)
  summary = [*collection.summarize(videos), *findings.note_lines()]
  try:
    splits = _without_bad(videos, findings, options.skip_bad)
  except PreparationError as error:
    raise PreparationError("\n".join([*summary, str(error)])) from error
  if findings.items:
    summary += ["Left out by --skip-bad:", *describe(findings.items)]
  return Checked(splits, width, summary)


def _without_bad(
  videos: Sequence[Video], findings: Findings, skip_bad: Sequence[str]
) -> dict[str, list[Video]]:
  """The videos of each split, those with skipped findings left out.

  Raises:
    PreparationError: Findings that are not skipped, or nothing left.
  """
  dropped = findings.dropped(skip_bad)
  splits = {name: [] for name in schema.SPLITS}
  for video in videos:
    if video.name not in dropped:
      splits[split_name(video)].append(video)
  check_classes([v for own in splits.values() for v in own], findings)
  findings.dropped(skip_bad)
  return splits


def split_name(video: Video) -> str:
  """The stored split that a video belongs to."""
  normal, anomalous = schema.TRAINING_SPLITS
  if video.split == "test":
    return "test"
  return anomalous if video.label else normal


def check_classes(videos: Sequence[Video], findings: Findings) -> None:
  """Finds splits that lack normal or anomalous videos."""
  present = {(video.split, video.label) for video in videos}
  for split in ("train", "test"):
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
  annotated, covered = video.annotated_frames, video.snippets * step
  if annotated is not None and abs(annotated - covered) > (
    rules.frame_slack * step
  ):
    findings.add(
      "frame-count",
      video.name,
      f"{annotated} frames annotated, but {video.snippets} snippets of {step} "
      f"frames are {covered}; at most {rules.frame_slack} snippets may be "
      "missing or too many. Features and annotation are of different videos.",
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
