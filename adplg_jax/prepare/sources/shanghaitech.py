"""ShanghaiTech: names, totals, frame masks (docs/datasets.md)."""

import re
from pathlib import Path, PurePath
from typing import ClassVar

from adplg_jax.prepare.annotation import MaskAnnotations, read_masks
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.layout import (
  Expected,
  Features,
  FileName,
  FileNameError,
)
from adplg_jax.prepare.official import OfficialSource
from adplg_jax.prepare.videos import ANOMALOUS, NORMAL


class ShanghaiTech(OfficialSource):
  """ShanghaiTech; test videos without a frame mask are normal."""

  name = "shanghaitech"
  features: ClassVar = {
    "i3d": Features(
      1024,
      1024,
      10,
      Expected((175, 63, 199), 8_757, 140_112, 7_874 / 140_112),
      {"train": "train", "test": "test"},
    ),
  }
  test_labels_by_name = False

  def parse_name(self, path: PurePath) -> FileName:
    """Reads 01_0014_0.npy; in training, four digits are anomalous.

    The category of a test video comes from its mask.

    Raises:
      FileNameError: Another form.
    """
    match = re.fullmatch(
      r"(?P<video>\d+_(?P<number>\d{3,4}))_(?P<crop>\d+)", path.stem
    )
    if match is None:
      raise FileNameError(
        "unknown-name", "the name is not SCENE_VIDEO_CROP.npy."
      )
    category = ANOMALOUS if len(match["number"]) == 4 else NORMAL
    return FileName(match["video"], int(match["crop"]), category)

  def read_annotations(
    self, path: Path, findings: Findings, span_ends: str
  ) -> MaskAnnotations:
    """See OfficialSource."""
    del span_ends
    return MaskAnnotations(read_masks(path, findings))


SOURCE = ShanghaiTech()
