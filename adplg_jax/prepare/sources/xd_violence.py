"""XD-Violence: names, classes, totals, annotations (docs/datasets.md)."""

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

CLASSES = {
  "B1": "Fighting",
  "B2": "Shooting",
  "B4": "Riot",
  "B5": "Abuse",
  "B6": "CarAccident",
  "G": "Explosion",
}
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

  def read_annotations(self, path: Path, findings: Findings) -> SpanAnnotations:
    """See OfficialSource."""
    return SpanAnnotations(read_rows(path, findings), normal_rows=False)


def read_rows(path: Path, findings: Findings) -> dict[str, Annotation]:
  """Reads XD-Violence's rows `NAME start end start end ...`.

  Args:
    path: The annotation file.
    findings: Gathers invalid rows.

  Returns:
    Annotations by the video's name; some names carry .mp4, which is dropped.
  """
  annotations = {}
  for where, line in read_lines(path):
    match = re.fullmatch(r"(?P<name>.+?)(?P<numbers>(\s+-?\d+)+)", line)
    numbers = [int(n) for n in match["numbers"].split()] if match else [0]
    if match is None or len(numbers) % 2:
      findings.add(
        "manifest", where, f"{line!r} is not 'name start end start end ...'."
      )
      continue
    add_row(annotations, where, match["name"], numbers, findings)
  return annotations


SOURCE = XdViolence()
