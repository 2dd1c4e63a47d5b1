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

from adplg_jax.prepare.feature_folders import feature_files, folder_split
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.manifest import STREAMS, Cells
from adplg_jax.prepare.naming import split_named, words
from adplg_jax.prepare.text_files import read_text

_COLUMNS = ["path", "label", "split", "video", "stream", "category", "spans"]
_CROP = re.compile(r"(.+?)(__|[_-]crop[_-]?)\d+")
_STREAM = re.compile(rf"(.+?)[_-]+({'|'.join(STREAMS)})", re.IGNORECASE)
_SPANS = re.compile(r"(?P<video>.+?)[\s,;]+(?P<spans>\d+-\d+([\s,;]+\d+-\d+)*)")


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
  rows: dict[str, list[dict[str, str]]] = defaultdict(list)
  for path in feature_files(folder):
    row = _row(path.relative_to(folder), path, findings)
    if row is not None:
      rows[row["video"]].append(row)
  if spans is not None:
    _add_spans(spans, rows, findings)
  for own in rows.values():
    if len({row["stream"] for row in own}) == 1:
      for row in own:
        row["stream"] = ""
  return [
    (str(folder / row["path"]), row) for own in rows.values() for row in own
  ]


def as_manifest(folder: Path, rows: Sequence[tuple[str, Cells]]) -> str:
  """The rows as the text of a manifest, with absolute paths."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  writer.writerow(_COLUMNS)
  for _, row in rows:
    path = str((folder / row["path"]).resolve())
    writer.writerow([path, *(row[column] for column in _COLUMNS[1:])])
  return text.getvalue()


def _row(
  relative: Path, path: Path, findings: Findings
) -> dict[str, str] | None:
  split = folder_split(relative)
  folders = [
    part
    for part in relative.parts[:-1]
    if split_named(part) is None and part.lower() not in STREAMS
  ]
  if split is None or len(folders) != 1:
    findings.add(
      "manifest",
      path,
      "its folders do not tell its split and class; put it below train|test/"
      "normal|CLASS, or write a manifest (docs/own_features.md).",
    )
    return None
  stem, stream = path.stem, ""
  for part in relative.parts[:-1]:
    if part.lower() in STREAMS:
      stream = part.lower()
  crop = _CROP.fullmatch(stem)
  if crop is not None:
    stem = crop[1]
  named = _STREAM.fullmatch(stem)
  if named is not None:
    stem, stream = named[1], named[2].lower()
  normal = "normal" in words(folders[0])
  return {
    "path": str(relative),
    "label": "normal" if normal else "anomalous",
    "split": split,
    "video": f"{split}/{folders[0]}/{stem}",
    "stream": stream,
    "category": "normal" if normal else folders[0],
    "spans": "",
  }


def _add_spans(
  path: Path, rows: dict[str, list[dict[str, str]]], findings: Findings
) -> None:
  """Adds spans to the rows of the test videos that a spans file names."""
  names: dict[str, list[str]] = defaultdict(list)
  for video, own in rows.items():
    if own[0]["split"] == "test":
      names[video].append(video)
      names[video.rsplit("/", 1)[-1]].append(video)
  for number, line in enumerate(read_text(path).splitlines(), 1):
    where = f"{path}:{number}"
    line = line.strip()
    if not line or (number == 1 and not re.search(r"\d", line)):
      continue
    match = _SPANS.fullmatch(line)
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
    for row in rows[videos[0]]:
      row["spans"] = " ".join(re.findall(r"\d+-\d+", match["spans"]))
