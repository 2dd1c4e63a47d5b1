"""Opens prepared data sets: random access, NumPy, no TensorFlow."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import constants

from adplg_jax.data.benchmarks import BENCHMARKS

VERSION = "1.0.0"
_TEXTS = ("video", "category")
_INTEGERS = (
  "length",
  "crop",
  "label",
  "video_key",
  "crop_key",
  "frames_per_snippet",
)


class NotPreparedError(ValueError):
  """A data set that has not been prepared."""


@dataclasses.dataclass(frozen=True)
class Metadata:
  """What a data set says of itself.

  Attributes:
    feature_width: D.
    num_segments: N, rows of a training example.
    num_video_keys: Memories when the crops of a video share one.
    num_crop_keys: Memories when each crop has its own.
    dtype: Type of the features as they are written.
    official_test_crop: The one crop that the official evaluation scores, None
      for all.
    fingerprint: Differs where features, labels or their order differ.
    longest_test_video: The longest test video.
    longest_test_snippets: Its snippets.
  """

  feature_width: int
  num_segments: int
  num_video_keys: int
  num_crop_keys: int
  dtype: str
  official_test_crop: int | None = None
  fingerprint: str = ""
  longest_test_video: str = ""
  longest_test_snippets: int = 0


class Split(Sequence[dict[str, Any]]):
  """Examples of a split, read and decoded when asked for."""

  def __init__(self, source: Any, rows: Sequence[int] | None = None):
    """Wraps a tfds data source, or some rows of it."""
    self._source = source
    self._rows = range(len(source)) if rows is None else rows

  def __len__(self) -> int:
    return len(self._rows)

  def __getitem__(self, index):
    if not 0 <= index < len(self):
      raise IndexError(f"example {index} of {len(self)}")
    example = self._source[self._rows[index]]
    for name in _TEXTS:
      example[name] = example[name].decode()
    for name in _INTEGERS:
      example[name] = np.int32(example[name])
    return example


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A prepared data set.

  Attributes:
    metadata: Widths and counts.
    train_normal: Normal training crops, as segment means.
    train_anomalous: Anomalous training crops, as segment means.
    test: Test crops, whole.
    official_test: Those that the official evaluation scores: all, but for
      CLIP's one a video.
  """

  metadata: Metadata
  train_normal: Sequence[dict[str, Any]]
  train_anomalous: Sequence[dict[str, Any]]
  test: Sequence[dict[str, Any]]
  official_test: Sequence[dict[str, Any]]


def data_root(data_dir: str) -> Path:
  """The root of the data sets: `data_dir`, or tfds' own when it is empty."""
  return Path(data_dir or constants.DATA_DIR).expanduser()


def dataset_path(
  data_dir: str, builder: str, variant: str, num_segments: int
) -> Path:
  """Where a data set lies, prepared or not."""
  name = config_name(variant, num_segments)
  return data_root(data_dir) / builder / name / VERSION


def config_name(variant: str, num_segments: int) -> str:
  """Name of a data set's folder below its builder's."""
  return f"{variant}_n{num_segments}"


def is_prepared(
  data_dir: str, builder: str, variant: str, num_segments: int
) -> bool:
  """Whether a data set is there. What is there is whole."""
  path = dataset_path(data_dir, builder, variant, num_segments)
  return (path / "dataset_info.json").is_file()


def open_dataset(
  data_dir: str, builder: str, variant: str, num_segments: int
) -> Dataset:
  """Opens a prepared data set.

  Args:
    data_dir: Root of the data sets; "" for tfds' own.
    builder: synthetic | folder | ucf_crime | xd_violence | shanghaitech.
    variant: Which features, or the folder data set's name.
    num_segments: N.

  Returns:
    The data set. Examples are dicts: features [n d] or [t d], length, video,
    crop, category, label, video_key, crop_key, frames, frames_per_snippet,
    spans [s 2], has_spans.

  Raises:
    NotPreparedError: It is not there; says what is, and how to prepare it.
  """
  path = dataset_path(data_dir, builder, variant, num_segments)
  if not is_prepared(data_dir, builder, variant, num_segments):
    raise NotPreparedError(
      _not_prepared(path, data_dir, builder, variant, num_segments)
    )
  opened: Any = tfds.builder_from_directory(path)
  stored = dict(opened.info.metadata)
  known = {field.name for field in dataclasses.fields(Metadata)}
  metadata = Metadata(**{k: v for k, v in stored.items() if k in known})
  rows = [
    row
    for row, crop in enumerate(stored["test_crops"])
    if metadata.official_test_crop in (None, crop)
  ]
  test = opened.as_data_source("test")
  return Dataset(
    metadata=metadata,
    train_normal=Split(opened.as_data_source("train_normal")),
    train_anomalous=Split(opened.as_data_source("train_anomalous")),
    test=Split(test),
    official_test=Split(test, rows),
  )


def prepared(root: Path) -> list[str]:
  """The data sets below a root, as builder/variant_nN."""
  return sorted(
    "/".join(path.parts[-4:-2])
    for path in root.glob(f"*/*_n*/{VERSION}/dataset_info.json")
  )


def _not_prepared(
  path: Path, data_dir: str, builder: str, variant: str, num_segments: int
) -> str:
  if builder in BENCHMARKS and variant not in BENCHMARKS[builder].features:
    allowed = " | ".join(BENCHMARKS[builder].features)
    return (
      f"config.data.variant is {variant!r}; allowed for {builder}: {allowed}."
    )
  target = {
    "synthetic": f"synthetic --variant {variant}",
    "folder": f"folder --name {variant or 'NAME'} --manifest MANIFEST.csv",
  }.get(builder, f"{builder}:{variant} --features DIR --annotations FILE")
  command = f"python -m adplg_jax.prepare {target} --segments {num_segments}"
  if data_dir:
    command += f" --data_dir {data_dir}"
  there = prepared(data_root(data_dir))
  return (
    f"{path} is not prepared. Prepared in {data_root(data_dir)}: "
    f"{', '.join(there) or 'nothing'}. Prepare it with\n  {command}"
  )
