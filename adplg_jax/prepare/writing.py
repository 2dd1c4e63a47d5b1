"""Videos as the examples of a TFDS data set, one per crop, in shards."""

import dataclasses
import itertools
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from adplg_jax.data import schema
from adplg_jax.prepare.builder import ShardFunction, write_shards
from adplg_jax.prepare.checking import Checked
from adplg_jax.prepare.findings import PreparationError
from adplg_jax.prepare.reading import read_ahead
from adplg_jax.prepare.segments import pad_or_average, segment_means
from adplg_jax.prepare.source import Collected, Options
from adplg_jax.prepare.videos import Crop, Video

SHARD_BYTES = 60 * 2**20
# An array_record file ends with up to two blocks of its own.
TAIL_BYTES = 2**17
# Names, numbers and the record's own bytes.
EXAMPLE_BYTES = 512


def write(
  checked: Checked,
  collection: Collected,
  options: Options,
  name: str,
  folder: Path,
) -> None:
  """Writes a data set that was checked.

  Args:
    checked: Its videos.
    collection: How they were collected.
    options: Segments and type.
    name: Name of the data set.
    folder: Where; `name/VARIANT_nSEGMENTS/VERSION` is made below it.

  Raises:
    PreparationError: There is not enough room, or values overflow.
  """
  form = _Format(
    options.num_segments,
    checked.feature_width,
    options.dtype,
    collection.zero_padding,
  )
  videos = checked.splits
  splits = {split: _Split(split, own, form) for split, own in videos.items()}
  check_disk(folder, sum(split.bytes_written() for split in splits.values()))
  keyed = splits["train_anomalous"]
  longest = max(videos["test"], key=lambda video: video.snippets)
  metadata = {
    "feature_width": checked.feature_width,
    "num_segments": options.num_segments,
    "num_video_keys": keyed.num_video_keys,
    "num_crop_keys": keyed.num_crop_keys,
    "dtype": options.dtype,
    "official_test_crop": collection.official_test_crop,
    "fingerprint": fingerprint(videos, options),
    "incomplete": checked.incomplete,
    "longest_test_video": longest.name,
    "longest_test_snippets": longest.snippets,
    "categories": sorted(
      {v.category for own in videos.values() for v in own if v.label}
    ),
    "frames_per_snippet": _shared(videos, lambda v: v.frames_per_snippet),
    "window": _shared(videos, lambda v: v.window or v.frames_per_snippet),
    # Anomalous training videos of most sources have no spans, known or not.
    "training_truth": sum(bool(v.spans) for v in videos["train_anomalous"]),
    "kind": checked.kind,
    "statistics": checked.statistics,
    "test_crops": splits["test"].crops,
    "training_crops": {
      split: {video.name: len(video.crops) for video in videos[split]}
      for split in schema.TRAINING_SPLITS
    },
  }
  bar = tqdm(
    total=sum(map(len, splits.values())),
    desc="writing",
    unit="file",
    mininterval=0.5,
  )
  write_shards(
    {split: own.shards(bar) for split, own in splits.items()},
    metadata,
    name=name,
    variant=options.variant,
    folder=folder,
  )


def _shared(
  splits: Mapping[str, Sequence[Video]], number: Callable[[Video], int]
) -> int:
  """A number that is the same for all videos; 0 where it is not."""
  found = {number(video) for videos in splits.values() for video in videos}
  return found.pop() if len(found) == 1 else 0


@dataclasses.dataclass(frozen=True)
class _Format:
  """How crops are written.

  Attributes:
    num_segments: N.
    feature_width: D.
    dtype: Type of the features.
    zero_padding: Short training crops are padded with zeros (CLIP).
  """

  num_segments: int
  feature_width: int
  dtype: str
  zero_padding: bool


@dataclasses.dataclass(frozen=True)
class _Row:
  """A crop's place in its data set."""

  video: Video
  crop: Crop
  video_key: int
  crop_key: int


