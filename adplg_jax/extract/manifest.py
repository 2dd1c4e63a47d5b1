"""manifest.csv of extracted features, for `adplg_jax.prepare folder`."""

import csv
import io
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePath

from adplg_jax.data.sidecar import SidecarError, read_sidecar
from adplg_jax.prepare.naming import split_named
from adplg_jax.prepare.own_folders import category_of
from adplg_jax.run.files import write_atomically

MANIFEST = "manifest.csv"
COLUMNS: tuple[str, ...] = (
  "path",
  "label",
  "split",
  "video",
  "category",
  "frames",
  "step",
  "spans",
)
# One video of so many is for the test, where folders do not tell.
_TEST_SHARE = 5

Row = dict[str, str]


def write_manifest(folder: Path, names: Sequence[str]) -> int:
  """Adds what was extracted, and is in a folder of a class, to a manifest.

  Rows that are there stay: spans and splits may be filled in. Their frames are
  those of the features, which may have been made again.

  Args:
    folder: Of the features.
    names: Of all videos, below the folder; those of other parts of the list,
      too, so that each part chooses the same splits.

  Returns:
    The number of rows; without any, nothing is written.

  Raises:
    ValueError: There is a manifest of another form.
    OSError: It cannot be written.
  """
  path = folder / MANIFEST
  wanted = _rows(names)
  while True:
    there = _read(path)
    known = {row["path"] for row in there}
    rows = [{**row, **(_facts(folder / row["path"]) or {})} for row in there]
    rows += [
      {**row, **facts}
      for row in wanted
      if row["path"] not in known
      and (facts := _facts(folder / row["path"])) is not None
    ]
    # Another part of the videos may have ended in the meantime.
    if rows == there:
      return len(there)
    write_atomically(path, _text(rows))


def _rows(names: Sequence[str]) -> list[Row]:
  """What the folders of videos tell; those that tell a class."""
  rows = [row for name in names if (row := _row(name)) is not None]
  for label in ("normal", "anomalous"):
    _choose_splits([row for row in rows if row["label"] == label])
  return rows


def _row(name: str) -> Row | None:
  folders = PurePath(name).parts[:-1]
  splits = {split for split in map(split_named, folders) if split}
  classes = [part for part in folders if split_named(part) is None]
  if len(classes) != 1 or len(splits) > 1:
    return None
  category = category_of(classes[0])
  return {
    "path": f"{name}.npy",
    "label": "normal" if category == "normal" else "anomalous",
    "split": splits.pop() if splits else "",
    "video": name,
    "category": category,
    "spans": "",
  }


def _choose_splits(rows: Sequence[Row]) -> None:
  """Chooses test videos where folders do not tell: one of five, by its name.

  Args:
    rows: Of one label. At least one is in each split, if there are two.
  """
  own = sorted((row for row in rows if not row["split"]), key=_hash)
  for row in own:
    row["split"] = "train" if _hash(row) % _TEST_SHARE else "test"
  for split in ("test", "train"):
    if own and all(row["split"] != split for row in rows):
      own.pop(0)["split"] = split


def _facts(features: Path) -> Row | None:
  """What the sidecar tells; None where the features are not there."""
  try:
    sidecar = read_sidecar(features) if features.exists() else None
  except SidecarError:
    return None
  return sidecar and {
    "frames": str(sidecar.frames),
    "step": str(sidecar.frames_per_snippet),
  }


def _hash(row: Row) -> int:
  return zlib.crc32(row["path"].encode())


def _read(path: Path) -> list[Row]:
  """The rows that are there.

  Raises:
    ValueError: They have other columns.
  """
  if not path.exists():
    return []
  reader = csv.DictReader(io.StringIO(path.read_text("utf-8"), newline=""))
  if tuple(reader.fieldnames or ()) != COLUMNS:
    raise ValueError(
      f"{path}: its columns are not {', '.join(COLUMNS)}; move it away, and "
      "give the same command again for a new one."
    )
  return list(reader)


def _text(rows: Sequence[Row]) -> str:
  text = io.StringIO()
  writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
  writer.writeheader()
  writer.writerows(rows)
  return text.getvalue()
