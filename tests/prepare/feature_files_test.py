"""Feature files and frame labels: reading and refusals."""

import io

import numpy as np
import pytest

from adplg_jax.prepare import feature_files
from adplg_jax.prepare.feature_files import FeatureFileError

X = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
ONES = np.ones((3, 4), np.float32)
HOLE = ONES.copy()
HOLE[1, 2] = np.nan


def write(path, array):
  """Writes an array as a file's name says."""
  if path.suffix == ".npy":
    np.save(path, array)
  elif path.suffix == ".npz":
    np.savez_compressed(path, features=array)
  else:
    torch = pytest.importorskip("torch")
    torch.save(torch.from_numpy(array), path)
  return path


@pytest.mark.parametrize("suffix", feature_files.SUFFIXES)
def test_reads_one_crop_and_a_column(tmp_path, suffix):
  path = write(tmp_path / f"one{suffix}", X[:, 1])
  assert feature_files.read_header(path) == feature_files.Header(
    (4, 3), np.dtype(np.float32)
  )
  np.testing.assert_array_equal(feature_files.read_features(path), X[:, 1])
  path = write(tmp_path / f"two{suffix}", X.astype(np.float16))
  header = feature_files.read_header(path)
  assert (header.shape, header.dtype) == ((4, 2, 3), np.float16)
  got = feature_files.read_features(path, 1)
  np.testing.assert_array_equal(got, X[:, 1])
  assert got.dtype == np.float16
  assert not isinstance(got, np.memmap)


@pytest.mark.parametrize("suffix", feature_files.SUFFIXES)
def test_reads_some_rows(tmp_path, suffix):
  path = write(tmp_path / f"two{suffix}", X)
  got = feature_files.read_features(path, 0, rows=(1, 3))
  np.testing.assert_array_equal(got, X[1:3, 0])
  path = write(tmp_path / f"one{suffix}", X[:, 0])
  got = feature_files.read_features(path, rows=(0, 4))
  np.testing.assert_array_equal(got, X[:, 0])
  for rows in ((1, 5), (2, 2), (-1, 2)):
    message = f"rows {rows[0]}-{rows[1]} of 4; .* Correct the rows"
    with pytest.raises(FeatureFileError, match=message):
      feature_files.read_features(path, rows=rows)


def test_other_suffixes_are_read_by_content(tmp_path):
  for suffix in (".npy", ".npz", ".pt"):
    path = write(tmp_path / f"a{suffix}", X).rename(tmp_path / "a.features")
    np.testing.assert_array_equal(feature_files.read_features(path, 1), X[:, 1])


@pytest.mark.parametrize(
  ("suffix", "name", "message"),
  [
    (".npz", "v.npy", 'an .npz archive under .*: mv "v.npy" "v.npz"'),
    (".npy", "v.npz", 'an .npy file under .*: mv "v.npz" "v.npy"'),
    (".pt", "v.npy", 'a PyTorch file under .*: mv "v.npy" "v.pt"'),
    (".pt", "v.npz", 'a PyTorch file under .*: mv "v.npz" "v.pt"'),
    (".npy", "v.pth", 'an .npy file under .*: mv "v.pth" "v.npy"'),
  ],
)
def test_renamed_files_are_named(tmp_path, suffix, name, message):
  write(tmp_path / f"a{suffix}", X).rename(tmp_path / name)
  with pytest.raises(FeatureFileError, match=message) as error:
    feature_files.read_features(tmp_path / name)
  assert error.value.kind == "unreadable"


def npy(array, **keywords):
  file = io.BytesIO()
  np.save(file, array, **keywords)
  return file.getvalue()


BAD = {
  "missing-file": (None, "no such file"),
  "truncated": (npy(ONES)[:-5], r"truncated: 171 bytes, .* says 176"),
  "object-array": (
    npy(np.array([{}], object), allow_pickle=True),
    "object array, whose pickle could run any code",
  ),
  "wrong-dtype": (
    npy(ONES.astype(np.float64)),
    "dtype is float64; allowed: float16, float32. To convert it, write "
    r'np.save\("bad.npy", np.load\("bad.npy"\).astype\(np.float32\)\)',
  ),
  "wrong-shape": (npy(ONES[0]), r"shape is \(4,\); allowed: \[T, D\]"),
  "empty": (npy(ONES[:0]), r"shape is \(0, 4\), no snippet"),
  "unreadable": (b"PK\x03\x04" + bytes(500), "a damaged zip archive"),
  "not-finite": (npy(HOLE), "NaN or infinity, first in snippet 1"),
}


