"""The field's array of all test frames, one test video after the other.

Source: docs/method.md, section 6.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adplg_jax.data.frames import frame_labels, mask_to_spans
from adplg_jax.data.schema import SNIPPET_FRAMES
from adplg_jax.prepare.annotation import with_mask
from adplg_jax.prepare.feature_files import FeatureFileError, read_flags
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.videos import Video


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
      test[name] = with_mask(video, mask)
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
    array = read_flags(path)
  except FeatureFileError as error:
    findings.add("ground-truth", path, error.detail)
    return []
  lengths = [video.total_frames for video in videos if video is not None]
  if len(lengths) < len(videos):
    findings.add(
      "ground-truth",
      path,
      f"{len(videos) - len(lengths)} of the {len(videos)} test videos cannot "
      "be read, so it is unknown which frames are theirs; fix their files, or "
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
