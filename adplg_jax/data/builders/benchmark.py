"""What the builders of the three benchmarks share."""

import abc
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from adplg_jax.data.annotate import annotate_by_array
from adplg_jax.data.benchmarks import Benchmark, Features
from adplg_jax.data.builders.base import Collection, WsvadBuilder, WsvadConfig
from adplg_jax.data.findings import Findings, PreparationError
from adplg_jax.data.ground_truth import frame_labels
from adplg_jax.data.listing import Listing, list_videos
from adplg_jax.data.scan import Rules
from adplg_jax.data.videos import Video


@dataclasses.dataclass(kw_only=True)
class BenchmarkConfig(WsvadConfig):
  """What a benchmark's builder is told besides.

  Attributes:
    features: Folder that the official folders lie in.
    annotations: The official annotation file, or the folder of masks.
    lists: List files of the splits.
    ground_truth: The field's array of test frames.
  """

  features: str = ""
  annotations: str = ""
  lists: tuple[str, ...] = ()
  ground_truth: str = ""


class BenchmarkBuilder(WsvadBuilder):
  """Lists a benchmark's files; a subclass reads its annotations."""

  benchmark: Benchmark

  def _test_names(self, path: Path, findings: Findings) -> frozenset[str]:
    """Names that the annotations tell to be test videos."""
    del path, findings
    return frozenset()

  @abc.abstractmethod
  def _annotate(
    self, videos: list[Video], path: Path, findings: Findings
  ) -> list[Video]:
    """Adds the ground truth that a file or folder of annotations holds."""

  def _collect(self) -> Collection:
    config = self.builder_config
    if not isinstance(config, BenchmarkConfig):
      raise ValueError(f"the {self.name} builder needs a BenchmarkConfig")
    features = self.benchmark.features[config.variant]
    annotations = Path(config.annotations) if config.annotations else None
    if annotations is None and not config.ground_truth:
      raise PreparationError("--annotations or --ground-truth is needed.")
    if annotations is not None and not annotations.exists():
      raise PreparationError(f"{annotations}: no such file or folder.")
    findings = Findings()
    listing = list_videos(
      self.benchmark,
      features,
      Path(config.features),
      [Path(path) for path in config.lists],
      findings,
      self._test_names(annotations, Findings()) if annotations else frozenset(),
    )
    rules = Rules(features.width, visual_width=features.visual_width)
    return Collection(
      listing.videos,
      rules,
      findings,
      {
        "official_test_crop": features.official_test_crop,
        "expected": dataclasses.asdict(features.expected),
      },
      features.zero_padding,
      lambda videos: self._add_truth(videos, annotations, listing, findings),
      lambda videos: totals(videos, features),
    )

  def _add_truth(
    self,
    videos: list[Video],
    annotations: Path | None,
    listing: Listing,
    findings: Findings,
  ) -> list[Video]:
    if annotations is not None:
      videos = self._annotate(videos, annotations, findings)
    config = self.builder_config
    if isinstance(config, BenchmarkConfig) and config.ground_truth:
      if not listing.listed:
        findings.note(
          "test videos taken in order of their paths for --ground-truth; "
          "--list gives another",
          len(listing.order),
        )
      videos = annotate_by_array(
        videos,
        Path(config.ground_truth),
        listing.order,
        findings,
        labels_by_name=self.benchmark.test_labels_by_name,
        compare=annotations is not None,
      )
    return videos


def totals(videos: Sequence[Video], features: Features) -> list[str]:
  """A table of what was found beside what the complete data set has."""
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
