"""Builder of ShanghaiTech."""

from pathlib import Path

from adplg_jax.data.annotate import annotate_by_masks, read_masks
from adplg_jax.data.benchmarks import SHANGHAITECH
from adplg_jax.data.builders.benchmark import BenchmarkBuilder
from adplg_jax.data.findings import Findings
from adplg_jax.data.videos import Video


class Shanghaitech(BenchmarkBuilder):
  """ShanghaiTech; test videos without a frame mask are normal."""

  benchmark = SHANGHAITECH

  def _annotate(
    self, videos: list[Video], path: Path, findings: Findings
  ) -> list[Video]:
    masks = read_masks(path, findings)
    return annotate_by_masks(videos, masks, findings)
