"""manifest.csv: a user's own feature files as videos (docs/own_features.md)."""

import csv
import dataclasses
import io
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adplg_jax.data.schema import SNIPPET_FRAMES
from adplg_jax.prepare.annotation_rows import parse_spans
from adplg_jax.prepare.crops import Part, Rows, check_counts, make_crops
from adplg_jax.prepare.feature_files import SUFFIXES
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.naming import words
from adplg_jax.prepare.text_files import TextFileError, read_text
from adplg_jax.prepare.videos import SPLITS, Video

REQUIRED = ("path", "label", "split")
OPTIONAL = (
  "video",
  "key",
  "category",
  "frames",
  "frames_per_snippet",
  "step",
  "window",
  "spans",
  "stream",
  "crop",
  "rows",
)
# Two names of one column.
_STEP = ("step", "frames_per_snippet")
LABELS = {"0": 0, "1": 1, "normal": 0, "anomalous": 1}
# Words of file names that tell streams of one video apart.
STREAMS = ("rgb", "flow", "audio", "vggish", "optical", "motion", "pose")

# What may come before the header: Excel's separator, comments, blank lines.
_PREAMBLE = re.compile(r"\A([ \t]*(sep=.|#[^\n]*)?\r?\n)+", re.IGNORECASE)

_NO_LABEL = (
  " A video of which nothing is known is not prepared; a trained model scores "
  "it: python -m adplg_jax.score (docs/scoring.md)."
)

Cells = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class _Row:
  """A row of a manifest.

  Attributes:
    where: The file and line.
    part: The feature file, or some rows of it.
    facts: What all rows of a video must agree on.
  """

  where: str
  part: Part
  facts: dict[str, Any]


def read_manifest(
  path: Path, findings: Findings, *, span_ends: str = "exclusive"
) -> list[Video]:
  """Reads a manifest.

  Paths are relative to the manifest's folder. Rows of the same video are its
  crops, in order, or its streams; so are the columns of a [T, C, D] file.

  Args:
    path: The manifest.
    findings: Gathers all invalid rows and files.
    span_ends: Whether spans end "exclusive" or "inclusive".

  Returns:
    The videos whose rows are valid; those without a usable file have no crop.
  """
  rows = _read_cells(path, findings)
  return make_videos(path.parent, rows, findings, span_ends=span_ends)


def make_videos(
  folder: Path,
  rows: Sequence[tuple[str, Cells]],
  findings: Findings,
  *,
  span_ends: str = "exclusive",
) -> list[Video]:
  """The videos that rows of a manifest describe.

  Args:
    folder: What their paths are relative to.
    rows: {column: text} of each row, with its place.
    findings: Gathers all invalid rows and files.
    span_ends: See `read_manifest`.

  Returns:
    See `read_manifest`.
  """
  videos: dict[str, list[_Row]] = defaultdict(list)
  used = _Used()
  for where, cells in rows:
    row = _parse_row(folder, where, cells, findings, span_ends)
    if row is None:
      continue
    known = used.add(row)
    if known is not None:
      findings.add(
        "manifest",
        where,
        f"{row.part.described()} is already listed at {known}.",
      )
      continue
    videos[row.part.video].append(row)
  for name, own in videos.items():
    _check_facts(name, own, findings)
    _check_streams(name, own, findings)
  crops = make_crops(
    [row.part for own in videos.values() for row in own], findings
  )
  made = [
    Video(
      name=name,
      crops=crops[name],
      annotated_frames=own[0].facts["frames"],
      exact_spans=span_ends == "inclusive",
      **own[0].facts,
    )
    for name, own in videos.items()
  ]
  check_counts(made, findings)
  _check_categories(made, findings)
  return made


class _Used:
  """Which rows of which files are already listed."""

  def __init__(self):
    self._known: dict[Path, list[_Row]] = defaultdict(list)

  def add(self, row: _Row) -> str | None:
    """Adds a row; returns where its file, or part of it, is listed already.

    The same file under another name would be in training and in test.
    """
    own = self._known[row.part.path.resolve()]
    rows = row.part.rows
    for known in own:
      other = known.part.rows
      if rows is None or other is None:
        return known.where
      if rows[0] < other[1] and other[0] < rows[1]:
        return f"{known.where}, as {known.part.described()}"
    own.append(row)
    return None