@pytest.mark.parametrize("kind", BAD)
def test_refuses_bad_files(tmp_path, kind):
  content, message = BAD[kind]
  path = tmp_path / "bad.npy"
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(FeatureFileError, match=message) as error:
    feature_files.read_features(path)
  assert error.value.kind == kind
  assert str(path) in str(error.value)


def test_refuses_no_bytes_folders_and_several_crops(tmp_path):
  path = tmp_path / "bad.npy"
  path.write_bytes(b"")
  with pytest.raises(FeatureFileError, match="0 bytes"):
    feature_files.read_header(path)
  np.save(path, ONES[:, None])
  with pytest.raises(FeatureFileError, match="here a file has one crop"):
    feature_files.read_features(path)
  with pytest.raises(FeatureFileError, match="cannot be read: Is a directory"):
    feature_files.read_header(tmp_path)


def test_bfloat16_is_named(tmp_path):
  """NumPy writes it as raw bytes, PyTorch by its name."""
  ml_dtypes = pytest.importorskip("ml_dtypes")
  np.save(tmp_path / "v.npy", ONES.astype(ml_dtypes.bfloat16))
  with pytest.raises(FeatureFileError, match=r"dtype is void16; .*bfloat16"):
    feature_files.read_header(tmp_path / "v.npy")
  torch = pytest.importorskip("torch")
  torch.save(torch.ones(3, 4).bfloat16(), tmp_path / "v.pt")
  with pytest.raises(FeatureFileError, match=r"dtype is bfloat16; .*\.float()"):
    feature_files.read_header(tmp_path / "v.pt")


def test_a_compressed_file_counts_as_what_it_takes(tmp_path):
  path = write(tmp_path / "v.npz", np.zeros((1000, 100), np.float32))
  assert path.stat().st_size < 10_000
  assert feature_files.stored_bytes(path) == 400_128
  assert feature_files.stored_bytes(tmp_path / "none.npy") == 0


FLAGS = np.array([0, 0, 1, 1, 0])


@pytest.mark.parametrize("suffix", feature_files.SUFFIXES)
@pytest.mark.parametrize("shape", [(5,), (5, 1), (1, 5)])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float64])
def test_reads_flags(tmp_path, suffix, shape, dtype):
  array = FLAGS.reshape(shape).astype(dtype)
  got = feature_files.read_flags(write(tmp_path / f"gt{suffix}", array))
  assert got.dtype == bool
  np.testing.assert_array_equal(got, FLAGS)


@pytest.mark.parametrize(
  ("array", "message"),
  [
    (FLAGS * 255, r'0 and 255; .* 255: np.save\("gt.npy", np.load\("gt.npy"\)'),
    (FLAGS / 3, "values are 0, 0.333333; allowed: 0 for a"),
    (np.array([0, np.nan]), "values are 0, nan; allowed"),
    (np.zeros((2, 3)), r"shape is \(2, 3\); allowed: one value for each frame"),
    (np.zeros(()), r"shape is \(\); allowed"),
    (np.zeros((0, 1)), r"shape is \(0, 1\); allowed"),
    (np.array(["0", "1"]), "dtype is str32; allowed: numbers, 0 for a normal"),
    (
      np.array([FLAGS, FLAGS[:2]], object),
      "an object array, .*np.concatenate",
    ),
  ],
)
def test_refuses_other_flags(tmp_path, array, message):
  np.save(tmp_path / "gt.npy", array)
  with pytest.raises(FeatureFileError, match=message):
    feature_files.read_flags(tmp_path / "gt.npy")


def test_refuses_flags_in_other_files(tmp_path):
  path = tmp_path / "gt.npy"
  np.savetxt(path, FLAGS)
  with pytest.raises(FeatureFileError, match=r"text, 5 x 1 numbers; .*loadtxt"):
    feature_files.read_flags(path)
  write(tmp_path / "gt.npz", FLAGS).rename(path)
  with pytest.raises(FeatureFileError, match=r'mv "gt.npy" "gt.npz"'):
    feature_files.read_flags(path)
