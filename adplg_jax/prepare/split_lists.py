"""Split lists: which videos a split has, as their authors list them."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.naming import (
  FileName,
  FileNameError,
  FileNaming,
  split_named,
)
from adplg_jax.prepare.text_files import read_text

_SUFFIX = re.compile(r"\.(npy|npz|pt|pth|mp4|avi)$", re.IGNORECASE)
_HEADER = re.compile(r"[A-Za-z_]+([,\s]+[A-Za-z_]+)*")
# A path may be followed by a label, and by a number of frames before it.
_MOST_FIELDS = 3


@dataclasses.dataclass(frozen=True)
class Entry:
  """A line of a list.

  Attributes:
    where: The file and line.
    file: The path it names, any folders before it dropped.
    name: What that says.
    label: The last field that follows the path, if any does.
  """

  where: str
  file: str
  name: FileName
  label: str


@dataclasses.dataclass(frozen=True)
class SplitList:
  """A list file.

  Attributes:
    path: The file.
    split: The split that its name tells, if it does.
    entries: Its lines, in order.
  """

  path: Path
  split: str | None
  entries: list[Entry]


def read_list(path: Path, naming: FileNaming, findings: Findings) -> SplitList:
  """Reads a list of videos or of their feature files, one a line.

  `PATH`, `PATH LABEL`, `PATH FRAMES LABEL`, or csv `path,label`. Folders and
  suffixes do not count.

  Args:
    path: The list.
    naming: How the data set's files are named.
    findings: Gathers lines that name no video, and repeated ones.

  Returns:
    The list.

  Raises:
    PreparationError: The file cannot be read.
  """
  entries: dict[tuple[str, int | None, bool], Entry] = {}
  for number, line in enumerate(read_text(path).splitlines(), 1):
    where = f"{path}:{number}"
    line = line.strip()
    if not line or line.startswith("#"):
      continue
    try:
      entry = _parse(where, line, naming)
    except FileNameError as error:
      if number > 1 or not _HEADER.fullmatch(line):
        findings.add("manifest", where, f"{line!r} names no video: {error}")
      continue
    key = (entry.name.video, entry.name.crop, entry.name.audio)
    if key in entries and not entry.name.audio:
      known = entries[key].where
      findings.add(
        "manifest", where, f"{entry.file} is already listed at {known}."
      )
      continue
    entries[key] = entry
  return SplitList(path, split_named(path.stem), list(entries.values()))


def _parse(where: str, line: str, naming: FileNaming) -> Entry:
  """A line's entry.

  Raises:
    FileNameError: No part of it names a video.
  """
  errors = []
  for file, label in _readings(line):
    try:
      name = naming.parse_name(PurePath(_SUFFIX.sub("", file)))
    except FileNameError as error:
      errors.append(error)
      continue
    return Entry(where, file, name, label)
  # A name of the right form says more than one of no form.
  raise min(errors, key=lambda error: error.kind == "unknown-name")


def _readings(line: str) -> Iterator[tuple[str, str]]:
  """The line as (file, label), fields after the file left off one by one."""
  rest, label = line, ""
  for _ in range(_MOST_FIELDS):
    yield re.split(r"[/\\]", rest.strip("\"'/\\ "))[-1].strip("\"' "), label
    match = re.fullmatch(r"(.*[^\s,|])[\s,|]+([^\s,|]+)", rest)
    if match is None:
      return
    rest = match[1]
    label = label or match[2].strip("\"'")