def _read_cells(path: Path, findings: Findings) -> list[tuple[str, Cells]]:
  """Rows as {column: text}, each with its place."""
  try:
    whole = read_text(path)
    text = _PREAMBLE.sub("", whole)
    before = whole.count("\n") - text.count("\n")
    separator = _separator(text.partition("\n")[0])
    reader = csv.DictReader(
      io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True
    )
    columns = [_column(name or "") for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    rows = [(f"{path}:{before + reader.line_num}", cells) for cells in reader]
  except TextFileError as error:
    findings.add("manifest", error.where, error.detail)
    return []
  except csv.Error as error:
    findings.add("manifest", path, f"cannot be read as CSV: {error}.")
    return []
  missing = [name for name in REQUIRED if name not in columns]
  if missing:
    findings.add(
      "manifest",
      path,
      f"no column {', '.join(missing)} among {', '.join(columns) or 'none'}; "
      f"needed: {', '.join(REQUIRED)}; optional: {', '.join(OPTIONAL)}.",
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


def _separator(header: str) -> str:
  """What separates the columns: the mark that most of the header's are."""
  return max(",;\t|", key=header.count)


def _column(text: str) -> str:
  """A column's name, however it is written: " Frames per snippet"."""
  return re.sub(r"[\s-]+", "_", text.strip().strip('"').lower())


def _parse_row(
  folder: Path,
  where: str,
  cells: Cells,
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

  path = cells["path"]
  if not path:
    faults.append(f"path: empty; name a feature file ({', '.join(SUFFIXES)}).")
  # Spreadsheets write 1 as 1.0.
  label_text = re.sub(r"^([01])\.0+$", r"\1", cells["label"].lower())
  split = cells["split"].lower()
  for column, text, allowed in (
    ("label", label_text, LABELS),
    ("split", split, SPLITS),
  ):
    if text not in allowed:
      faults.append(
        f"{column} is {cells[column]!r}; allowed: {', '.join(allowed)}."
        + (_NO_LABEL if column == "label" and not text else "")
      )
  label = LABELS.get(label_text, 0)
  rows = cell("rows", _parse_rows, None)
  name = cells.get("video") or _without_suffix(path)
  if rows is not None and not cells.get("video"):
    name += f"[{rows[0]}-{rows[1]}]"
  spans = cell("spans", lambda text: parse_spans(text, span_ends), ())
  if spans and label_text in LABELS and not label:
    faults.append(
      "spans: a normal video has none; correct the label or leave them out."
    )
  steps = [cell(name, _positive, None) for name in _STEP]
  if None not in steps and len(set(steps)) > 1:
    faults.append(
      f"{_STEP[0]} is {steps[0]}, {_STEP[1]} {steps[1]}; they mean the same, "
      "leave one out."
    )
  step = steps[0] or steps[1] or SNIPPET_FRAMES
  window = cell("window", _positive, None)
  crop = cell("crop", _natural, None)
  facts = {
    "split": split,
    "label": label,
    "category": cells.get("category") or ("anomalous" if label else "normal"),
    "key": cells.get("key") or name,
    "frames": cell("frames", _positive, None),
    "frames_per_snippet": step,
    "window": None if window == step else window,
    # Without any, those of an anomalous video are not known.
    "spans": None if label and not spans else spans,
  }
  for fault in faults:
    findings.add("manifest", where, fault)
  if faults:
    return None
  file, stream = _file(folder, path), cells.get("stream", "").lower()
  return _Row(where, Part(name, file, crop, rows, stream, split), facts)


def _file(folder: Path, path: str) -> Path:
  """The file that a row names, perhaps as Windows writes it."""
  file = folder / path
  if "\\" in path and not file.exists():
    return folder / path.replace("\\", "/")
  return file


def _without_suffix(path: str) -> str:
  for suffix in SUFFIXES:
    path = path.removesuffix(suffix)
  return path


def _natural(text: str) -> int:
  if not text.isdecimal():
    raise ValueError(f"{text!r} is not a whole number of 0 or more")
  return int(text)


def _positive(text: str) -> int:
  text = re.sub(r"\.0+$", "", text)
  if not text.isdecimal() or int(text) < 1:
    raise ValueError(f"{text!r} is not a whole number of 1 or more")
  return int(text)


def _parse_rows(text: str) -> Rows:
  match = re.fullmatch(r"(\d+)-(\d+)", text)
  if match is None or int(match[1]) >= int(match[2]):
    raise ValueError(
      f'{text!r} are no rows; write "first-end", counted from 0, end exclusive'
    )
  return int(match[1]), int(match[2])


def _check_facts(name: str, rows: list[_Row], findings: Findings) -> None:
  """Finds rows of a video that contradict its first."""
  facts = rows[0].facts
  for row in rows[1:]:
    for column, value in row.facts.items():
      if value != facts[column]:
        findings.add(
          "both-splits" if column == "split" else "manifest",
          row.where,
          f"{column} of video {name} is {value!r}, but {facts[column]!r} at "
          f"{rows[0].where}; make them equal, or name different videos in the "
          "column video.",
          name,
        )


def _check_streams(name: str, rows: list[_Row], findings: Findings) -> None:
  """Finds streams that would be taken for crops."""
  if any(row.part.stream for row in rows):
    return
  streams = {
    row.where: set(words(str(row.part.path))) & set(STREAMS) for row in rows
  }
  if len({frozenset(own) for own in streams.values()}) > 1:
    told = sorted(set().union(*streams.values()))
    findings.add(
      "manifest",
      rows[1].where,
      f"the files of video {name} differ in {', '.join(told)} by name, but "
      "rows of one video are its crops, whose scores are averaged. A column "
      f"stream ({', '.join(told)}) joins them by channel; if they are crops, "
      "fill it with the same word.",
    )


def _check_categories(videos: Sequence[Video], findings: Findings) -> None:
  """Finds videos whose category is of the other label."""
  anomalous = {video.category for video in videos if video.label}
  for video in videos:
    normal = "normal" in words(video.category)
    if video.label and normal:
      what = "is anomalous by its label"
    elif not video.label and not normal and video.category in anomalous:
      what = "is normal by its label, and anomalous videos have this category"
    else:
      continue
    findings.add(
      "list-label",
      video.name,
      f"category is {video.category!r}, but it {what}; correct either.",
      video.name,
    )
