"""Feature files: reading and refusals."""

import io

import numpy as np
import pytest

from adplg_jax.prepare import feature_files


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_one_crop(tmp_path, dtype, order):
  x = np.arange(12).reshape(4, 3).astype(dtype)
  np.save(tmp_path / "a.npy", np.asarray(x, order=order))
  np.testing.assert_array_equal(
    feature_files.read_features(tmp_path / "a.npy"), x
  )


def test_reads_a_column(tmp_path):
  x = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
  np.save(tmp_path / "a.npy", x)
  assert feature_files.read_header(tmp_path / "a.npy").crops == 2
  got = feature_files.read_features(tmp_path / "a.npy", 1)
  np.testing.assert_array_equal(got, x[:, 1])
  assert not isinstance(got, np.memmap)


def npy(array, **keywords):
  file = io.BytesIO()
  np.save(file, array, **keywords)
  return file.getvalue()


ONES = np.ones((3, 4), np.float32)


HOLE = ONES.copy()


HOLE[1, 2] = np.nan


BAD = {
  "missing-file": (None, "no such file"),
  "truncated": (npy(ONES)[:-5], r"truncated: 171 bytes, .* says 176"),
  "object-array": (
    npy(np.array([{}], object), allow_pickle=True),
    "object array, whose pickle could run any code",
  ),
  "wrong-dtype": (npy(ONES.astype(np.float64)), "dtype is float64; allowed"),
  "wrong-shape": (npy(ONES[0]), r"shape is \(4,\); allowed: \[T, D\]"),
  "empty": (npy(ONES[:0]), r"shape is \(0, 4\), no snippet"),
  "unreadable": (b"no array at all", "not an .npy file"),
  "not-finite": (npy(HOLE), "NaN or infinity, first in snippet 1"),
}


@pytest.mark.parametrize("kind", BAD)
def test_refuses_bad_files(tmp_path, kind):
  content, message = BAD[kind]
  path = tmp_path / "bad.npy"
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(feature_files.FeatureFileError, match=message) as error:
    feature_files.read_features(path)
  assert error.value.kind == kind
  assert str(path) in str(error.value)


def test_refuses_no_bytes_archives_and_several_crops(tmp_path):
  path = tmp_path / "bad.npy"
  path.write_bytes(b"")
  with pytest.raises(feature_files.FeatureFileError, match="0 bytes"):
    feature_files.read_header(path)
  with path.open("wb") as file:
    np.savez(file, x=ONES)
  with pytest.raises(feature_files.FeatureFileError, match=r"\.npz archive"):
    feature_files.read_header(path)
  np.save(path, ONES[:, None])
  with pytest.raises(
    feature_files.FeatureFileError, match="here a file has one crop"
  ):
    feature_files.read_features(path)
