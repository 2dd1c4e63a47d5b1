"""ShanghaiTech: names, totals, frame masks (docs/datasets.md)."""

import dataclasses
import re
from pathlib import Path, PurePath
from typing import ClassVar

from adplg_jax.prepare.annotation import MaskAnnotations, read_masks
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.layout import Expected, Features
from adplg_jax.prepare.naming import (
  FileName,
  match_name,
)
from adplg_jax.prepare.official import OfficialSource
from adplg_jax.prepare.videos import ANOMALOUS, NORMAL

_EXPECTED = Expected((175, 63, 199), anomalous_share=7_874 / 140_112)
_NAME = re.compile(r"(?P<video>\d{2}_(?P<number>\d{3,4}))(?P<ending>\D.*)?")


class ShanghaiTech(OfficialSource):
  """ShanghaiTech in the weakly supervised split.

  A video's name tells its label: four digits are anomalous, three are normal.
  Anomalous test videos have a frame mask.
  """

  name = "shanghaitech"
  expected = _EXPECTED
  categories = (ANOMALOUS,)
  # The lists in circulation have the anomalous videos first.
  array_needs_list = True
  features: ClassVar = {
    "i3d": Features(
      dataclasses.replace(
        _EXPECTED,
        test_snippets=8_757,
        test_frames=140_112,
      ),
      width=1024,
      crops=10,
      visual_width=1024,
      folders={"train": "train", "test": "test"},
    ),
  }

  def parse_name(self, path: PurePath) -> FileName:
    """Reads 01_0014_0: scene, video, crop.

    Raises:
      FileNameError: Another form.
    """
    match, crop, audio = match_name(
      _NAME, path.name, form="SCENE_VIDEO, as 01_0014", crop="_0"
    )
    category = ANOMALOUS if len(match["number"]) == 4 else NORMAL
    return FileName(match["video"], crop, category, audio)

  def read_annotations(
    self, path: Path, findings: Findings, span_ends: str
  ) -> MaskAnnotations:
    """See OfficialSource."""
    del span_ends
    return MaskAnnotations(read_masks(path, findings))


SOURCE = ShanghaiTech()
