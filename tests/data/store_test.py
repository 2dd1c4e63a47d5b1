"""Opening prepared data sets."""

import json

import pytest

from adplg_jax.data import store
from tests import layouts


def test_what_is_not_prepared_says_what_is(tmp_path):
  layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
  with pytest.raises(store.NotPreparedError) as error:
    store.open_dataset(str(tmp_path), "folder", "mine", 64)
  assert f"Prepared in {tmp_path}: synthetic/tiny_n4." in str(error.value)


def test_nothing_is_prepared(tmp_path):
  with pytest.raises(store.NotPreparedError, match=r"Prepared in .*: nothing"):
    store.open_dataset(str(tmp_path), "folder", "mine", 64)


def test_another_number_of_segments_is_another_data_set(tmp_path):
  layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
  assert store.is_prepared(str(tmp_path), "synthetic", "tiny", 4)
  assert not store.is_prepared(str(tmp_path), "synthetic", "tiny", 8)


def test_the_numbers_of_segments_of_a_data_set(tmp_path):
  """Other variants may begin with the same letters."""
  for name in ("a_n64", "a_n8", "a_n8_n4", "ab_n2", "a_nb_n2", "a_n16"):
    path = tmp_path / "folder" / name / store.VERSION
    path.mkdir(parents=True)
    (path / "dataset_info.json").touch()
  (tmp_path / "folder/a_n16" / store.VERSION / "dataset_info.json").unlink()
  assert store.prepared_segments(str(tmp_path), "folder", "a") == [8, 64]
  assert store.prepared_segments(str(tmp_path), "folder", "c") == []


def test_examples_are_read_by_place(tmp_path):
  layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
  test = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4).test
  assert test[5]["video"] == list(test)[5]["video"]
  with pytest.raises(IndexError, match="example 14 of 14"):
    test[14]


def test_the_official_test_crops_are_those_of_the_metadata(tmp_path):
  path = layouts.prepare_synthetic(str(tmp_path), "tiny", 4).path
  metadata = path / "metadata.json"
  stored = json.loads(metadata.read_text())
  for crop, expected in ((None, {0, 1}), (1, {1})):
    metadata.write_text(json.dumps(stored | {"official_test_crop": crop}))
    data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4)
    assert {int(example["crop"]) for example in data.official_test} == expected
    assert len(data.official_test) == 7 * len(expected)
    assert len(data.test) == 14


def test_the_default_root_is_tfds_own(monkeypatch, tmp_path):
  monkeypatch.setattr(store.constants, "DATA_DIR", str(tmp_path))
  assert store.data_root("") == tmp_path
  assert store.data_root("/elsewhere") != tmp_path


def test_names_of_training_videos_need_no_reading(tmp_path, monkeypatch):
  layouts.prepare_synthetic(str(tmp_path), "tiny", 4)
  data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4)
  splits = (data.train_normal, data.train_anomalous)
  read = [[example["video"] for example in split] for split in splits]

  def fail(example):
    raise AssertionError("read an example")

  monkeypatch.setattr(store.schema, "decode", fail)
  assert [split.videos for split in splits] == read


def test_names_of_an_older_data_set_are_read(tmp_path):
  """Its metadata do not have them."""
  path = layouts.prepare_synthetic(str(tmp_path), "tiny", 4).path
  metadata = path / "metadata.json"
  stored = json.loads(metadata.read_text())
  del stored["training_crops"], stored["categories"]
  metadata.write_text(json.dumps(stored))
  data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4)
  assert data.metadata.categories == ()
  normal = data.train_normal
  assert normal.videos == [example["video"] for example in normal]
