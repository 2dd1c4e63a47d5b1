"""The feature files below a folder: what their names and folders tell."""

import dataclasses
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from adplg_jax.prepare.file_contents import SUFFIXES, describe
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.naming import (
  AUDIO,
  FileName,
  FileNameError,
  FileNaming,
  split_named,
  words,
)


@dataclasses.dataclass(frozen=True)
class NamedFile:
  """A feature file.

  Attributes:
    path: The file.
    name: What its name says.
    split: What its folders' names say, if they do.
  """

  path: Path
  name: FileName
  split: str | None


def find_files(
  naming: FileNaming,
  folder: Path,
  findings: Findings,
  *,
  official: Mapping[str, str] | None = None,
  besides: Collection[Path] = (),
) -> list[NamedFile]:
  """Finds all feature files below a folder, in order of their paths.

  Args:
    naming: How they are named.
    folder: The folder.
    findings: Gathers files whose names no video has.
    official: Folders of the official layout, by split. Where all exist, files
      elsewhere are not looked at, but for audio.
    besides: Files and folders that hold something else.

  Returns:
    The files.

  Raises:
    PreparationError: The folder does not exist, or has no feature file.
  """
  roots = {split: folder / below for split, below in (official or {}).items()}
  if not all(root.is_dir() for root in roots.values()):
    roots = {}
  real = folder.resolve()
  skipped = {path.resolve() for path in besides}
  skipped = {path for path in skipped if not real.is_relative_to(path)}
  files = []
  paths, others = feature_files(folder, skipped)
  for path in paths:
    relative = path.relative_to(folder)
    split = folder_split(relative)
    within = [s for s, root in roots.items() if path.is_relative_to(root)]
    try:
      name = naming.parse_name(relative.with_suffix(""))
    except FileNameError as error:
      if within or not roots:
        findings.add(error.kind, path, str(error))
      continue
    if set(words(path.parent.name)) & set(AUDIO):
      name = dataclasses.replace(name, audio=True)
    if within or not roots or name.audio:
      files.append(NamedFile(path, name, within[0] if within else split))
  _find_others(naming, folder, others, files, findings)
  return files


def _find_others(
  naming: FileNaming,
  folder: Path,
  others: Sequence[Path],
  files: Sequence[NamedFile],
  findings: Findings,
) -> None:
  """Finds files that stand in the place of a video's feature file."""
  known = {file.name.video for file in files}
  for path in others:
    relative = path.relative_to(folder)
    try:
      name = naming.parse_name(relative.with_suffix(""))
    except FileNameError:
      continue
    if name.video not in known:
      findings.add("unreadable", path, f"{describe(path)}.", name.video)


def feature_files(
  folder: Path, skipped: Collection[Path] = ()
) -> tuple[list[Path], list[Path]]:
  """All files below a folder, linked folders included, sorted.

  Args:
    folder: The folder.
    skipped: Files and folders that are passed over, as real paths.

  Returns:
    Those with a suffix of feature files, and the others.

  Raises:
    PreparationError: There is no such folder, none in it has such a suffix, or
      a name is no text.
  """
  if not folder.is_dir():
    raise PreparationError(f"{folder}: no such folder; correct --features.")
  others = []
  files = []
  for path in sorted(_walk(folder, skipped, frozenset())):
    _check_text(path)
    (files if path.suffix.lower() in SUFFIXES else others).append(path)
  if files:
    return files, others
  what = "correct --features."
  if others:
    what = f"{others[0]}: {describe(others[0])}"
  raise PreparationError(
    f"{folder}: has no feature file ({', '.join(SUFFIXES)}); {what}"
  )


def _check_text(path: Path) -> None:
  """Refuses names that are not text in the system's encoding."""
  try:
    str(path).encode()
  except UnicodeEncodeError as error:
    name = os.fsencode(path)
    raise PreparationError(
      f"{name!r}: this name is not UTF-8; rename the files, as with convmv -f "
      "ENCODING -t UTF-8 -r --notest FOLDER, or, if your locale is not UTF-8, "
      "set PYTHONUTF8=1."
    ) from error


def _walk(
  folder: Path, skipped: Collection[Path], above: frozenset[Path]
) -> Iterator[Path]:
  """All files below a folder that is none of those above it."""
  real = folder.resolve()
  if real in above or real in skipped:
    return
  with os.scandir(folder) as entries:
    for entry in entries:
      path = folder / entry.name
      if entry.is_dir():
        yield from _walk(path, skipped, above | {real})
      elif real / entry.name not in skipped:
        yield path


def folder_split(path: Path) -> str | None:
  """The split that the deepest folder tells whose name tells one."""
  for part in reversed(path.parts[:-1]):
    split = split_named(part)
    if split is not None:
      return split
  return None
