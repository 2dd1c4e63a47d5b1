"""The path all data sets share: videos -> checks -> tfds shards.

A builder lists its videos; here they are read, checked, averaged into segments
and written as array_record, without TensorFlow. Source: docs/method.md,
sections 1 and 6.
"""

import abc
import dataclasses
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from tqdm import tqdm

from adplg_jax.data import features as feature_files
from adplg_jax.data.examples import ExampleFormat, ShardFunction, SplitWriter
from adplg_jax.data.findings import Findings, PreparationError, describe
from adplg_jax.data.scan import Rules, check_frames, scan
from adplg_jax.data.store import VERSION, config_name
from adplg_jax.data.videos import Video

SPLITS = ("train_normal", "train_anomalous", "test")


@dataclasses.dataclass(kw_only=True)
class WsvadConfig(tfds.core.BuilderConfig):
  """What every builder can be told.

  Attributes:
    variant: Which features, or the name of a folder data set.
    num_segments: N, rows of a training example.
    dtype: Type features are written in.
    skip_bad: Kinds of findings whose videos are left out.
  """

  name: str = dataclasses.field(default="", init=False)
  variant: str = ""
  num_segments: int = 64
  dtype: str = "float32"
  skip_bad: tuple[str, ...] = ()

  def __post_init__(self):
    self.name = config_name(self.variant, self.num_segments)
    if self.num_segments < 1:
      raise ValueError(f"segments is {self.num_segments}; at least 1.")
    if self.dtype not in feature_files.DTYPES:
      allowed = ", ".join(feature_files.DTYPES)
      raise ValueError(f"dtype is {self.dtype!r}; allowed: {allowed}.")


@dataclasses.dataclass(frozen=True)
class Collection:
  """A data set as its builder lists it.

  Attributes:
    videos: Its videos; crops not yet read.
    rules: What is asked of the files.
    findings: What is wrong already.
    metadata: What a reader of the data set shall know besides.
    zero_padding: Short training crops are filled up with zeros (CLIP).
    annotate: Adds the ground truth, once the videos' snippets are known.
    summarize: Lines on the totals of the videos that were read.
  """

  videos: Sequence[Video]
  rules: Rules
  findings: Findings
  metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  zero_padding: bool = False
  annotate: Callable[[list[Video]], list[Video]] = lambda videos: videos
  summarize: Callable[[Sequence[Video]], Sequence[str]] = lambda videos: ()


