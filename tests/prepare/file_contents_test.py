"""What files are by their content, whatever their names."""

import gzip
import io
import pickle
import re
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io

from adplg_jax.prepare import file_contents

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(2000)
X = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


def written(write):
  file = io.BytesIO()
  write(file)
  return file.getvalue()


def zipped(*names):
  def write(file):
    with zipfile.ZipFile(file, "w") as archive:
      for name in names:
        archive.writestr(name, "x")

  return written(write)


def tar(file):
  with tarfile.open(fileobj=file, mode="w") as archive:
    archive.addfile(tarfile.TarInfo("a.npy"))


CONVERT = 'write np.save("v.npy", '
OTHERS = {
  "hdf5": (HDF5, f'an HDF5 file; .*{CONVERT}h5py.File("v.npy")["NAME"][()].as'),
  "matlab 7.3": (
    b"MATLAB 7.3 MAT-file".ljust(512) + HDF5,
    f'a MATLAB 7.3 file, .*{CONVERT}h5py.File("v.npy")["NAME"][()].T.astype(',
  ),
  "matlab 5": (
    written(lambda file: scipy.io.savemat(file, {"x": X})),
    f'a MATLAB 5 file; .*{CONVERT}scipy.io.loadmat("v.npy")["NAME"].astype(',
  ),
  "text": (
    written(lambda file: np.savetxt(file, np.ones((32, 4096)))),
    f'text, 32 x 4096 numbers; {CONVERT}np.loadtxt("v.npy", np.float32))',
  ),
  "csv": (
    b"\xef\xbb\xbf1,2.5,nan\n3,4,-1e-3\n\n",
    f'text, 2 x 3 numbers; {CONVERT}np.loadtxt("v.npy", np.float32, delimiter',
  ),
  "words": (b"not found", "text that begins 'not found'; readable are .npy, "),
  "lfs": (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    'a Git LFS pointer, .*: git lfs pull --include="v.npy"',
  ),
  "html": (
    b"\n<!doctype HTML><html><title>\nQuota exceeded</title></html>",
    'an HTML page titled "Quota exceeded" .*; download the file again',
  ),
  "xml": (b"<?xml version='1.0'?><Error/>", "an XML document .*; download the"),
  "pickle": (
    pickle.dumps(X),
    f"a pickle, which could run any code .*{CONVERT}np.asarray(features, ",
  ),
  "old pickle": (pickle.dumps([X], 0), "a pickle, which could run any code"),
  "list pickle": (pickle.dumps([1], 1), "a pickle, which could run any code"),
  "gzip": (
    gzip.compress(b"x"),
    'a compressed file (gzip), .*: gzip -dc < "v.npy" > "new_v.npy"',
  ),
  "tar": (written(tar), 'an archive (tar), to be unpacked: tar xf "v.npy"'),
  "7z": (b"7z\xbc\xaf\x27\x1c\0\4", 'an archive (7z), .*: 7z x "v.npy"'),
  "rar": (b"Rar!\x1a\x07\0", 'an archive (RAR), .*: unrar x "v.npy"'),
  "zip": (
    zipped("a.npy", "b.txt"),
    'an archive (zip) of a.npy, b.txt, to be unpacked: unzip "v.npy"',
  ),
  "cut zip": (zipped("a")[:-20], "a damaged zip archive, .*; copy, download"),
  "torchscript": (
    zipped("m/data.pkl", "m/constants.pkl"),
    "a TorchScript model, no array",
  ),
  "mp4": (
    b"\0\0\0\x20ftypisom",
    "a video (MP4 or MOV); .*extract them from it",
  ),
  "avi": (b"RIFF\0\0\0\0AVI LIST", "a video (AVI); preparation reads features"),
  "jpeg": (b"\xff\xd8\xff\xe0", "an image (JPEG); preparation reads features"),
  "wav": (b"RIFF\0\0\0\0WAVEfmt ", "a sound file (WAV); preparation reads"),
  "zeros": (bytes(5000), "5000 bytes that begin with 2048 zeros, no array"),
  "other": (
    b"\x01\x02\xfe\xff",
    "no array: its first bytes are 01 02 fe ff; readable are .npy, .npz, .pt",
  ),
}


def matches(pattern, text):
  """Whether a text is as a pattern, in which `.*` alone is special."""
  return re.match(re.escape(pattern).replace(r"\.\*", ".*"), text)


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_not_read_is_named_with_the_line_that_helps(tmp_path, what):
  content, message = OTHERS[what]
  path = tmp_path / "v.npy"
  path.write_bytes(content)
  assert file_contents.readable_kind(path) is None
  found = file_contents.describe(path)
  assert matches(message, found), found


@pytest.mark.parametrize(
  ("name", "what"),
  [("v.npz", "a damaged .npz archive"), ("v.pt", "a damaged PyTorch file")],
)
def test_a_damaged_archive_is_what_its_name_says(tmp_path, name, what):
  (tmp_path / name).write_bytes(b"PK\x03\x04" + bytes(500))
  assert re.match(what, file_contents.describe(tmp_path / name))


def test_what_is_read_is_told_by_content(tmp_path):
  torch_zip = zipped("v/data.pkl", "v/data/0")
  for content, kind in (
    (written(lambda file: np.save(file, X)), file_contents.NPY),
    (written(lambda file: np.savez(file, X)), file_contents.NPZ),
    (torch_zip, file_contents.TORCH),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", file_contents.TORCH),
  ):
    (tmp_path / "v.dat").write_bytes(content)
    assert file_contents.readable_kind(tmp_path / "v.dat") == kind


def test_lines_are_those_that_convert(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  np.savetxt("a.txt", X)
  np.savetxt("b.csv", X, delimiter=",")
  scipy.io.savemat("c.mat", {"NAME": X.astype(float)})
  for name in ("a.txt", "b.csv", "c.mat"):
    path = tmp_path / name
    line = file_contents.describe(path).partition("write ")[2]
    exec(line, {"np": np, "scipy": scipy})
    got = np.load(path.with_suffix(".npy"))
    np.testing.assert_array_equal(got, X)
    assert got.dtype == np.float32


def test_names_are_quoted(tmp_path):
  names = file_contents.quoted(tmp_path / 'a "b".npy.gz')
  assert names == (r'"a \"b\".npy.gz"', r'"a \"b\".npy.npy"', r'"a \"b\".npy"')
