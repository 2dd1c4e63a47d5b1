"""List files: which feature files a split has, as their authors list them."""

import dataclasses
import re
from pathlib import Path

from adplg_jax.prepare.findings import Findings, PreparationError


@dataclasses.dataclass(frozen=True)
class Entry:
  """A line of a list file.

  Attributes:
    where: The file and line.
    file: Name of the feature file, any folders before it dropped.
    label: What follows the path, if anything does.
  """

  where: str
  file: str
  label: str


def read_list(path: Path, findings: Findings) -> list[Entry]:
  """Reads a list file: `PATH`, `PATH LABEL` or csv `path,label`.

  Args:
    path: The list.
    findings: Gathers lines that name no .npy file, and repeated ones.

  Returns:
    Its entries, in order.

  Raises:
    PreparationError: The file cannot be read.
  """
  try:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise PreparationError(f"{path}: cannot be read: {error}.") from error
  entries: dict[str, Entry] = {}
  for number, line in enumerate(lines, 1):
    where = f"{path}:{number}"
    if not line.strip() or (number == 1 and line.strip() == "path,label"):
      continue
    match = re.fullmatch(r'"?(.+\.npy)"?(?:[\s,]+(\S.*?))?\s*', line)
    if match is None:
      findings.add("manifest", where, f"{line!r} names no .npy file.")
      continue
    file = re.split(r"[/\\]", match[1])[-1]
    if file in entries:
      findings.add(
        "manifest", where, f"{file} is already listed at {entries[file].where}."
      )
      continue
    entries[file] = Entry(where, file, match[2] or "")
  return list(entries.values())
