"""UCF-Crime: names, classes, totals, annotations (docs/datasets.md)."""

import dataclasses
import re
from pathlib import Path, PurePath
from typing import ClassVar

from adplg_jax.prepare.annotation import SpanAnnotations
from adplg_jax.prepare.annotation_rows import Row, bare_name, read_rows
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.layout import Expected, Features
from adplg_jax.prepare.naming import (
  OWN_VIDEOS,
  FileName,
  FileNameError,
  match_name,
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
# The public annotations have 84 189 anomalous frames.
_EXPECTED = Expected((800, 810, 290), anomalous_share=84_189 / 1_109_680)
# Without the ending _x264, a number that follows is a crop, but for the one
# video that has two numbers.
_NAME = re.compile(
  r"((?P<video>(?P<cls>[A-Za-z]+).*?)_x264"
  r"|(?P<bare>(?P<bare_cls>[A-Za-z]+)(_Videos308_3|(_Videos_?)?\d+)))"
  r"(?P<ending>\D.*)?"
)
# Examples of the forms of rows, for messages, and the forms.
FORMS = (
  "Abuse028_x264.mp4 Abuse 165 240 -1 -1, perhaps with the number of frames "
  "at the end",
  "Abuse/Abuse028_x264.mp4 1412 Abuse 165 240 -1 -1",
  "Abuse/Abuse028_x264.mp4|1412|[165, 240]",
  "Normal_Videos_003_x264.mp4 2822 -1",
)
_ROWS = (
  re.compile(
    r"(?P<name>.+?)\s+((?P<frames>\d+)\s+)?(?P<category>[A-Za-z_]+)"
    r"\s+(?P<numbers>-?\d+(\s+-?\d+)*)"
  ),
  re.compile(
    r"(?P<name>.+?)\s*\|\s*(?P<frames>\d+)\s*\|"
    r"\s*(?P<numbers>\[[-\d,\s\[\]]*\]|-1)"
  ),
  re.compile(r"(?P<name>.+?)\s+(?P<frames>\d+)\s+(?P<numbers>-1)"),
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
    match, crop, audio = match_name(
      _NAME, path.name, form="NAME_x264", crop="__1"
    )
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

  def read_annotations(
    self, path: Path, findings: Findings, span_ends: str
  ) -> SpanAnnotations:
    """See OfficialSource."""
    rows = read_rows(path, parse_row, FORMS, findings, span_ends)
    # Some files have the anomalous videos alone.
    normal_rows = any(name.startswith(NORMAL) for name in rows.videos)

    def is_test(video: str) -> bool:
      # Normal_Videos_003_x264 is tested, Normal_Videos003_x264 is not.
      return video in rows.videos or video.startswith(f"{NORMAL}_Videos_")

    return SpanAnnotations(rows, normal_rows, is_test)


def parse_row(line: str) -> Row | None:
  """Reads a row of UCF-Crime in one of its `FORMS`, None for another."""
  match = next(filter(None, (form.fullmatch(line) for form in _ROWS)), None)
  if match is None:
    return None
  found = match.groupdict()
  numbers = [int(number) for number in re.findall(r"-?\d+", match["numbers"])]
  frames = int(match["frames"]) if match["frames"] else None
  if frames is None and len(numbers) % 2 and _ends_with_frames(numbers):
    frames = numbers.pop()
  # Normal videos may have one -1 in place of spans.
  if numbers == [-1]:
    numbers = []
  # Some files leave out the ending that all videos have.
  name = re.sub(r"(_x264.*)?$", "_x264", bare_name(match["name"]), count=1)
  return Row(name, numbers, frames, found.get("category"))


def _ends_with_frames(numbers: list[int]) -> bool:
  """Whether the last number can be that of the frames: beyond all starts."""
  starts = numbers[:-1:2]
  return bool(starts) and numbers[-1] > max(0, *starts)


SOURCE = UcfCrime()
