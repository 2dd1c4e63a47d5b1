"""UCF-Crime: names, classes, totals, annotations (docs/datasets.md)."""

import re
from pathlib import Path, PurePath
from typing import ClassVar

from adplg_jax.prepare.annotation import (
  Annotation,
  SpanAnnotations,
  add_row,
  read_lines,
)
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.layout import (
  Expected,
  Features,
  FileName,
  FileNameError,
)
from adplg_jax.prepare.official import OfficialSource
from adplg_jax.prepare.videos import NORMAL

CLASSES = (
  "Abuse",
  "Arrest",
  "Arson",
  "Assault",
  "Burglary",
  "Explosion",
  "Fighting",
  "RoadAccidents",
  "Robbery",
  "Shooting",
  "Shoplifting",
  "Stealing",
  "Vandalism",
)
NORMAL_FOLDERS = (
  "Training_Normal_Videos_Anomaly",
  "Testing_Normal_Videos_Anomaly",
  "Normal",
)
_VIDEOS = (800, 810, 290)


class UcfCrime(OfficialSource):
  """UCF-Crime; every test video has a row of annotation."""

  name = "ucf_crime"
  features: ClassVar = {
    "i3d": Features(
      1024,
      1024,
      10,
      Expected(_VIDEOS, 69_355, 1_109_680),
      {"train": "train/RGB", "test": "test/RGB"},
    ),
    "clip": Features(
      512,
      512,
      10,
      Expected(_VIDEOS),
      official_test_crop=5,
      zero_padding=True,
    ),
  }

  def parse_name(self, path: PurePath) -> FileName:
    """Reads CLASS/Abuse001_x264.npy (crop 0) and CLASS/Abuse001_x264__1.npy.

    Raises:
      FileNameError: Another form, an unknown class, or another class's folder.
    """
    match = re.fullmatch(
      r"(?P<video>(?P<cls>[A-Za-z]+).*_x264)(__(?P<crop>\d+))?", path.stem
    )
    if match is None:
      raise FileNameError(
        "unknown-name", "the name is not NAME_x264.npy or NAME_x264__CROP.npy."
      )
    category = match["cls"]
    if category not in (*CLASSES, NORMAL):
      raise FileNameError(
        "unknown-class",
        f"class {category!r}; allowed: {', '.join(CLASSES)}, {NORMAL}.",
      )
    folder = path.parent.name
    if folder:
      held = NORMAL if folder in NORMAL_FOLDERS else folder
      if held != category:
        raise FileNameError(
          "unknown-class", f"a video of class {category} in folder {folder!r}."
        )
    return FileName(match["video"], int(match["crop"] or 0), category)

  def read_annotations(self, path: Path, findings: Findings) -> SpanAnnotations:
    """See OfficialSource."""
    return SpanAnnotations(read_rows(path, findings), normal_rows=True)


def read_rows(path: Path, findings: Findings) -> dict[str, Annotation]:
  """Reads UCF-Crime's rows, in both forms.

  `Abuse028_x264.mp4  Abuse  165  240  -1  -1` is the official one,
  `Arson/Arson022_x264.mp4 8640 Arson 3500 4000 -1 -1` has folder and frames.

  Args:
    path: The annotation file.
    findings: Gathers invalid rows.

  Returns:
    Annotations by the video's name.
  """
  pattern = re.compile(
    r"(?P<name>.+?)\s+((?P<frames>\d+)\s+)?(?P<category>[A-Za-z_]+)"
    r"\s+(?P<numbers>-?\d+(\s+-?\d+)*)"
  )
  annotations = {}
  for where, line in read_lines(path):
    match = pattern.fullmatch(line)
    numbers = [int(n) for n in match["numbers"].split()] if match else [0]
    if match is None or len(numbers) % 2:
      findings.add(
        "manifest",
        where,
        f"{line!r} is neither 'name class start end start end' nor "
        "'name frames class start end start end'.",
      )
      continue
    frames = int(match["frames"]) if match["frames"] else None
    add_row(
      annotations,
      where,
      match["name"],
      numbers,
      findings,
      frames=frames,
      category=match["category"],
    )
  return annotations


SOURCE = UcfCrime()
