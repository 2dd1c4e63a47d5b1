"""manifest.csv: a user's own feature files as videos (docs/own_features.md)."""

import csv
import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adplg_jax.data.schema import SNIPPET_FRAMES
from adplg_jax.prepare import feature_files
from adplg_jax.prepare.annotation_rows import parse_spans
from adplg_jax.prepare.feature_files import FeatureFileError
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.videos import FileCrop, Video

REQUIRED = ("path", "label", "split")
OPTIONAL = (
  "video",
  "key",
  "category",
  "frames",
  "frames_per_snippet",
  "spans",
)
LABELS = {"0": 0, "1": 1, "normal": 0, "anomalous": 1}
SPLITS = ("train", "test")


@dataclasses.dataclass(frozen=True)
class _Row:
  """A row of a manifest.

  Attributes:
    where: The file and line.
    path: The feature file.
    facts: What all rows of a video must agree on.
  """

  where: str
  path: Path
  facts: dict[str, Any]


def read_manifest(
  path: Path, findings: Findings, span_ends: str = "exclusive"
) -> list[Video]:
  """Reads a manifest.

  Paths are relative to the manifest's folder. Rows of the same video are its
  crops, in order; so are the columns of a [T, C, D] file.

  Args:
    path: The manifest.
    findings: Gathers all invalid rows and files.
    span_ends: Whether spans end "exclusive" or "inclusive".

  Returns:
    The videos whose rows are valid.
  """
  videos: dict[str, list[_Row]] = defaultdict(list)
  seen: dict[Path, str] = {}
  for where, cells in _read_cells(path, findings):
    row = _parse_row(path.parent, where, cells, findings, span_ends)
    if row is None:
      continue
    # The same file under another name would be in training and in test.
    real = row.path.resolve()
    if real in seen:
      findings.add(
        "manifest", where, f"{row.path} is already listed at {seen[real]}."
      )
      continue
    seen[real] = where
    videos[row.facts["name"]].append(row)
  made = (_make_video(rows, findings) for rows in videos.values())
  return [video for video in made if video is not None]


def _read_cells(
  path: Path, findings: Findings
) -> list[tuple[str, dict[str, str]]]:
  """Rows as {column: text}, each with its place."""
  try:
    with path.open(newline="", encoding="utf-8-sig") as file:
      reader = csv.DictReader(file)
      rows = [(f"{path}:{reader.line_num}", cells) for cells in reader]
      columns = [name or "" for name in reader.fieldnames or ()]
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    findings.add("manifest", path, f"cannot be read as CSV: {error}.")
    return []
  missing = [name for name in REQUIRED if name not in columns]
  if missing:
    findings.add(
      "manifest",
      path,
      f"no column {', '.join(missing)}; needed: {', '.join(REQUIRED)}; "
      f"optional: {', '.join(OPTIONAL)}.",
    )
    return []
  twice = sorted({name for name in columns if columns.count(name) > 1})
  if twice:
    findings.add(
      "manifest",
      path,
      f"column {', '.join(twice)} is there twice; keep one of each.",
    )
    return []
  if not rows:
    findings.add("manifest", path, "has no rows; write one for each file.")
  for name in columns:
    if name not in REQUIRED + OPTIONAL:
      findings.note(f"column {name!r} of the manifest ignored")
  for where, cells in rows:
    # csv keeps the cells beyond the header under None.
    surplus = cells.get(None)
    if surplus:
      findings.add(
        "manifest",
        where,
        f"{len(columns) + len(surplus)} cells, the header has {len(columns)}; "
        "quote cells with commas, and separate spans by blanks.",
      )
  return [
    (where, {k: (v or "").strip() for k, v in cells.items() if k in columns})
    for where, cells in rows
  ]


def _parse_row(
  folder: Path,
  where: str,
  cells: dict[str, str],
  findings: Findings,
  span_ends: str,
) -> _Row | None:
  """Parses a row; adds each invalid cell to the findings."""
  faults: list[str] = []

  def cell(column: str, parse: Callable[[str], Any], default: Any) -> Any:
    text = cells.get(column)
    try:
      return parse(text) if text else default
    except ValueError as error:
      faults.append(f"{column}: {error}.")
      return default

  if not cells["path"]:
    faults.append("path: empty; name a .npy file.")
  for column, allowed in (("label", LABELS), ("split", SPLITS)):
    if cells[column] not in allowed:
      faults.append(
        f"{column} is {cells[column]!r}; allowed: {', '.join(allowed)}."
      )
  label = LABELS.get(cells["label"], 0)
  name = cells.get("video") or re.sub(r"\.npy$", "", cells["path"])
  spans = cell("spans", lambda text: parse_spans(text, span_ends), ())
  if spans and cells["label"] in LABELS and not label:
    faults.append(
      "spans: a normal video has none; correct the label or leave them out."
    )
  facts = {
    "name": name,
    "split": cells["split"],
    "label": label,
    "category": cells.get("category") or ("anomalous" if label else "normal"),
    "key": cells.get("key") or name,
    "frames": cell("frames", _positive, None),
    "frames_per_snippet": cell("frames_per_snippet", _positive, SNIPPET_FRAMES),
    # Without any, those of an anomalous video are not known.
    "spans": None if label and not spans else spans,
  }
  for fault in faults:
    findings.add("manifest", where, fault)
  return None if faults else _Row(where, folder / cells["path"], facts)


def _positive(text: str) -> int:
  if not text.isdecimal() or int(text) < 1:
    raise ValueError(f"{text!r} is not a whole number of 1 or more")
  return int(text)


def _make_video(rows: list[_Row], findings: Findings) -> Video | None:
  """One video from its rows; those that contradict the first are found."""
  facts = rows[0].facts
  for row in rows[1:]:
    for column, value in row.facts.items():
      if value != facts[column]:
        findings.add(
          "both-splits" if column == "split" else "manifest",
          row.where,
          f"{column} of video {facts['name']} is {value!r}, but "
          f"{facts[column]!r} at {rows[0].where}; make them equal, or name "
          "different videos in the column video.",
          facts["name"],
        )
  crops: list[FileCrop] = []
  for row in rows:
    try:
      header = feature_files.read_header(row.path)
    except FeatureFileError as error:
      findings.add(error.kind, error.path, error.detail, facts["name"])
      continue
    columns = range(header.crops) if len(header.shape) == 3 else [None]
    for column in columns:
      crops.append(FileCrop(len(crops), row.path, column))
  if not crops:
    return None
  return Video(crops=tuple(crops), annotated_frames=facts["frames"], **facts)
