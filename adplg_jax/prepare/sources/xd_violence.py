"""XD-Violence: names, classes, totals, annotations (docs/datasets.md)."""

import re
from pathlib import Path, PurePath
from typing import ClassVar

from adplg_jax.prepare.annotation import SpanAnnotations
from adplg_jax.prepare.annotation_rows import Row, read_rows
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.layout import (
  Expected,
  Features,
  FileName,
  FileNameError,
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
# The forms of rows, for messages; a name may carry .mp4.
FORMS = (
  "NAME_label_B2-0-0 16 48 100 128",
  "NAME_label_B2-0-0 B2 16 48 B2 100 128",
)
_VIDEOS = (2049, 1905, 800)
_EXPECTED = Expected(_VIDEOS, 145_649, 2_330_384, 0.2308)
_FOLDERS = {"train": "i3d-features/RGB", "test": "i3d-features/RGBTest"}


class XdViolence(OfficialSource):
  """XD-Violence; only anomalous test videos have a row of annotation."""

  name = "xd_violence"
  features: ClassVar = {
    "i3d": Features(1024, 1024, 5, _EXPECTED, _FOLDERS),
    "i3d_vggish": Features(
      1152,
      1024,
      5,
      _EXPECTED,
      _FOLDERS,
      {"train": "vggish-features/train", "test": "vggish-features/test"},
    ),
    "clip": Features(
      512,
      512,
      10,
      Expected(_VIDEOS),
      official_test_crop=0,
      zero_padding=True,
    ),
  }

  def parse_name(self, path: PurePath) -> FileName:
    """Reads NAME_label_B2-0-0__0.npy; the first class that is not 0 counts.

    Raises:
      FileNameError: Another form, or an unknown class.
    """
    match = re.fullmatch(
      r"(?P<video>.+_label_(?P<codes>[A-Z0-9-]+))__(?P<crop>\d+)", path.stem
    )
    if match is None:
      raise FileNameError(
        "unknown-name", "the name is not NAME_label_CODES__CROP.npy."
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
    return FileName(match["video"], int(match["crop"]), category)

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
