"""Files of features: written row by row, whole or not at all."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float

from adplg_jax.data.sidecar import (
  Sidecar,
  SidecarError,
  read_sidecar,
  sidecar_path,
)
from adplg_jax.run.files import write_json


class OutputError(ValueError):
  """Features that are there already, and others than are to be written."""


class FeatureWriter:
  """Writes [T, C, D] float32, T not known before the end.

  The file has its name only once it is whole; closed before, it is gone.
  """

  def __init__(self, path: Path):
    """Makes the file, under another name.

    Args:
      path: NAME.npy.

    Raises:
      OSError: It cannot be written.
    """
    self._path = path
    self._part = path.with_name(f".{path.name}.part")
    self._part.parent.mkdir(parents=True, exist_ok=True)
    self._file = self._part.open("wb")
    self._shape = (0, 0, 0)

  def add(self, features: Float[np.ndarray, "c d"]) -> None:
    """Adds the features of a snippet.

    Raises:
      OSError: They cannot be written.
    """
    if not self._shape[0]:
      self._write_header()
    self._file.write(np.ascontiguousarray(features, "<f4").tobytes())
    self._shape = (self._shape[0] + 1, *features.shape)

  def finish(self, sidecar: Sidecar) -> None:
    """Writes the sidecar, and gives the file its name after that.

    So features without a sidecar are none that were written here, and those of
    an earlier version of the video never have the sidecar of this one.

    Raises:
      OSError: They cannot be written.
    """
    self._file.seek(0)
    self._write_header()
    self._file.flush()
    os.fsync(self._file.fileno())
    self._path.unlink(missing_ok=True)
    write_json(sidecar_path(self._path), sidecar.to_json())
    self._part.replace(self._path)

  def close(self) -> None:
    """Removes what was written, unless it has its name already."""
    self._file.close()
    self._part.unlink(missing_ok=True)

  def _write_header(self) -> None:
    """The header; as long for any T, since NumPy leaves room for growth."""
    np.lib.format.write_array_header_1_0(
      self._file,
      {"descr": "<f4", "fortran_order": False, "shape": self._shape},
    )


def is_done(path: Path, like: Sidecar) -> bool:
  """Whether the features of a video are there already.

  Args:
    path: NAME.npy.
    like: What its sidecar would say; times, frames and warnings do not count.

  Returns:
    True if they are; False if there are none, or of another version of the
    video.

  Raises:
    OutputError: They are of another kind, or not known.
  """
  if not path.exists():
    return False
  try:
    there = read_sidecar(path)
  except SidecarError as error:
    raise OutputError(str(error)) from error
  if there is None:
    raise OutputError(
      f"{path}: is there already, without a sidecar that says what made it; "
      "name another folder with --out."
    )
  for field in ("profile", "weights", "crops", "fps"):
    own, other = getattr(like, field), getattr(there, field)
    if own != other:
      raise OutputError(
        f"{path}: is there already, with {field} {other}; now it would be "
        f"{own}, and the two do not mix. Name another folder with --out."
      )
  return there.size == like.size
