"""Annotations of test videos: rows of spans, or frame masks.

Both give the test videos their spans, and find what does not fit. Source:
docs/method.md, section 6.
"""

import abc
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from adplg_jax.data.frames import mask_to_spans
from adplg_jax.prepare.annotation_rows import Rows
from adplg_jax.prepare.feature_files import FeatureFileError, read_flags
from adplg_jax.prepare.findings import (
  UNCERTAIN,
  Findings,
  PreparationError,
)
from adplg_jax.prepare.naming import words
from adplg_jax.prepare.videos import Video


class Annotations(abc.ABC):
  """What annotation files say of all test videos."""

  # Whether a video is tested; None where that is not known of all.
  is_test: Callable[[str], bool] | None = None

  @abc.abstractmethod
  def annotate(
    self,
    videos: Sequence[Video],
    findings: Findings,
    left_out: Collection[str] = (),
  ) -> list[Video]:
    """Gives test videos their spans.

    Args:
      videos: All videos, their snippets known.
      findings: Gathers annotations and videos that do not fit.
      left_out: Videos that have feature files, but are not in the lists.

    Returns:
      The videos.
    """


@dataclasses.dataclass(frozen=True)
class SpanAnnotations(Annotations):
  """Rows of spans.

  Attributes:
    rows: What they say.
    normal_rows: Whether normal test videos have a row too.
    is_test: See Annotations.
  """

  rows: Rows
  normal_rows: bool
  is_test: Callable[[str], bool] | None = None

  def annotate(
    self,
    videos: Sequence[Video],
    findings: Findings,
    left_out: Collection[str] = (),
  ) -> list[Video]:
    """See Annotations."""
    annotated = [
      self._annotate(video, findings) if video.split == "test" else video
      for video in videos
    ]
    _find_surplus(videos, self.rows.videos, findings, left_out)
    return annotated

  def _annotate(self, video: Video, findings: Findings) -> Video:
    row = self.rows.videos.get(video.name)
    unknown = dataclasses.replace(video, spans=None if video.label else ())
    if row is None:
      # Of a file with unknown lines nobody knows whose rows it has.
      if self.rows.complete and (video.label or self.normal_rows):
        _find_missing("row", video, findings)
      return unknown
    if row.spans is None:
      return unknown
    if video.label and not row.spans:
      _find_missing("span", video, findings)
      return unknown
    if row.spans and not video.label:
      findings.add(
        "bad-span",
        video.name,
        "normal by its name, but annotated with spans; correct either.",
        video.name,
      )
    if row.category is not None and not _same_class(row.category, video):
      findings.add(
        "list-label",
        video.name,
        f"class {row.category} in the annotations, {video.category} by its "
        "name; correct either.",
        video.name,
      )
    return dataclasses.replace(
      video,
      spans=row.spans,
      exact_spans=self.rows.exact,
      annotated_frames=row.frames,
    )


def _same_class(word: str, video: Video) -> bool:
  """Whether a word of an annotation names a video's class."""
  if "normal" in words(word):
    return not video.label
  return word.lower() == video.category.lower()


def _find_missing(what: str, video: Video, findings: Findings) -> None:
  findings.add(
    "no-annotation",
    video.name,
    f"a test video of class {video.category} without a {what} in the "
    "annotations; use the complete file.",
    video.name,
  )


def _find_surplus(
  videos: Sequence[Video],
  names: Mapping[str, object],
  findings: Findings,
  left_out: Collection[str],
) -> None:
  if any(item.kind in UNCERTAIN for item in findings.items):
    return
  splits = {video.name: video.split for video in videos}
  unreadable = {item.video for item in findings.items} - set(splits)
  for name in names:
    split = splits.get(name)
    if split != "test" and name not in unreadable:
      if split:
        where = "is a training video here; use the official split"
      elif name in left_out:
        where = "is not in the list; use the list of the annotated videos"
      else:
        where = "has no feature file; extract it"
      findings.add(
        "no-video",
        name,
        f"is annotated, but {where}.",
        name,
      )


@dataclasses.dataclass(frozen=True)
class MaskAnnotations(Annotations):
  """A mask with one 0 or 1 per frame for each anomalous test video.

  Masks of training videos are left alone: the weakly supervised split trains
  on part of the official test videos.

  Attributes:
    masks: By the video's name.
  """

  masks: Mapping[str, np.ndarray]

  def annotate(
    self,
    videos: Sequence[Video],
    findings: Findings,
    left_out: Collection[str] = (),
  ) -> list[Video]:
    """See Annotations."""
    training = {video.name for video in videos if video.split == "train"}
    for _ in training & set(self.masks):
      findings.note("masks of training videos, not used")
    masks = {k: v for k, v in self.masks.items() if k not in training}
    annotated = [
      _with_mask(video, masks.get(video.name), findings)
      if video.split == "test"
      else video
      for video in videos
    ]
    _find_surplus(videos, masks, findings, left_out)
    return annotated


def _with_mask(
  video: Video, mask: np.ndarray | None, findings: Findings
) -> Video:
  """A test video with the spans of its mask; its name tells its label."""
  if mask is None:
    if video.label:
      findings.add(
        "no-annotation",
        video.name,
        "an anomalous video by its name, without a mask; use all masks.",
        video.name,
      )
    spans = None if video.label else ()
    return dataclasses.replace(video, spans=spans, exact_spans=True)
  if mask.any() != bool(video.label):
    findings.add(
      "list-label",
      video.name,
      f"{int(mask.sum())} anomalous frames in its mask, but class "
      f"{video.category} by its name; correct either.",
      video.name,
    )
  spans = mask_to_spans(fit_mask(mask, video.total_frames))
  return dataclasses.replace(
    video, spans=spans, exact_spans=True, annotated_frames=len(mask)
  )


def read_masks(folder: Path, findings: Findings) -> dict[str, np.ndarray]:
  """Reads frame masks NAME.npy.

  Args:
    folder: Their folder.
    findings: Gathers files that are no 0/1 masks.

  Returns:
    Masks by the video's name.

  Raises:
    PreparationError: There are none.
  """
  paths = sorted(folder.glob("*.npy")) if folder.is_dir() else []
  if not paths:
    raise PreparationError(
      f"{folder}: no mask found; --annotations must name the folder with the "
      "frame masks NAME.npy of the test videos."
    )
  masks = {}
  for path in paths:
    try:
      masks[path.stem] = read_flags(path)
    except FeatureFileError as error:
      findings.add("unreadable", path, error.detail, path.stem)
  return masks


def fit_mask(mask: np.ndarray, frames: int) -> np.ndarray:
  """Cuts a mask, or extends it with its last value, to a number of frames."""
  return mask[np.minimum(np.arange(frames), len(mask) - 1)]
