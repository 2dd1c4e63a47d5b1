"""Totals of a published data set, found and expected."""

from collections.abc import Collection, Sequence

from adplg_jax.data.frames import frame_labels
from adplg_jax.prepare.layout import Expected, Features
from adplg_jax.prepare.videos import Video

# An anomalous share that differs from the complete data set's by this factor
# is pointed out.
_FAR = 1.5


def totals(videos: Sequence[Video], features: Features) -> list[str]:
  """A table of the totals found and those of the complete data set."""
  test = [video for video in videos if video.split == "test"]
  train = [video for video in videos if video.split == "train"]
  frames = sum(video.total_frames for video in test)
  anomalous = sum(
    int(frame_labels(video.spans or (), video.total_frames).sum())
    for video in test
  )
  expected = features.expected
  normal, abnormal, tested = expected.videos
  # Of CLIP's test videos one crop is enough.
  test_crops = features.crops
  if features.official_test_crop is not None:
    test_crops = None
  found_share = anomalous / max(frames, 1)
  share = expected.anomalous_share
  rows = [
    ("training videos, normal", sum(not v.label for v in train), normal),
    ("training videos, anomalous", sum(v.label for v in train), abnormal),
    (
      "training crops, normal",
      sum(len(v.crops) for v in train if not v.label),
      _times(normal, features.crops),
    ),
    (
      "training crops, anomalous",
      sum(len(v.crops) for v in train if v.label),
      _times(abnormal, features.crops),
    ),
    ("test videos", len(test), tested),
    (
      "test crops",
      sum(len(v.crops) for v in test),
      _times(tested, test_crops),
    ),
    ("test snippets", sum(v.snippets for v in test), expected.test_snippets),
    ("test frames", frames, expected.test_frames),
    (
      "anomalous share of them",
      f"{found_share:.2%}",
      None if share is None else f"{share:.2%}",
    ),
  ]
  lines = [f"{'':28}{'found':>12}{'expected':>12}"]
  lines += [
    f"{what:28}{found!s:>12}{'-' if want is None else want!s:>12}"
    for what, found, want in rows
  ]
  if share and anomalous and not share / _FAR < found_share < share * _FAR:
    lines.append(
      f"note: {found_share:.2%} of the test frames are anomalous, {share:.2%} "
      "of those of the complete data set; check the ground truth."
    )
  return lines


def _times(videos: int, crops: int | None) -> int | None:
  return None if crops is None else videos * crops


def incomplete(
  videos: Sequence[Video], expected: Expected, categories: Collection[str]
) -> str:
  """What videos lack of the complete data set, in words; "" for nothing.

  Args:
    videos: The videos.
    expected: Totals of the complete data set.
    categories: Classes of its anomalous videos.
  """
  found = (
    sum(v.split == "train" and not v.label for v in videos),
    sum(v.split == "train" and v.label == 1 for v in videos),
    sum(v.split == "test" for v in videos),
  )
  what = ("normal training videos", "anomalous training videos", "test videos")
  lacks = [
    f"{count} of {total} {name}"
    for count, total, name in zip(found, expected.videos, what, strict=True)
    if count < total
  ]
  present = {video.category for video in videos}
  absent = [name for name in categories if name not in present]
  if absent:
    lacks.append(f"no video of class {', '.join(absent)}")
  return f"incomplete: {'; '.join(lacks)}" if lacks else ""
