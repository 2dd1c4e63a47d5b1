"""Opens prepared data sets: random access, NumPy, no TensorFlow."""

import dataclasses
import functools
import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core import constants

from adplg_jax.data import schema
from adplg_jax.data.normalize import NONE, Normalization

VERSION = "1.0.0"


class NotPreparedError(ValueError):
  """A data set that has not been prepared."""


@dataclasses.dataclass(frozen=True)
class Metadata:
  """Properties of a data set.

  Attributes:
    feature_width: D.
    num_segments: N, rows of a training example.
    num_video_keys: Memories when the crops of a video share one.
    num_crop_keys: Memories when each crop has its own.
    dtype: Type of the features as they are written.
    official_test_crop: The one crop that the official evaluation scores, None
      for all.
    fingerprint: Differs where features, labels or their order differ.
    incomplete: What it lacks of the complete data set, in words; "" where it
      lacks nothing, or nothing is known of that.
    longest_test_video: The longest test video.
    longest_test_snippets: Its snippets.
    categories: Classes of the anomalous videos; empty where the data set was
      prepared before they were recorded.
    frames_per_snippet: Frames from one snippet's start to the next one's; 0
      where videos differ, or it was not recorded.
    window: Frames that each snippet is extracted from; likewise.
    training_truth: Anomalous training videos whose spans are known; 0, too,
      where the data set was prepared before they were counted.
    kind: What made the features, as `adplg_jax.extract` notes it beside them;
      "" where that is not known.
  """

  feature_width: int
  num_segments: int
  num_video_keys: int
  num_crop_keys: int
  dtype: str
  official_test_crop: int | None = None
  fingerprint: str = ""
  incomplete: str = ""
  longest_test_video: str = ""
  longest_test_snippets: int = 0
  categories: tuple[str, ...] = ()
  frames_per_snippet: int = 0
  window: int = 0
  training_truth: int = 0
  kind: str = ""


class Split(Sequence[dict[str, Any]]):
  """Examples of a split, read and decoded on access."""

  def __init__(
    self,
    source: Any,
    *,
    rows: Sequence[int] | None = None,
    crops: Mapping[str, int] | None = None,
    normalization: Normalization = NONE,
  ):
    """Wraps a TFDS data source.

    Args:
      source: The data source.
      rows: The examples that belong to the split; None for all.
      crops: Number of examples of each video, in their order, where known.
      normalization: What is done with the features on access.
    """
    self._source = source
    self._normalization = normalization
    self._rows = range(len(source)) if rows is None else rows
    self._crops = crops

  def __len__(self) -> int:
    return len(self._rows)

  def __getitem__(self, index):
    if not 0 <= index < len(self):
      raise IndexError(f"example {index} of {len(self)}")
    example = schema.decode(self._source[self._rows[index]])
    return self._normalization.apply_to_example(example)

  def normalized(self, normalization: Normalization) -> "Split":
    """The same examples, as they are stored, normalised in this way."""
    return Split(
      self._source,
      rows=self._rows,
      crops=self._crops,
      normalization=normalization,
    )

  @functools.cached_property
  def videos(self) -> list[str]:
    """The video of each example, from the metadata.

    Data sets prepared before the metadata had names are decoded for them.
    """
    if self._crops is None:
      return [example["video"] for example in self]
    return [name for name, crops in self._crops.items() for _ in range(crops)]


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A prepared data set.

  Attributes:
    metadata: Widths and counts.
    train_normal: Normal training crops, as segment means.
    train_anomalous: Anomalous training crops, as segment means.
    test: Test crops, at full length.
    official_test: Those that the official evaluation scores: all, but for
      CLIP, one per video.
    statistics: Of the training features, as `prepare.scale` measures them; None
      for a data set prepared before it did.
  """

  metadata: Metadata
  train_normal: Split
  train_anomalous: Split
  test: Split
  official_test: Split
  statistics: Mapping[str, Any] | None = None

  def normalized(self, normalization: Normalization) -> "Dataset":
    """The same data set, all of its features normalised in this way."""
    names = (*schema.SPLITS, "official_test")
    splits = {n: getattr(self, n).normalized(normalization) for n in names}
    return dataclasses.replace(self, **splits)


def data_root(data_dir: str) -> Path:
  """The root of the data sets: `data_dir`, or TFDS' own when it is empty."""
  return Path(data_dir or constants.DATA_DIR).expanduser()


def dataset_path(
  data_dir: str, builder: str, variant: str, num_segments: int
) -> Path:
  """The folder of a data set, prepared or not."""
  name = config_name(variant, num_segments)
  return data_root(data_dir) / builder / name / VERSION


def config_name(variant: str, num_segments: int) -> str:
  """Name of a data set's folder below its builder's."""
  return f"{variant}_n{num_segments}"


def is_prepared(
  data_dir: str, builder: str, variant: str, num_segments: int
) -> bool:
  """Whether a data set is prepared. If its folder exists, it is complete."""
  path = dataset_path(data_dir, builder, variant, num_segments)
  return (path / "dataset_info.json").is_file()


def prepared_segments(data_dir: str, builder: str, variant: str) -> list[int]:
  """The N that a data set is prepared for, ascending."""
  start = f"{variant}_n"
  found = (
    path.parts[-3].removeprefix(start)
    for path in (data_root(data_dir) / builder).glob(
      f"{glob.escape(start)}*/{VERSION}/dataset_info.json"
    )
  )
  # Another variant may begin with this one's name.
  return sorted(int(number) for number in found if number.isdigit())


def open_dataset(
  data_dir: str, builder: str, variant: str, num_segments: int
) -> Dataset:
  """Opens a prepared data set.

  Args:
    data_dir: Root of the data sets; "" for TFDS' own.
    builder: Name of the data set, as `prepare` lists them.
    variant: Which features, or the folder data set's name.
    num_segments: N.

  Returns:
    The data set; its examples are those of `schema`.

  Raises:
    NotPreparedError: It does not exist; lists those that do.
  """
  path = dataset_path(data_dir, builder, variant, num_segments)
  if not is_prepared(data_dir, builder, variant, num_segments):
    root = data_root(data_dir)
    raise NotPreparedError(
      f"{path} is not prepared. Prepared in {root}: "
      f"{', '.join(prepared(root)) or 'nothing'}."
    )
  opened: Any = tfds.builder_from_directory(path)
  stored = dict(opened.info.metadata)
  known = {field.name for field in dataclasses.fields(Metadata)}
  facts: dict[str, Any] = {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in stored.items()
    if name in known
  }
  metadata = Metadata(**facts)
  official = [
    row
    for row, crop in enumerate(stored["test_crops"])
    if metadata.official_test_crop in (None, crop)
  ]
  crops = stored.get("training_crops", {})
  training = {
    name: Split(opened.as_data_source(name), crops=crops.get(name))
    for name in schema.TRAINING_SPLITS
  }
  test = opened.as_data_source("test")
  return Dataset(
    metadata,
    **training,
    test=Split(test),
    official_test=Split(test, rows=official),
    statistics=stored.get("statistics"),
  )


def prepared(root: Path) -> list[str]:
  """The data sets below a root, as builder/variant_nN."""
  return sorted(
    "/".join(path.parts[-4:-2])
    for path in root.glob(f"*/*_n*/{VERSION}/dataset_info.json")
  )
