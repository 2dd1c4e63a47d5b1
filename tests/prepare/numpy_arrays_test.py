"""Arrays of .npy and .npz files: parts, orders, damage."""

import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from adplg_jax.prepare import numpy_arrays
from adplg_jax.prepare.stored_array import FeatureFileError

X = np.arange(120, dtype=np.float32).reshape(10, 4, 3)
READERS = {"npy": numpy_arrays.NpyArray, "npz": numpy_arrays.NpzArray}


def write(tmp_path, kind, array):
  path = tmp_path / f"v.{kind}"
  if kind == "npy":
    np.save(path, array)
  else:
    np.savez_compressed(path, features=array)
  return path


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_rows_and_columns(tmp_path, kind, dtype, order, monkeypatch):
  monkeypatch.setattr(numpy_arrays, "_BLOCK_BYTES", 100)
  x = np.asarray(X.astype(dtype), order=order)
  stored = READERS[kind](write(tmp_path, kind, x))
  assert stored.shape == x.shape
  assert stored.dtype == np.dtype(dtype).newbyteorder("=").name
  for start, stop, column in ((0, 10, None), (3, 7, None), (2, 9, 1)):
    part = stored.read(start, stop, column)
    want = x[start:stop] if column is None else x[start:stop, column]
    np.testing.assert_array_equal(part, want)
    assert part.flags.c_contiguous
    assert not isinstance(part, np.memmap)
  assert stored.load.startswith(f'np.load("v.{kind}")')


@pytest.mark.parametrize("kind", READERS)
def test_one_dimension(tmp_path, kind):
  stored = READERS[kind](write(tmp_path, kind, np.arange(5)))
  np.testing.assert_array_equal(stored.read(1, 4, None), [1, 2, 3])


def test_a_crop_of_an_archive_takes_no_more_memory_than_itself(tmp_path):
  """Its header even less: nothing of the values is decompressed."""
  path = write(tmp_path, "npz", np.zeros((500, 10, 1024), np.float32))
  tracemalloc.start()
  stored = numpy_arrays.NpzArray(path)
  assert tracemalloc.get_traced_memory()[1] < 2**20
  stored.read(0, 500, 3)
  assert tracemalloc.get_traced_memory()[1] < 2**21 + 3 * 2**20
  tracemalloc.stop()


def test_several_arrays_of_an_archive_are_named(tmp_path):
  np.savez(tmp_path / "v.npz", rgb=X, flow=X)
  with pytest.raises(FeatureFileError) as error:
    numpy_arrays.NpzArray(tmp_path / "v.npz")
  assert error.value.detail == (
    "2 arrays by name (rgb, flow); a file has one: "
    'np.save("v.npy", np.load("v.npz")["rgb"])'
  )


@pytest.mark.parametrize("kind", READERS)
def test_objects_are_not_loaded(tmp_path, kind):
  path = write(tmp_path, kind, np.array([{}], object))
  with pytest.raises(FeatureFileError, match="whose pickle could run any code"):
    READERS[kind](path)


def test_damage_is_named(tmp_path):
  path = write(tmp_path, "npz", X)
  content = bytearray(path.read_bytes())
  content[200] ^= 0xFF
  path.write_bytes(content)
  with pytest.raises(FeatureFileError, match=r"damaged \.npz archive"):
    numpy_arrays.NpzArray(path).read(0, 10, None)
  np.save(tmp_path / "x.npy", X)
  whole = (tmp_path / "x.npy").read_bytes()
  for cut, message in (
    (whole[:-3], "truncated: 605 bytes, but its header says 608"),
    (whole[:100], "a damaged .npy header"),
    (whole.replace(b"(10, ", b"(-1, "), "a damaged .npy header: "),
  ):
    with zipfile.ZipFile(path, "w") as archive:
      archive.writestr("x.npy", cut)
    (tmp_path / "x.npy").write_bytes(cut)
    for kind, file in (("npz", path), ("npy", tmp_path / "x.npy")):
      with pytest.raises(FeatureFileError) as error:
        READERS[kind](file)
      assert message in error.value.detail


def test_threads_read_at_the_same_time(tmp_path):
  paths = [write(tmp_path, kind, X) for kind in READERS] * 200

  def read(path):
    return READERS[path.suffix[1:]](path).read(0, 10, 2)

  with ThreadPoolExecutor(8) as pool:
    for array in pool.map(read, paths):
      np.testing.assert_array_equal(array, X[:, 2])
