"""UCF-Crime: names, classes, totals, annotations (docs/datasets.md)."""

import dataclasses
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
from adplg_jax.prepare.layout import Expected, Features
from adplg_jax.prepare.naming import (
  OWN_VIDEOS,
  FileName,
  FileNameError,
  parse_ending,
  words,
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
_EXPECTED = Expected((800, 810, 290))
# Without the ending _x264, a number that follows is a crop, but for the one
# video that has two numbers.
_NAME = re.compile(
  r"((?P<video>(?P<cls>[A-Za-z]+).*?)_x264"
  r"|(?P<bare>(?P<bare_cls>[A-Za-z]+)(_Videos308_3|(_Videos_?)?\d+)))"
  r"(?P<ending>\D.*)?"
)


class UcfCrime(OfficialSource):
  """UCF-Crime; every test video has a row of annotation."""

  name = "ucf_crime"
  expected = _EXPECTED
  categories = CLASSES
  features: ClassVar = {
    "i3d": Features(
      dataclasses.replace(
        _EXPECTED, test_snippets=69_355, test_frames=1_109_680
      ),
      width=1024,
      crops=10,
      visual_width=1024,
      folders={"train": "train/RGB", "test": "test/RGB"},
    ),
    "clip": Features(
      _EXPECTED,
      width=512,
      crops=10,
      visual_width=512,
      official_test_crop=5,
      zero_padding=True,
    ),
  }

  def parse_name(self, path: PurePath) -> FileName:
    """Reads CLASS/Abuse001_x264 (crop 0), CLASS/Abuse001_x264__1, ...

    Raises:
      FileNameError: Another form, an unknown class, or another class's folder.
    """
    match = _NAME.fullmatch(path.name)
    try:
      if match is None:
        raise ValueError
      crop, audio = parse_ending(match["ending"] or "")
    except ValueError:
      raise FileNameError(
        "unknown-name",
        "the name is not NAME_x264, with a crop such as __1 or a kind of "
        f"features such as _i3d after it. {OWN_VIDEOS}",
      ) from None
    category = match["cls"] or match["bare_cls"]
    if category not in (*CLASSES, NORMAL):
      raise FileNameError(
        "unknown-class",
        f"class {category!r}; allowed: {', '.join(CLASSES)}, {NORMAL}. "
        f"{OWN_VIDEOS}",
      )
    folder = path.parent.name
    held = NORMAL if "normal" in words(folder) else folder
    if held in (*CLASSES, NORMAL) and held != category:
      raise FileNameError(
        "unknown-class", f"a video of class {category} in folder {folder!r}."
      )
    video = f"{match['video'] or match['bare']}_x264"
    return FileName(video, crop, category, audio)

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
