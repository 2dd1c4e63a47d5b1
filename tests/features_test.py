"""Feature files: reading, refusals, segment means, padding, audio."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest

from adplg_jax.data import features as lib

GOLDEN = Path(__file__).parent / "golden" / "segments.npz"


def golden_features(name, shape):
  rng = np.random.RandomState(zlib.crc32(name.encode()) % 2**32)
  return 0.5 * np.abs(rng.standard_normal(shape))


def test_segments_equal_the_programs():
  compared = 0
  with np.load(GOLDEN, allow_pickle=False) as golden:
    for key in golden:
      *way, segments, snippets = key.split("_")
      n, t = int(segments[1:]), int(snippets[1:])
      x = golden_features(f"segment{t}", (t, 6)).astype(np.float32)
      padded, length = lib.pad_or_average(x, n)
      got = {
        "mean": lambda x=x, n=n: lib.segment_means(x, n),
        "clip": lambda padded=padded: padded,
        "clip_length": lambda length=length: length,
      }["_".join(way)]()
      np.testing.assert_allclose(got, golden[key], rtol=1e-6, err_msg=key)
      compared += 1
  assert compared >= 60


def test_segment_means_of_half_precision_are_taken_in_single():
  x = np.full((4096, 2), 40.0, np.float16)
  np.testing.assert_array_equal(lib.segment_means(x, 2), np.full((2, 2), 40.0))


def test_segment_means_by_hand():
  x = np.arange(5, dtype=np.float32)[:, None]
  np.testing.assert_array_equal(lib.segment_means(x, 2)[:, 0], [0.5, 3.0])
  np.testing.assert_array_equal(
    lib.segment_means(x[:2], 5)[:, 0], [0, 0, 0, 1, 1]
  )


def test_padding_keeps_the_length():
  x = np.ones((3, 2), np.float32)
  padded, length = lib.pad_or_average(x, 5)
  assert length == 3
  np.testing.assert_array_equal(padded.sum(axis=1), [2, 2, 2, 0, 0])
  assert lib.pad_or_average(np.ones((6, 2), np.float32), 5)[1] == 5
  assert lib.pad_or_average(np.ones((5, 2), np.float32), 5)[1] == 5


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_one_crop(tmp_path, dtype, order):
  x = np.arange(12).reshape(4, 3).astype(dtype)
  np.save(tmp_path / "a.npy", np.asarray(x, order=order))
  np.testing.assert_array_equal(lib.read_features(tmp_path / "a.npy"), x)


def test_reads_a_column(tmp_path):
  x = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
  np.save(tmp_path / "a.npy", x)
  assert lib.read_header(tmp_path / "a.npy").crops == 2
  got = lib.read_features(tmp_path / "a.npy", 1)
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
  with pytest.raises(lib.FeatureFileError, match=message) as error:
    lib.read_features(path)
  assert error.value.kind == kind
  assert str(path) in str(error.value)


def test_refuses_no_bytes_archives_and_several_crops(tmp_path):
  path = tmp_path / "bad.npy"
  path.write_bytes(b"")
  with pytest.raises(lib.FeatureFileError, match="0 bytes"):
    lib.read_header(path)
  with path.open("wb") as file:
    np.savez(file, x=ONES)
  with pytest.raises(lib.FeatureFileError, match=r"\.npz archive"):
    lib.read_header(path)
  np.save(path, ONES[:, None])
  with pytest.raises(lib.FeatureFileError, match="here a file holds one crop"):
    lib.read_features(path)


@pytest.mark.parametrize("rows", [3, 4, 5, 6, 7])
def test_audio_is_brought_to_the_videos_length(rows):
  x = np.zeros((5, 2), np.float32)
  audio = np.arange(rows, dtype=np.float32)[:, None] + 1
  joined = lib.join_audio(x, audio)
  want = [*range(1, rows + 1), *[rows] * 5][:5]
  np.testing.assert_array_equal(joined[:, 2], want)


@pytest.mark.parametrize("rows", [2, 8])
def test_audio_of_another_length_is_refused(rows):
  with pytest.raises(ValueError, match=f"{rows} rows of audio for 5 snippets"):
    lib.join_audio(
      np.zeros((5, 2), np.float32), np.zeros((rows, 1), np.float32)
    )
