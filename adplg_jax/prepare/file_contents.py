"""What a file really is, told by its content, and how to make an array of it.

Nothing here reads more of a file than it takes to tell; nothing is unpickled.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

# The kinds that are read, each with the suffixes it may have.
NPY, NPZ, TORCH = "an .npy file", "an .npz archive", "a PyTorch file"
READABLE = {NPY: (".npy",), NPZ: (".npz",), TORCH: (".pt", ".pth")}
SUFFIXES = tuple(suffix for own in READABLE.values() for suffix in own)

_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
# PyTorch's before 1.6: a pickle of this number.
_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_HEAD_BYTES = 2048
_LINE_BYTES = 2**20

_VIDEO = "a video ({}); preparation reads features: extract them from it first"
_IMAGE = "an image ({}); preparation reads features: extract them first"
_SOUND = "a sound file ({}); preparation reads features: extract them first"
_UNPACK = "an archive ({}), to be unpacked: {} {{name}}"
_TO_FILE = (
  "a compressed file ({}), to be unpacked: {} < {{name}} > {{unpacked}}"
)
_CONVERT = "np.save({{npy}}, {}.astype(np.float32))"
_HDF5 = 'h5py.File({name})["NAME"]'
_MATLAB = 'scipy.io.loadmat({name})["NAME"]'
# Where in the file, which bytes, what that is. {name} is the file's name, {npy}
# that of the array to be made; both are quoted.
_SIGNATURES = (
  (
    0,
    b"\x89HDF\r\n\x1a\n",
    "an HDF5 file; choose one of the arrays that list(h5py.File({name})) names "
    "as NAME, and write " + _CONVERT.format(_HDF5 + "[()]"),
  ),
  (
    512,
    b"\x89HDF\r\n\x1a\n",
    "a MATLAB 7.3 file, which is HDF5 with the axes reversed; choose one of "
    "the arrays that list(h5py.File({name})) names as NAME, and write "
    + _CONVERT.format(_HDF5 + "[()].T"),
  ),
  (
    0,
    b"MATLAB 5.0 MAT-file",
    "a MATLAB 5 file; choose one of the arrays that scipy.io.whosmat({name}) "
    "names as NAME, and write " + _CONVERT.format(_MATLAB),
  ),
  (
    0,
    b"version https://git-lfs.github.com/spec/",
    "a Git LFS pointer, not the file itself; fetch that: git lfs pull "
    "--include={name}",
  ),
  (0, b"\x1f\x8b", _TO_FILE.format("gzip", "gzip -dc")),
  (0, b"BZh", _TO_FILE.format("bzip2", "bzip2 -dc")),
  (0, b"\xfd7zXZ\x00", _TO_FILE.format("xz", "xz -dc")),
  (0, b"\x28\xb5\x2f\xfd", _TO_FILE.format("Zstandard", "zstd -dc")),
  (0, b"7z\xbc\xaf\x27\x1c", _UNPACK.format("7z", "7z x")),
  (0, b"Rar!\x1a\x07", _UNPACK.format("RAR", "unrar x")),
  (257, b"ustar", _UNPACK.format("tar", "tar xf")),
  (8, b"AVI ", _VIDEO.format("AVI")),
  (8, b"WAVE", _SOUND.format("WAV")),
  (8, b"WEBP", _IMAGE.format("WebP")),
  (4, b"ftypavif", _IMAGE.format("AVIF")),
  (4, b"ftyphei", _IMAGE.format("HEIC")),
  (4, b"ftypM4A", _SOUND.format("M4A")),
  (4, b"ftyp", _VIDEO.format("MP4 or MOV")),
  (0, b"\x1aE\xdf\xa3", _VIDEO.format("Matroska or WebM")),
  (0, b"FLV\x01", _VIDEO.format("FLV")),
  (0, b"\x00\x00\x01\xba", _VIDEO.format("MPEG")),
  (0, b"\x00\x00\x01\xb3", _VIDEO.format("MPEG")),
  (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _VIDEO.format("WMV")),
  (0, b"\xff\xd8\xff", _IMAGE.format("JPEG")),
  (0, b"\x89PNG\r\n", _IMAGE.format("PNG")),
  (0, b"GIF8", _IMAGE.format("GIF")),
  (0, b"II*\x00", _IMAGE.format("TIFF")),
  (0, b"MM\x00*", _IMAGE.format("TIFF")),
  (0, b"ID3", _SOUND.format("MP3")),
  (0, b"OggS", _SOUND.format("Ogg")),
  (0, b"fLaC", _SOUND.format("FLAC")),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]|\([dl]p\d+\n|[\]}]q\x00|c[\w.]+\n\w+\n")
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype html|html|head)\b", re.I)
_XML = re.compile(rb"\s*<\?xml\b", re.I)
_TITLE = re.compile(r"<title>\s*(.*?)\s*</title>", re.I | re.S)


class Quoted(NamedTuple):
  """The names in a line that converts a file.

  Attributes:
    name: The file.
    npy: The .npy file to be made of it.
    unpacked: The file that a compressed file holds.
  """

  name: str
  npy: str
  unpacked: str


def quoted(path: Path) -> Quoted:
  """A file's name, and those of the files to be made of it, in quotes."""
  unpacked = path.stem if path.suffix not in SUFFIXES else f"new_{path.name}"
  names = (path.name, path.with_suffix(".npy").name, unpacked)
  return Quoted(*(json.dumps(name, ensure_ascii=False) for name in names))


