"""Everything about writing with TFDS: shards of array_record files.

Without TensorFlow, and readable by `tfds.builder_from_directory`.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from absl import logging
from array_record.python.array_record_module import ArrayRecordWriter

from adplg_jax.data import schema
from adplg_jax.data.store import VERSION, config_name

ShardFunction = Callable[[], Iterator[tuple[str, dict[str, Any]]]]


def write_shards(
  splits: Mapping[str, Sequence[ShardFunction]],
  metadata: Mapping[str, Any],
  *,
  name: str,
  variant: str,
  folder: Path,
) -> None:
  """Writes a data set.

  Args:
    splits: Functions that give the examples of each shard, in order, by split.
    metadata: What `store.Metadata` reads, as JSON.
    name: Name of the data set.
    variant: Name of its variant.
    folder: Where; `name/VARIANT_nSEGMENTS/VERSION` is made below it.
  """
  verbosity = logging.get_verbosity()
  # TFDS warns that it does not know the configuration, announces a download,
  # and prints the folder's name.
  logging.set_verbosity(logging.ERROR)
  try:
    with contextlib.redirect_stdout(None):
      _Builder(splits, metadata, name, variant, folder).download_and_prepare()
  finally:
    logging.set_verbosity(verbosity)


class _Builder(tfds.core.ShardBasedBuilder, skip_registration=True):
  """The data set in the form that TFDS expects."""

  VERSION = tfds.core.Version(VERSION)

  def __init__(
    self,
    splits: Mapping[str, Sequence[ShardFunction]],
    metadata: Mapping[str, Any],
    name: str,
    variant: str,
    folder: Path,
  ):
    # TFDS takes a data set's name from its class, but all share this one.
    self.name = name  # pyright: ignore[reportAttributeAccessIssue]
    self._splits = splits
    self._metadata = metadata
    config = tfds.core.BuilderConfig(
      name=config_name(variant, metadata["num_segments"])
    )
    super().__init__(data_dir=folder, config=config, file_format="array_record")

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
      builder=self,
      description="Snippet features of videos, one example per crop.",
      features=schema.tfds_features(self._metadata["dtype"]),
      metadata=tfds.core.MetadataDict(self._metadata),
    )

  def _example_writer(self) -> Any:
    return _UncompressedWriter()

  def _shard_iterators_per_split(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, list[ShardFunction]]:
    del dl_manager
    return {split: list(shards) for split, shards in self._splits.items()}


class _UncompressedWriter:
  """Writes array_record files; features hardly compress, and read slower."""

  def write(
    self, path: os.PathLike[str], examples: Iterable[tuple[str, bytes]]
  ) -> None:
    writer = ArrayRecordWriter(os.fspath(path), "group_size:1,uncompressed")
    for _, record in examples:
      writer.write(record)
    writer.close()
