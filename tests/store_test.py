"""Opening prepared data sets."""

import pytest

from adplg_jax.data import store
from adplg_jax.data.builders import synthetic


def test_what_is_not_prepared_says_what_is(tmp_path):
  synthetic.prepare_synthetic(str(tmp_path), "tiny", 4)
  with pytest.raises(store.NotPreparedError) as error:
    store.open_dataset(str(tmp_path), "folder", "mine", 64)
  message = str(error.value)
  assert "Prepared in" in message
  assert "synthetic/tiny_n4" in message
  assert (
    "python -m adplg_jax.prepare folder --name mine --manifest MANIFEST.csv "
    f"--segments 64 --data_dir {tmp_path}"
  ) in message


def test_benchmarks_are_named_as_the_command_line_takes_them(tmp_path):
  with pytest.raises(store.NotPreparedError, match=r"Prepared in .*: nothing"):
    store.open_dataset(str(tmp_path), "folder", "mine", 64)
  with pytest.raises(
    store.NotPreparedError, match="prepare ucf_crime:i3d --features DIR"
  ):
    store.open_dataset(str(tmp_path), "ucf_crime", "i3d", 64)


def test_another_number_of_segments_is_another_data_set(tmp_path):
  synthetic.prepare_synthetic(str(tmp_path), "tiny", 4)
  assert store.is_prepared(str(tmp_path), "synthetic", "tiny", 4)
  assert not store.is_prepared(str(tmp_path), "synthetic", "tiny", 8)


def test_examples_are_read_by_place(tmp_path):
  synthetic.prepare_synthetic(str(tmp_path), "tiny", 4)
  test = store.open_dataset(str(tmp_path), "synthetic", "tiny", 4).test
  assert test[5]["video"] == list(test)[5]["video"]
  with pytest.raises(IndexError, match="example 14 of 14"):
    test[14]


def test_the_default_root_is_tfds_own(monkeypatch, tmp_path):
  monkeypatch.setattr(store.constants, "DATA_DIR", str(tmp_path))
  assert store.data_root("") == tmp_path
  assert store.data_root("/elsewhere") != tmp_path
