"""Ground truth for a benchmark's test videos: annotations, masks, arrays.

Source: docs/method.md, section 6.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from adplg_jax.data.benchmarks import ANOMALOUS, NORMAL, SNIPPET_FRAMES
from adplg_jax.data.findings import Findings, PreparationError
from adplg_jax.data.ground_truth import (
  Annotation,
  fit_mask,
  frame_labels,
  mask_to_spans,
)
from adplg_jax.data.videos import Video


def annotate_by_rows(
  videos: Sequence[Video],
  annotations: Mapping[str, Annotation],
  findings: Findings,
  *,
  normal_rows: bool,
) -> list[Video]:
  """Gives test videos the spans of their rows.

  Args:
    videos: All videos.
    annotations: Rows by the video's name.
    findings: Gathers rows and videos that do not fit.
    normal_rows: Whether normal videos need a row too.

  Returns:
    The videos.
  """
  annotated = [
    _annotate(video, annotations.get(video.name), findings, normal_rows)
    if video.split == "test"
    else video
    for video in videos
  ]
  _find_surplus(videos, annotations, findings)
  return annotated


def _annotate(
  video: Video,
  row: Annotation | None,
  findings: Findings,
  normal_rows: bool,
) -> Video:
  spans = row.spans if row else ()
  if (row is None and (video.label or normal_rows)) or (
    video.label and not spans
  ):
    findings.add(
      "no-annotation",
      video.name,
      f"a test video of class {video.category} without "
      f"{'a span' if row else 'a row'} in the annotations; use the complete "
      "file.",
      video.name,
    )
    return dataclasses.replace(video, spans=None if video.label else ())
  if spans and not video.label:
    findings.add(
      "bad-span",
      video.name,
      "normal by its name, but annotated with spans; correct either.",
      video.name,
    )
  if row and row.category not in (None, video.category):
    findings.add(
      "list-label",
      video.name,
      f"class {row.category} in the annotations, {video.category} by its name; "
      "correct either.",
      video.name,
    )
  frames = row.frames if row else None
  return dataclasses.replace(video, spans=spans, annotated_frames=frames)


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


def read_masks(folder: Path, findings: Findings) -> dict[str, np.ndarray]:
  """Reads ShanghaiTech's frame masks NAME.npy.

  Args:
    folder: Where they lie.
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
      masks[path.stem] = _read_flags(path)
    except ValueError as error:
      findings.add("unreadable", path, f"{error}.", path.stem)
  return masks


def _read_flags(path: Path) -> np.ndarray:
  """Reads a one-dimensional array of zeros and ones.

  Raises:
    ValueError: It is something else.
  """
  try:
    with path.open("rb") as file:
      array = np.lib.format.read_array(file, allow_pickle=False)
  except Exception as error:  # A damaged file raises almost anything.
    raise ValueError(f"cannot be read: {error}") from error
  if array.dtype.kind not in "biuf":
    raise ValueError("no array of numbers")
  array = array.squeeze()
  if array.ndim != 1 or not len(array) or not np.isin(array, (0, 1)).all():
    raise ValueError(f"shape {array.shape}: not one 0 or 1 for each frame")
  return array != 0


def annotate_by_masks(
  videos: Sequence[Video],
  masks: Mapping[str, np.ndarray],
  findings: Findings,
) -> list[Video]:
  """Gives test videos the label and spans of their mask; without one, normal.

  Args:
    videos: All videos, their snippets known.
    masks: Frame masks by the video's name. Those of training videos are left
      alone: the weakly supervised split trains on part of the official test
      videos.
    findings: Gathers masks without a video.

  Returns:
    The videos.
  """
  training = {video.name for video in videos if video.split == "train"}
  for _ in training & set(masks):
    findings.note("masks of training videos, not used")
  masks = {name: masks[name] for name in masks if name not in training}
  annotated = []
  for video in videos:
    if video.split == "test":
      mask = masks.get(video.name)
      count = None if mask is None else len(mask)
      if mask is None:
        mask = np.zeros(1, bool)
      mask = fit_mask(mask, video.total_frames)
      video = dataclasses.replace(
        _from_mask(video, mask), annotated_frames=count
      )
    annotated.append(video)
  _find_surplus(videos, masks, findings)
  return annotated


def _from_mask(video: Video, mask: np.ndarray) -> Video:
  label = int(mask.any())
  return dataclasses.replace(
    video,
    label=label,
    category=ANOMALOUS if label else NORMAL,
    spans=mask_to_spans(mask),
  )


def annotate_by_array(
  videos: Sequence[Video],
  path: Path,
  order: Sequence[str],
  findings: Findings,
  *,
  labels_by_name: bool,
  compare: bool,
) -> list[Video]:
  """Gives test videos their part of the field's array of all test frames.

  Args:
    videos: All videos, their snippets known.
    path: One 0 or 1 for each frame, 16 for each snippet.
    order: Names of the test videos as the array has them.
    findings: Gathers what does not fit.
    labels_by_name: Whether a video's label is known from its name.
    compare: Whether the videos are annotated already; the share of frames
      that differs is then noted.

  Returns:
    The videos.
  """
  test = {video.name: video for video in videos if video.split == "test"}
  masks = _cut_array(path, [test.get(name) for name in order], findings)
  differ = total = 0
  for name, mask in zip(order, masks, strict=False):
    video = test[name]
    total += len(mask)
    differ += int((frame_labels(video.spans or (), len(mask)) != mask).sum())
    if not labels_by_name:
      test[name] = _from_mask(video, mask)
      continue
    test[name] = dataclasses.replace(video, spans=mask_to_spans(mask))
    if mask.any() != bool(video.label):
      findings.add(
        "ground-truth",
        name,
        f"{int(mask.sum())} anomalous frames in {path}, but class "
        f"{video.category}; the array is in another order than the list.",
      )
  if compare and total:
    findings.note(
      f"of {total} frames ({differ / total:.4%}) differ between {path.name}, "
      "which is used, and the annotations",
      differ,
    )
  return [test[v.name] if v.split == "test" else v for v in videos]


def _cut_array(
  path: Path, videos: Sequence[Video | None], findings: Findings
) -> list[np.ndarray]:
  """Each video's part of an array; none when anything does not fit.

  A video that could not be read is None.
  """
  try:
    array = _read_flags(path)
  except ValueError as error:
    findings.add("ground-truth", path, f"{error}.")
    return []
  lengths = [video.total_frames for video in videos if video is not None]
  if len(lengths) < len(videos):
    findings.add(
      "ground-truth",
      path,
      f"{len(videos) - len(lengths)} of the {len(videos)} test videos cannot "
      "be read, so nobody knows which frames are theirs; mend their files, or "
      "use --annotations alone.",
    )
    return []
  total = sum(lengths)
  if len(array) != total:
    findings.add(
      "ground-truth",
      path,
      f"{len(array)} frames, but the {len(videos)} test videos have "
      f"{total // SNIPPET_FRAMES} snippets of {SNIPPET_FRAMES}, {total} "
      "frames; it is of other features or of another list.",
    )
    return []
  return np.split(array, np.cumsum(lengths)[:-1])
