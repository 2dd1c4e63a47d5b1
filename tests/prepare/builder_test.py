"""What TFDS writes: shards in order, uncompressed, and no word of its own."""

import tensorflow_datasets as tfds
from absl import logging
from array_record.python.array_record_module import ArrayRecordReader

from adplg_jax.data import store
from tests import layouts


def test_tfds_opens_what_is_written(tmp_path):
  """By itself, as `tfds.builder_from_directory` and without our reader."""
  path = layouts.prepare_synthetic(str(tmp_path), "tiny", 4).path
  opened = tfds.builder_from_directory(path)
  assert opened.info.full_name == f"synthetic/tiny_n4/{store.VERSION}"
  source = opened.as_data_source("test")
  assert len(source) == opened.info.splits["test"].num_examples
  ours = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4).test
  assert source[3]["video"].decode() == ours[3]["video"]


def test_records_are_not_compressed(tmp_path):
  """Features are found on disk byte by byte."""
  path = layouts.prepare_synthetic(str(tmp_path), "tiny", 4).path
  data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4)
  (file,) = path.glob("*-test.array_record*")
  assert data.test[0]["features"].tobytes() in file.read_bytes()
  reader = ArrayRecordReader(str(file))
  assert "uncompressed" in reader.writer_options_string()
  reader.close()


def test_tfds_prints_nothing_and_logs_as_before(tmp_path, capsys):
  before = logging.get_verbosity()
  logging.set_verbosity(logging.INFO)
  try:
    layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
    assert logging.get_verbosity() == logging.INFO
  finally:
    logging.set_verbosity(before)
  assert capsys.readouterr().out == ""
