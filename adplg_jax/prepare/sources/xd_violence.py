"""XD-Violence: names, classes, totals, annotations (docs/datasets.md)."""

import dataclasses
import re
from pathlib import Path, PurePath
from typing import ClassVar

from adplg_jax.prepare.annotation import SpanAnnotations
from adplg_jax.prepare.annotation_rows import Row, read_rows
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.layout import Expected, Features
from adplg_jax.prepare.naming import (
  FileName,
  FileNameError,
  match_name,
)
from adplg_jax.prepare.official import OfficialSource
from adplg_jax.prepare.videos import NORMAL

CLASSES = {
  "B1": "Fighting",
  "B2": "Shooting",
  "B4": "Riot",
  "B5": "Abuse",
  "B6": "CarAccident",
  "G": "Explosion",
}
_EXPECTED = Expected((2049, 1905, 800), anomalous_share=0.2308)
_I3D = dataclasses.replace(
  _EXPECTED, test_snippets=145_649, test_frames=2_330_384
)
# The forms of rows, for messages; a name may carry .mp4.
FORMS = (
  "NAME_label_B2-0-0 16 48 100 128",
  "NAME_label_B2-0-0 B2 16 48 B2 100 128",
)
_FOLDERS = {"train": "i3d-features/RGB", "test": "i3d-features/RGBTest"}
_NAME = re.compile(
  r"(?P<video>.+_label_(?P<codes>[A-Z0-9]+(-[A-Z0-9]+)*))(?P<ending>.*)"
)


class XdViolence(OfficialSource):
  """XD-Violence; only anomalous test videos have a row of annotation."""

  name = "xd_violence"
  expected = _EXPECTED
  categories = tuple(CLASSES.values())
  features: ClassVar = {
    "i3d": Features(
      _I3D, width=1024, crops=5, visual_width=1024, folders=_FOLDERS
    ),
    "i3d_vggish": Features(
      _I3D,
      width=1152,
      crops=5,
      visual_width=1024,
      audio=True,
      folders=_FOLDERS,
    ),
    "clip": Features(
      _EXPECTED,
      width=512,
      crops=10,
      visual_width=512,
      official_test_crop=0,
      zero_padding=True,
    ),
  }

  def parse_name(self, path: PurePath) -> FileName:
    """Reads NAME_label_B2-0-0__0; the first class that is not 0 counts.

    Raises:
      FileNameError: Another form, or an unknown class.
    """
    match, crop, audio = match_name(
      _NAME, path.name, form="NAME_label_CODES", crop="__0"
    )
    codes = [code for code in match["codes"].split("-") if code != "0"]
    unknown = [code for code in codes if code not in (*CLASSES, "A")]
    if unknown or not codes or ("A" in codes and len(codes) > 1):
      raise FileNameError(
        "unknown-class",
        f"classes {match['codes']!r}; allowed: A, or {', '.join(CLASSES)} "
        "joined by - and filled up by 0.",
      )
    category = CLASSES.get(codes[0], NORMAL)
    return FileName(match["video"], crop, category, audio)

  def category_of(self, label: str) -> str:
    """The class of codes such as B2-0-0: the first that is not 0."""
    codes = [code for code in label.upper().split("-") if code != "0"]
    first = codes[0] if codes else label
    return NORMAL if first == "A" else CLASSES.get(first, label)

  def read_annotations(
    self, path: Path, findings: Findings, span_ends: str
  ) -> SpanAnnotations:
    """See OfficialSource."""
    rows = read_rows(path, parse_row, FORMS, findings, span_ends)
    return SpanAnnotations(rows, normal_rows=False)


def parse_row(line: str) -> Row | None:
  """Reads a row of XD-Violence in one of its `FORMS`, None for another."""
  name = r"(?P<name>.+_label_[A-Z0-9-]+(\.mp4)?)"
  triple = rf"\s+({'|'.join(CLASSES)})\s+-?\d+\s+-?\d+"
  match = re.fullmatch(rf"{name}(?P<spans>((\s+-?\d+)+|({triple})+))", line)
  if match is None:
    return None
  numbers = re.findall(r"(?<=\s)-?\d+", match["spans"])
  return Row(match["name"], [int(number) for number in numbers])


SOURCE = XdViolence()
