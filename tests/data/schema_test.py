"""The example: described once, read as it was written."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from adplg_jax.data import schema, store
from adplg_jax.prepare.builder import write_shards

FIELDS = (
  "features",
  "length",
  "video",
  "crop",
  "category",
  "label",
  "video_key",
  "crop_key",
  "frames",
  "frames_per_snippet",
  "window",
  "spans",
  "has_spans",
  "exact_spans",
)


def example(dtype, spans=((3, 9), (2**40, 2**40 + 1))):
  """An example with a different value in every field."""
  return {
    "features": np.arange(6).reshape(3, 2).astype(dtype),
    "length": 3,
    "video": "Überfall 1",
    "crop": 7,
    "category": "Röhre",
    "label": 1,
    "video_key": -1,
    "crop_key": 2**31 - 1,
    "frames": 2**40,
    "frames_per_snippet": 20,
    "window": 50,
    "spans": np.array(spans, np.int64).reshape(-1, 2),
    "has_spans": True,
    "exact_spans": True,
  }


@pytest.mark.parametrize("dtype", schema.FEATURE_TYPES)
def test_examples_come_back_as_they_are_written(tmp_path, dtype):
  written = [example(dtype), example(dtype, spans=())]
  written[1] |= {"crop": 8, "has_spans": False}

  def shard():
    for number, own in enumerate(written):
      yield str(number), own

  metadata = {
    "feature_width": 2,
    "num_segments": 3,
    "num_video_keys": 1,
    "num_crop_keys": 1,
    "dtype": dtype,
    "official_test_crop": None,
    "test_crops": [7, 8],
  }
  splits = {name: [shard] for name in schema.SPLITS}
  write_shards(splits, metadata, name="x", variant="y", folder=tmp_path)
  data = store.open_dataset(str(tmp_path), "x", "y", 3)
  for split in (data.train_normal, data.train_anomalous, data.test):
    for read, own in zip(split, written, strict=True):
      assert set(read) == set(own) == set(FIELDS)
      for name, value in own.items():
        np.testing.assert_array_equal(read[name], value, err_msg=name)
      assert read["features"].dtype == dtype
      assert isinstance(read["video"], str)
      assert isinstance(read["category"], str)
      assert isinstance(read["has_spans"], np.bool_)
      for name in ("frames", "spans"):
        assert read[name].dtype == np.int64
      for name in ("length", "crop", "label", "video_key", "crop_key"):
        assert isinstance(read[name], np.int32)


def test_a_field_that_was_not_there_yet_has_a_value(tmp_path, monkeypatch):
  """Data sets prepared before `exact_spans` existed still open."""
  fields = {k: v for k, v in schema._FIELDS.items() if k != "exact_spans"}
  own = example("float32")
  del own["exact_spans"]
  metadata = {
    "feature_width": 2,
    "num_segments": 3,
    "num_video_keys": 1,
    "num_crop_keys": 1,
    "dtype": "float32",
    "test_crops": [7],
  }
  splits = {name: [lambda: iter([("0", own)])] for name in schema.SPLITS}
  with monkeypatch.context() as patch:
    patch.setattr(schema, "_FIELDS", fields)
    write_shards(splits, metadata, name="x", variant="y", folder=tmp_path)
  (read,) = store.open_dataset(str(tmp_path), "x", "y", 3).test
  assert tuple(sorted(read)) == tuple(sorted(FIELDS))
  assert isinstance(read["exact_spans"], np.bool_)
  assert not read["exact_spans"]


def test_the_description_for_tfds():
  features = schema.tfds_features("float16")
  assert tuple(features) == FIELDS
  assert features["features"].shape == (None, None)
  assert features["features"].np_dtype == np.float16
  assert features["spans"].shape == (None, 2)
  assert isinstance(features["video"], tfds.features.Text)
  assert features["label"].shape == ()


def test_splits():
  assert schema.SPLITS == ("train_normal", "train_anomalous", "test")
  assert schema.SNIPPET_FRAMES == 16
