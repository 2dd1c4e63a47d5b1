"""Own features without a manifest: train|test/normal|CLASS/FILE.

What folders and names tell is written down as the rows of a manifest, so that
it is read, checked and kept in one way. See docs/own_features.md.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from adplg_jax.prepare.annotation_rows import parse_spans
from adplg_jax.prepare.feature_folders import feature_files, folder_split
from adplg_jax.prepare.file_contents import describe
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.manifest import STREAMS, Cells
from adplg_jax.prepare.naming import split_named, words
from adplg_jax.prepare.text_files import read_text

_COLUMNS = (
  "path",
  "label",
  "split",
  "video",
  "stream",
  "crop",
  "category",
  "spans",
)
_CROP = re.compile(r"(.+?)(__|[_-]crop[_-]?)(\d+)")
_STREAM = "|".join([r"optical[_-]?flow", "of", *STREAMS])
_BEFORE = re.compile(rf"({_STREAM})[_.-]+(.+)", re.IGNORECASE)
_AFTER = re.compile(rf"(.+?)[_.-]+({_STREAM})", re.IGNORECASE)
SPANS_LINE = re.compile(
  r"(?P<video>.+?)[\s,;]+(?P<spans>\d+-\d+([\s,;]+\d+-\d+)*)"
)
# Words that make a class of anomaly of what is not normal.
_NOT = {"ab", "non", "not"}

_Row = dict[str, str]


def find_rows(
  folder: Path, spans: Path | None, findings: Findings
) -> list[tuple[str, Cells]]:
  """The manifest's rows that a folder of features stands for.

  Args:
    folder: It has train|test/normal|CLASS/FILE.
    spans: A line `VIDEO start-end start-end ...` for each anomalous test video.
    findings: Gathers files whose folders do not tell their split or class.

  Returns:
    The rows, each with its file.

  Raises:
    PreparationError: There is no feature file, or `spans` cannot be read.
  """
  paths, others = feature_files(folder)
  rows: dict[str, list[_Row]] = defaultdict(list)
  for path in paths:
    row = _row(path.relative_to(folder), path, findings)
    if row is not None:
      rows[row["video"]].append(row)
  for path in others:
    row = _row(path.relative_to(folder), path, Findings())
    if row is not None and row["video"] not in rows:
      findings.add("unreadable", path, f"{describe(path)}.", row["video"])
  labels = {row["label"] for own in rows.values() for row in own}
  if rows and "normal" not in labels:
    findings.add(
      "manifest",
      folder,
      "has no folder of normal videos; that folder's name must have the word "
      "normal.",
    )
  if spans is not None:
    _add_spans(spans, rows, findings)
  if all(len({row["stream"] for row in own}) == 1 for own in rows.values()):
    for own in rows.values():
      for row in own:
        row["stream"] = ""
  return [
    (str(folder / row["path"]), row) for own in rows.values() for row in own
  ]


def as_manifest(
  folder: Path, rows: Sequence[tuple[str, Cells]], span_ends: str
) -> str:
  """The rows as the text of a manifest: absolute paths, half-open spans."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(_COLUMNS)
  for _, row in rows:
    path = str((folder / row["path"]).resolve())
    try:
      spans = parse_spans(row["spans"], span_ends)
      written = " ".join(f"{start}-{end}" for start, end in spans)
    except ValueError:
      written = row["spans"]
    cells = {**row, "path": path, "spans": written}
    writer.writerow(cells[column] for column in _COLUMNS)
  return text.getvalue()


def _row(relative: Path, path: Path, findings: Findings) -> _Row | None:
  split = folder_split(relative)
  folders = [
    part
    for part in relative.parts[:-1]
    if split_named(part) is None and not set(words(part)) & set(STREAMS)
  ]
  if split is None or len(folders) != 1:
    findings.add(
      "manifest",
      path,
      "its folders do not tell its split and class; put it below train|test/"
      "normal|CLASS, or write a manifest (docs/own_features.md).",
    )
    return None
  stem, stream, crop = parse_stem(path.stem)
  for part in relative.parts[:-1]:
    for word in words(part):
      stream = word if word in STREAMS else stream
  category = category_of(folders[0])
  return {
    "path": str(relative),
    "label": "normal" if category == "normal" else "anomalous",
    "split": split,
    "video": f"{split}/{folders[0]}/{stem}",
    "stream": stream,
    "crop": crop,
    "category": category,
    "spans": "",
  }


def category_of(folder: str) -> str:
  """The class of the videos in a folder of this name: normal, or the name."""
  told = set(words(folder))
  return "normal" if "normal" in told and not told & _NOT else folder


def parse_stem(stem: str) -> tuple[str, str, str]:
  """Video, stream and crop of a file's name, in any order after the video."""
  stream = crop = ""
  for _ in range(2):
    numbered = _CROP.fullmatch(stem)
    if numbered is not None and not crop:
      stem, crop = numbered[1], numbered[3]
    after, before = _AFTER.fullmatch(stem), _BEFORE.fullmatch(stem)
    if after is not None and not stream:
      stem, stream = after[1], after[2]
    elif before is not None and not stream:
      stem, stream = before[2], before[1]
  return stem, re.sub(r"optical[_-]?flow", "flow", stream.lower()), crop


def _add_spans(
  path: Path, rows: dict[str, list[dict[str, str]]], findings: Findings
) -> None:
  """Adds spans to the rows of the test videos that a spans file names."""
  names: dict[str, list[str]] = defaultdict(list)
  for video, own in rows.items():
    if own[0]["split"] == "test":
      names[video].append(video)
      names[video.rsplit("/", 1)[-1]].append(video)
  lines = 0
  for number, line in enumerate(read_text(path).splitlines(), 1):
    where = f"{path}:{number}"
    line = line.strip()
    if not line or (number == 1 and not re.search(r"\d", line)):
      continue
    match = SPANS_LINE.fullmatch(line)
    if match is None:
      findings.add(
        "manifest",
        where,
        f"{line!r} is no line of spans; write 'VIDEO start-end start-end ...'.",
      )
      continue
    name = re.sub(r"\.\w+$", "", match["video"])
    videos = names.get(name) or names.get(match["video"]) or []
    if len(videos) != 1:
      count = "no test video" if not videos else "several test videos"
      findings.add(
        "manifest",
        where,
        f"{count} of the name {match['video']!r}; write it as "
        "test/CLASS/NAME, without a suffix.",
      )
      continue
    lines += 1
    for row in rows[videos[0]]:
      known = [row["spans"]] if row["spans"] else []
      row["spans"] = " ".join([*known, *re.findall(r"\d+-\d+", match["spans"])])
  if not lines and not findings.items:
    findings.add("manifest", path, "has no line of spans.")