class WsvadBuilder(tfds.core.ShardBasedBuilder):
  """Writes the videos that `_collect` lists.

  Attributes:
    summary: Lines on what was found, once prepared.
  """

  VERSION = tfds.core.Version(VERSION)
  builder_config: WsvadConfig
  summary: list[str]

  @abc.abstractmethod
  def _collect(self) -> Collection:
    """Lists the data set."""

  def _info(self) -> tfds.core.DatasetInfo:
    def tensor(*shape: int | None, dtype: Any) -> tfds.features.Tensor:
      return tfds.features.Tensor(shape=shape, dtype=dtype, encoding="bytes")

    def scalar(dtype: Any) -> tfds.features.Scalar:
      return tfds.features.Scalar(dtype=dtype)

    return tfds.core.DatasetInfo(
      builder=self,
      description="Snippet features of videos, one example a crop.",
      features=tfds.features.FeaturesDict(
        {
          "features": tensor(
            None, None, dtype=np.dtype(self.builder_config.dtype).type
          ),
          "length": scalar(np.int32),
          "video": tfds.features.Text(),
          "crop": scalar(np.int32),
          "category": tfds.features.Text(),
          "label": scalar(np.int32),
          "video_key": scalar(np.int32),
          "crop_key": scalar(np.int32),
          "frames": scalar(np.int64),
          "frames_per_snippet": scalar(np.int32),
          "spans": tensor(None, 2, dtype=np.int64),
          "has_spans": scalar(np.bool_),
        }
      ),
      metadata=tfds.core.MetadataDict(),
    )

  def _example_writer(self) -> Any:
    return _UncompressedWriter()

  def _shard_iterators_per_split(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, list[ShardFunction]]:
    del dl_manager
    config = self.builder_config
    collection = self._collect()
    videos, width = self._checked(collection)
    form = ExampleFormat(
      config.num_segments, width, config.dtype, collection.zero_padding
    )
    splits = {name: SplitWriter(name, v, form) for name, v in videos.items()}
    check_disk(
      self.data_dir, sum(split.bytes_written() for split in splits.values())
    )
    longest = max(videos["test"], key=lambda video: video.snippets)
    self.info.metadata.update(  # pyright: ignore[reportOptionalMemberAccess]
      feature_width=width,
      num_segments=config.num_segments,
      num_video_keys=splits["train_anomalous"].num_video_keys,
      num_crop_keys=splits["train_anomalous"].num_crop_keys,
      dtype=config.dtype,
      num_videos={name: len(v) for name, v in videos.items()},
      test_crops=splits["test"].crops,
      notes=dict(collection.findings.notes),
      fingerprint=fingerprint(videos, config),
      longest_test_video=longest.name,
      longest_test_snippets=longest.snippets,
      **collection.metadata,
    )
    bar = tqdm(
      total=sum(map(len, splits.values())),
      desc="writing",
      unit="file",
      mininterval=0.5,
    )
    return {name: split.shards(bar) for name, split in splits.items()}

  def _checked(
    self, collection: Collection
  ) -> tuple[dict[str, list[Video]], int]:
    """Reads all files; the good videos by split, and the feature width.

    Raises:
      PreparationError: Findings that are not to be skipped.
    """
    config, findings = self.builder_config, collection.findings
    videos, width = scan(
      collection.videos, findings, collection.rules, config.dtype
    )
    videos = collection.annotate(videos)
    for video in videos:
      check_frames(video, findings, collection.rules)
    if all(item.kind != "manifest" for item in findings.items):
      check_classes([*collection.videos, *videos], findings)
    self.summary = [*collection.summarize(videos), *findings.note_lines()]
    try:
      splits = _without_bad(videos, findings, config.skip_bad)
    except PreparationError as error:
      raise PreparationError("\n".join([*self.summary, str(error)])) from error
    if findings.items:
      self.summary += ["Left out by --skip-bad:", *describe(findings.items)]
    return splits, width


def _without_bad(
  videos: Sequence[Video], findings: Findings, skip_bad: Sequence[str]
) -> dict[str, list[Video]]:
  """The videos of each split, those with skipped findings left out.

  Raises:
    PreparationError: Findings that are not skipped, or nothing left.
  """
  dropped = findings.dropped(skip_bad)
  splits = {name: [] for name in SPLITS}
  for video in videos:
    if video.name not in dropped:
      splits[split_name(video)].append(video)
  check_classes([v for own in splits.values() for v in own], findings)
  findings.dropped(skip_bad)
  return splits


def split_name(video: Video) -> str:
  """The tfds split a video belongs to."""
  if video.split == "test":
    return "test"
  return "train_anomalous" if video.label else "train_normal"


def fingerprint(
  splits: Mapping[str, Sequence[Video]], config: WsvadConfig
) -> str:
  """Eight digits that differ where what is written differs.

  Features, labels, spans, keys and the order of the videos all count.
  """
  told = [
    (len(video.crops), dataclasses.replace(video, crops=()))
    for videos in splits.values()
    for video in videos
  ]
  written = repr((config.num_segments, config.dtype, told))
  return f"{zlib.crc32(written.encode()):08x}"


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


def check_disk(folder: str, needed: int) -> None:
  """Holds the predicted size of a data set against the free disk.

  Raises:
    PreparationError: There is not enough room.
  """
  free = shutil.disk_usage(folder).free
  if needed > free:
    raise PreparationError(
      f"{folder}: {needed / 2**30:.2f} GiB will be needed, "
      f"{free / 2**30:.2f} GiB are free; use another --data_dir, or --dtype "
      "float16."
    )


class _UncompressedWriter:
  """Writes array_record files; features hardly compress, and read slower."""

  def write(
    self, path: os.PathLike[str], examples: Iterable[tuple[str, bytes]]
  ) -> None:
    writer = ArrayRecordWriter(os.fspath(path), "group_size:1,uncompressed")
    for _, record in examples:
      writer.write(record)
    writer.close()