class _Split:
  """The examples of one split.

  Attributes:
    num_video_keys: Memories when the crops of a key share one.
    num_crop_keys: Memories when each crop has its own.
    crops: Crop index of each example.
  """

  def __init__(self, name: str, videos: Sequence[Video], form: _Format):
    """Numbers the crops of `videos`."""
    self._training = name != "test"
    self._form = form
    keys: dict[str, int] = {}
    keyed = name == "train_anomalous"
    if keyed:
      for video in videos:
        keys.setdefault(video.key, len(keys))
    numbers = itertools.count()
    self._rows = [
      _Row(
        video,
        crop,
        keys[video.key] if keyed else -1,
        next(numbers) if keyed else -1,
      )
      for video in videos
      for crop in video.crops
    ]
    self.crops = [row.crop.index for row in self._rows]
    self.num_video_keys = len(keys)
    self.num_crop_keys = len(self._rows) if keyed else 0

  def __len__(self) -> int:
    return len(self._rows)

  def bytes_written(self) -> int:
    """Predicted size on disk."""
    records = sum(map(self._bytes, self._rows))
    return records + TAIL_BYTES * len(self._shard_lengths())

  def shards(self, progress: tqdm) -> list[ShardFunction]:
    """Functions that give the examples of each shard.

    They share one stream that reads ahead, so they must be called, and used
    up, in order: as tfds does.
    """
    stream = read_ahead(
      self._rows, self._example, lambda row: 2 * row.crop.size()
    )

    def shard(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
      try:
        for example in itertools.islice(stream, count):
          progress.update()
          yield f"{example['video']}/{example['crop']}", example
      except BaseException:
        progress.close()
        raise
      if progress.n == progress.total:
        progress.close()

    def function(count: int) -> ShardFunction:
      return lambda: shard(count)

    return [function(count) for count in self._shard_lengths()]

  def _shard_lengths(self) -> list[int]:
    lengths, size = [0], 0
    for row in self._rows:
      own = self._bytes(row)
      if lengths[-1] and size + own > SHARD_BYTES:
        lengths.append(0)
        size = 0
      lengths[-1] += 1
      size += own
    return lengths

  def _bytes(self, row: _Row) -> int:
    form = self._form
    rows = form.num_segments if self._training else row.video.snippets
    item = np.dtype(form.dtype).itemsize
    return rows * form.feature_width * item + EXAMPLE_BYTES

  def _example(self, row: _Row) -> dict[str, Any]:
    """Reads a crop and makes its example."""
    video = row.video
    with np.errstate(over="ignore"):
      features, length = self._features(row.crop.read())
    if not np.isfinite(features).all():
      raise PreparationError(
        f"{row.crop.where()}: its values are finite, but their segment means "
        f"overflow {self._form.dtype}; scale the features of all videos down."
      )
    return {
      "features": features,
      "length": length,
      "video": video.name,
      "crop": row.crop.index,
      "category": video.category,
      "label": video.label,
      "video_key": row.video_key,
      "crop_key": row.crop_key,
      "frames": video.total_frames,
      "frames_per_snippet": video.frames_per_snippet,
      "window": video.window or video.frames_per_snippet,
      "spans": np.array(video.scored_spans, np.int64).reshape(-1, 2),
      "has_spans": video.spans is not None,
      "exact_spans": video.exact_spans,
    }

  def _features(self, array: np.ndarray) -> tuple[np.ndarray, int]:
    """What is written of a crop, and how many of its rows are not padding."""
    form = self._form
    length = len(array)
    if self._training:
      length = form.num_segments
      if form.zero_padding:
        array, length = pad_or_average(array, form.num_segments)
      else:
        array = segment_means(array, form.num_segments)
    return np.ascontiguousarray(array, dtype=form.dtype), length


def fingerprint(splits: Mapping[str, Sequence[Video]], options: Options) -> str:
  """Eight digits that differ where what is written differs.

  Features, labels, spans, keys and the order of the videos all count.
  """
  described = [
    (len(video.crops), dataclasses.replace(video, crops=()))
    for videos in splits.values()
    for video in videos
  ]
  written = repr((options.num_segments, options.dtype, described))
  windows = [video.window for own in splits.values() for video in own]
  if any(windows):
    written += repr(windows)
  return f"{zlib.crc32(written.encode()):08x}"


def check_disk(folder: Path, needed: int) -> None:
  """Compares the predicted size of a data set with the free disk space.

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
