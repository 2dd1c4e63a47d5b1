"""Annotations of test videos: rows of spans, or frame masks.

Both give the test videos their spans, and find what does not fit. Source:
docs/method.md, section 6.
"""

import abc
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from adplg_jax.data.frames import mask_to_spans
from adplg_jax.prepare.annotation_rows import Rows
from adplg_jax.prepare.feature_files import FeatureFileError, read_flags
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.videos import ANOMALOUS, NORMAL, Video


class Annotations(abc.ABC):
  """What annotation files say of all test videos."""

  @property
  @abc.abstractmethod
  def test_videos(self) -> Collection[str]:
    """Names known to be test videos; empty where the files do not name all."""

  @abc.abstractmethod
  def annotate(
    self, videos: Sequence[Video], findings: Findings
  ) -> list[Video]:
    """Gives test videos their spans.

    Args:
      videos: All videos, their snippets known.
      findings: Gathers annotations and videos that do not fit.

    Returns:
      The videos.
    """


@dataclasses.dataclass(frozen=True)
class SpanAnnotations(Annotations):
  """Rows of spans.

  Attributes:
    rows: What they say.
    normal_rows: Whether normal test videos have a row too.
  """

  rows: Rows
  normal_rows: bool

  @property
  def test_videos(self) -> Collection[str]:
    """See Annotations."""
    return self.rows.videos.keys() if self.normal_rows else ()

  def annotate(
    self, videos: Sequence[Video], findings: Findings
  ) -> list[Video]:
    """See Annotations."""
    annotated = [
      self._annotate(video, findings) if video.split == "test" else video
      for video in videos
    ]
    _find_surplus(videos, self.rows.videos, findings)
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
    if row.category not in (None, video.category):
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


def _find_missing(what: str, video: Video, findings: Findings) -> None:
  findings.add(
    "no-annotation",
    video.name,
    f"a test video of class {video.category} without a {what} in the "
    "annotations; use the complete file.",
    video.name,
  )


def _find_surplus(
  videos: Sequence[Video], names: Mapping[str, object], findings: Findings
) -> None:
  splits = {video.name: video.split for video in videos}
  unreadable = {item.video for item in findings.items} - set(splits)
  for name in names:
    split = splits.get(name)
    if split != "test" and name not in unreadable:
      where = "is a training video here" if split else "has no feature file"
      findings.add(
        "no-video",
        name,
        f"is annotated, but {where}; extract it, or use the official split.",
        name,
      )


@dataclasses.dataclass(frozen=True)
class MaskAnnotations(Annotations):
  """A mask with one 0 or 1 per frame for each anomalous test video.

  Masks of training videos are left alone: the weakly supervised split trains
  on part of the official test videos. A test video without a mask is normal.

  Attributes:
    masks: By the video's name.
  """

  masks: Mapping[str, np.ndarray]

  @property
  def test_videos(self) -> Collection[str]:
    """See Annotations."""
    return ()

  def annotate(
    self, videos: Sequence[Video], findings: Findings
  ) -> list[Video]:
    """See Annotations."""
    training = {video.name for video in videos if video.split == "train"}
    for _ in training & set(self.masks):
      findings.note("masks of training videos, not used")
    masks = {k: v for k, v in self.masks.items() if k not in training}
    annotated = []
    for video in videos:
      if video.split == "test":
        mask = masks.get(video.name)
        count = None if mask is None else len(mask)
        if mask is None:
          mask = np.zeros(1, bool)
        mask = fit_mask(mask, video.total_frames)
        video = dataclasses.replace(
          with_mask(video, mask), annotated_frames=count
        )
      annotated.append(video)
    _find_surplus(videos, masks, findings)
    return annotated


def with_mask(video: Video, mask: np.ndarray) -> Video:
  """A video with the label, class and spans of its mask."""
  label = int(mask.any())
  return dataclasses.replace(
    video,
    label=label,
    category=ANOMALOUS if label else NORMAL,
    spans=mask_to_spans(mask),
    exact_spans=True,
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
