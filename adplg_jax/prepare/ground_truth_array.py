"""The field's array of all test frames, one test video after the other.

Source: docs/method.md, section 6.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from adplg_jax.data.frames import frame_labels, mask_to_spans
from adplg_jax.data.schema import SNIPPET_FRAMES
from adplg_jax.prepare.feature_files import FeatureFileError, read_flags
from adplg_jax.prepare.file_contents import quoted
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.videos import Video

# Variants of a data set's array and annotations differ by 0.0134 %.
MOST_DIFFERENT = 0.001


def annotate_by_array(
  videos: Sequence[Video],
  path: Path,
  order: Sequence[str],
  findings: Findings,
  *,
  listed: bool,
  compare: bool,
) -> list[Video]:
  """Gives test videos their part of the field's array of all test frames.

  Args:
    videos: All videos, their snippets known.
    path: One 0 or 1 for each frame, 16 for each snippet.
    order: Names of the test videos as the array has them.
    findings: Gathers what does not fit.
    listed: Whether a list gave the order, not the paths.
    compare: Whether the videos are annotated already; the share of frames
      that differs is then noted, and refused above `MOST_DIFFERENT`.

  Returns:
    The videos.
  """
  test = {video.name: video for video in videos if video.split == "test"}
  masks = _cut_array(path, [test.get(name) for name in order], findings)
  masks = dict(zip(order, masks, strict=False))
  if compare and not _agree(test, masks, path, findings):
    return list(videos)
  for name, mask in masks.items():
    video = test[name]
    test[name] = dataclasses.replace(
      video, spans=mask_to_spans(mask), exact_spans=True
    )
    if mask.any() != bool(video.label):
      findings.add(
        "ground-truth",
        name,
        f"{int(mask.sum())} anomalous frames in {path}, but class "
        f"{video.category}; {_cure(listed)}",
      )
  return [test[v.name] if v.split == "test" else v for v in videos]


def _cure(listed: bool) -> str:
  if listed:
    return "--list must be the list that the array was made with."
  return (
    "the videos were taken in the order of their paths. Give the list that the "
    "array was made with as --list."
  )


def _agree(
  videos: Mapping[str, Video],
  masks: Mapping[str, np.ndarray],
  path: Path,
  findings: Findings,
) -> bool:
  """Whether an array is that of the annotations, but for a few frames."""
  differ = {
    name: int((frame_labels(videos[name].spans or (), len(mask)) != mask).sum())
    for name, mask in masks.items()
  }
  count, total = sum(differ.values()), sum(map(len, masks.values()))
  if count > MOST_DIFFERENT * total:
    worst = max(differ, key=lambda name: differ[name])
    findings.add(
      "ground-truth",
      path,
      f"{count} of {total} frames ({count / total:.4%}) differ from the "
      f"annotations, {differ[worst]} of them in {worst}; at most "
      f"{MOST_DIFFERENT:.1%} may. Use an array and annotations of the same "
      "test videos, in the order of the list, or one of the two alone.",
    )
    return False
  if masks:
    findings.note(
      f"of {total} frames ({count / total:.4%}) differ between {path.name}, "
      "which is used, and the annotations",
      count,
    )
  return True


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
  fault = _length_fault(path, array, sum(lengths), len(videos))
  if fault:
    findings.add("ground-truth", path, fault)
    return []
  return np.split(array, np.cumsum(lengths)[:-1])


def _length_fault(
  path: Path, array: np.ndarray, frames: int, videos: int
) -> str:
  """Why an array cannot be that of the test frames; "" if it can."""
  snippets = frames // SNIPPET_FRAMES
  if len(array) == snippets:
    name = quoted(path).npy
    load = f"np.load({name})" if path.suffix == ".npy" else "array"
    return (
      f"{len(array)} values for {snippets} snippets: one value a snippet, but "
      f"one a frame is needed; write np.save({name}, np.repeat({load}, "
      f"{SNIPPET_FRAMES}))"
    )
  if len(array) != frames:
    return (
      f"{len(array)} frames, but the {videos} test videos have {snippets} "
      f"snippets of {SNIPPET_FRAMES}, {frames} frames. It must be made for "
      "these features and these test videos."
    )
  if array.all() or not array.any():
    what = "an anomalous" if array.all() else "a normal"
    return (
      f"every one of its {frames} frames is {what} one; there must be both. "
      "Use the array of the test frames."
    )
  return ""
