"""Builder of XD-Violence."""

from pathlib import Path

from adplg_jax.data.annotate import annotate_by_rows
from adplg_jax.data.benchmarks import XD_VIOLENCE
from adplg_jax.data.builders.benchmark import BenchmarkBuilder
from adplg_jax.data.findings import Findings
from adplg_jax.data.ground_truth import read_xd_violence
from adplg_jax.data.videos import Video


class XdViolence(BenchmarkBuilder):
  """XD-Violence; only anomalous test videos have a row of annotation."""

  benchmark = XD_VIOLENCE

  def _annotate(
    self, videos: list[Video], path: Path, findings: Findings
  ) -> list[Video]:
    rows = read_xd_violence(path, findings)
    return annotate_by_rows(videos, rows, findings, normal_rows=False)
