"""Builder of a data set of anyone's features, listed in a manifest."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from adplg_jax.data.builders.base import Collection, WsvadBuilder, WsvadConfig
from adplg_jax.data.findings import Findings
from adplg_jax.data.manifest import read_manifest
from adplg_jax.data.scan import Rules
from adplg_jax.data.videos import Video


@dataclasses.dataclass(kw_only=True)
class FolderConfig(WsvadConfig):
  """What the folder builder is told besides.

  Attributes:
    manifest: The manifest.csv.
  """

  manifest: str = ""


class Folder(WsvadBuilder):
  """Feature files with a manifest."""

  def _collect(self) -> Collection:
    config = self.builder_config
    if not isinstance(config, FolderConfig):
      raise ValueError("the folder builder needs a FolderConfig")
    findings = Findings()
    videos = read_manifest(Path(config.manifest), findings)
    rules = Rules(zero_rows=True, span_slack=1)
    return Collection(videos, rules, findings, summarize=_summarize)


def _summarize(videos: Sequence[Video]) -> list[str]:
  lines = []
  for split in ("train", "test"):
    own = [video for video in videos if video.split == split]
    crops = sum(len(video.crops) for video in own)
    anomalous = sum(video.label for video in own)
    lines.append(
      f"{split}: {len(own)} videos ({anomalous} anomalous), {crops} crops, "
      f"{sum(video.snippets for video in own)} snippets"
    )
  unknown = sum(
    video.split == "test" and video.spans is None for video in videos
  )
  if unknown:
    lines.append(
      f"{unknown} anomalous test videos have no spans: the video-level AUC "
      "alone is reported."
    )
  return lines
