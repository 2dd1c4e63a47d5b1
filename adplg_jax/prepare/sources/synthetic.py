"""Synthetic videos: generated, so that nothing has to be downloaded."""

import argparse

from adplg_jax.configs import synthetic as config
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.scan import Rules
from adplg_jax.prepare.source import (
  Collected,
  Options,
  Source,
  common_options,
)
from adplg_jax.prepare.sources.synthetic_videos import (
  VARIANTS,
  SyntheticVideo,
  make_videos,
)
from adplg_jax.prepare.videos import ArrayCrop, Video


class Synthetic(Source):
  """Videos that the package makes itself."""

  name = "synthetic"
  default_segments = config.get_config().num_segments

  def add_arguments(self, parser: argparse.ArgumentParser) -> None:
    """See Source."""
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="small")

  def options(self, arguments: argparse.Namespace) -> Options:
    """See Source."""
    self._check_variant(arguments.variant)
    return Options(**common_options(arguments))

  def usage(self, variant: str) -> str:
    """See Source."""
    self._check_variant(variant)
    return f"{self.name} --variant {variant}"

  def _check_variant(self, variant: str) -> None:
    if variant not in VARIANTS:
      raise PreparationError(
        f"synthetic variant is {variant!r}; allowed: {', '.join(VARIANTS)}."
      )

  def collect(self, options: Options) -> Collected:
    """See Source."""
    self._check_variant(options.variant)
    spec = VARIANTS[options.variant]
    videos = [_video(video) for video in make_videos(spec)]
    rules = Rules(feature_width=spec.feature_width, zero_rows=True)
    return Collected(videos, rules, Findings())


def _video(made: SyntheticVideo) -> Video:
  crops = tuple(
    ArrayCrop(index, array, made.name)
    for index, array in enumerate(made.features)
  )
  return Video(
    name=made.name,
    split=made.split,
    label=made.label,
    category=made.category,
    crops=crops,
    key=made.name,
    frames=made.frames,
    frames_per_snippet=made.frames_per_snippet,
    spans=made.spans,
    annotated_frames=made.frames,
  )


SOURCE = Synthetic()