def readable_kind(path: Path) -> str | None:
  """Which of the kinds that are read a file's content is, None for another.

  Raises:
    OSError: It cannot be opened.
  """
  with path.open("rb") as file:
    start = file.read(len(_TORCH_MAGIC))
  if start.startswith(_NPY_MAGIC):
    return NPY
  if start == _TORCH_MAGIC:
    return TORCH
  if not start.startswith(_ZIP_MAGIC):
    return None
  names = _members(path) or ()
  files = {name.rpartition("/")[2] for name in names}
  if "data.pkl" in files and "constants.pkl" not in files:
    return TORCH
  if names and all(name.endswith(".npy") for name in names):
    return NPZ
  return None


def describe(path: Path) -> str:
  """What a file is that is not read, and the line that mends or converts it.

  Raises:
    OSError: It cannot be read.
  """
  with path.open("rb") as file:
    head = file.read(_HEAD_BYTES)
  names = quoted(path)._asdict()
  for offset, signature, text in _SIGNATURES:
    if head.startswith(signature, offset):
      return text.format(**names)
  if head.startswith(_ZIP_MAGIC):
    return _describe_zip(path)
  if _PICKLE.match(head):
    return (
      "a pickle, which could run any code and is not loaded; where it was "
      f"made, write np.save({names['npy']}, np.asarray(features, np.float32))"
    )
  if not head.strip(b"\0"):
    return (
      f"{path.stat().st_size} bytes that begin with {len(head)} zeros, no "
      "array; copy, download or extract the file again"
    )
  return _describe_text(path, head) or (
    f"no array: its first bytes are {head[:8].hex(' ')}; readable are "
    f"{', '.join(SUFFIXES)}. Write np.save({names['npy']}, features)"
  )


def _members(path: Path) -> list[str] | None:
  """Names of the files in a zip archive, None for a damaged one."""
  try:
    with zipfile.ZipFile(path) as archive:
      return archive.namelist()
  except Exception:  # A damaged archive raises almost anything.
    return None


def _describe_zip(path: Path) -> str:
  members = _members(path)
  if members is None:
    kinds = {
      ".npz": ".npz archive",
      ".pt": "PyTorch file",
      ".pth": "PyTorch file",
    }
    return (
      f"a damaged {kinds.get(path.suffix.lower(), 'zip archive')}, whose table "
      "of contents cannot be read; copy, download or write it again"
    )
  if any(name.endswith("/constants.pkl") for name in members):
    return (
      "a TorchScript model, no array; write the array alone: "
      f"np.save({quoted(path).npy}, features)"
    )
  return (
    f"an archive (zip) of {_enumerate(members)}, to be unpacked: unzip "
    f"{quoted(path).name}"
  )


def _enumerate(names: list[str], shown: int = 5) -> str:
  more = len(names) - shown
  listed = ", ".join(names[:shown]) or "nothing"
  return f"{listed} and {more} more" if more > 0 else listed


def _describe_text(path: Path, head: bytes) -> str | None:
  """What a text file is; None for another."""
  try:
    # The last character may be cut off.
    text = head.decode(
      "utf-8-sig", "strict" if len(head) < _HEAD_BYTES else "ignore"
    )
  except UnicodeDecodeError:
    return None
  if "\0" in text or "\ufffd" in text:
    return None
  if _HTML.match(head):
    title = _TITLE.search(text)
    titled = f' titled "{title[1]}"' if title else ""
    return (
      f"an HTML page{titled} that was saved in place of the file; download "
      "the file again"
    )
  if _XML.match(head):
    return (
      "an XML document that was saved in place of the file; download the file "
      "again"
    )
  return _describe_numbers(path) or (
    f"text that begins {text[:40]!r}; readable are {', '.join(SUFFIXES)}. "
    f"Write np.save({quoted(path).npy}, features)"
  )


def _describe_numbers(path: Path) -> str | None:
  """The shape of a text file of numbers; None for another text."""
  with path.open("rb") as file:
    first = file.readline(_LINE_BYTES).decode("utf-8-sig", "replace")
    rows = 1 + sum(1 for line in file if line.strip())
  for separator, given in ((None, ""), (",", ', delimiter=","')):
    words = first.strip().split(separator)
    try:
      columns = len([float(word) for word in words])
    except ValueError:
      continue
    name, npy, _ = quoted(path)
    line = f"np.save({npy}, np.loadtxt({name}, np.float32{given}))"
    if columns:
      return f"text, {rows} x {columns} numbers; write {line}"
  return None
