"""Totals of a published data set, found and expected."""

from collections.abc import Sequence

from adplg_jax.data.frames import frame_labels
from adplg_jax.prepare.layout import Features
from adplg_jax.prepare.videos import Video


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
  test_crops = tested * features.crops
  if features.official_test_crop is not None:
    test_crops = None
  share = expected.anomalous_share
  rows = [
    ("training videos, normal", sum(not v.label for v in train), normal),
    ("training videos, anomalous", sum(v.label for v in train), abnormal),
    (
      "training crops, normal",
      sum(len(v.crops) for v in train if not v.label),
      normal * features.crops,
    ),
    (
      "training crops, anomalous",
      sum(len(v.crops) for v in train if v.label),
      abnormal * features.crops,
    ),
    ("test videos", len(test), tested),
    ("test crops", sum(len(v.crops) for v in test), test_crops),
    ("test snippets", sum(v.snippets for v in test), expected.test_snippets),
    ("test frames", frames, expected.test_frames),
    (
      "anomalous share of them",
      f"{anomalous / max(frames, 1):.2%}",
      None if share is None else f"{share:.2%}",
    ),
  ]
  lines = [f"{'':28}{'found':>12}{'expected':>12}"]
  lines += [
    f"{what:28}{found!s:>12}{'-' if want is None else want!s:>12}"
    for what, found, want in rows
  ]
  return lines
