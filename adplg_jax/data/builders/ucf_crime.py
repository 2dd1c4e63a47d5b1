"""Builder of UCF-Crime."""

from pathlib import Path

from adplg_jax.data.annotate import annotate_by_rows
from adplg_jax.data.benchmarks import UCF_CRIME
from adplg_jax.data.builders.benchmark import BenchmarkBuilder
from adplg_jax.data.findings import Findings
from adplg_jax.data.ground_truth import read_ucf_crime
from adplg_jax.data.videos import Video


class UcfCrime(BenchmarkBuilder):
  """UCF-Crime; every test video has a row of annotation."""

  benchmark = UCF_CRIME

  def _test_names(self, path: Path, findings: Findings) -> frozenset[str]:
    return frozenset(read_ucf_crime(path, findings))

  def _annotate(
    self, videos: list[Video], path: Path, findings: Findings
  ) -> list[Video]:
    rows = read_ucf_crime(path, findings)
    return annotate_by_rows(videos, rows, findings, normal_rows=True)
