"""A user's own feature files, listed in a manifest (docs/own_features.md)."""

import argparse
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.manifest import read_manifest
from adplg_jax.prepare.scan import Rules
from adplg_jax.prepare.source import (
  Collection,
  Options,
  Source,
  add_span_ends,
  common_options,
)
from adplg_jax.prepare.videos import Video

# A configuration's argument may be one of these instead of a name.
_PRESETS = ("official", "fixed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderOptions(Options):
  """The options of a folder data set.

  Attributes:
    manifest: The manifest.csv.
  """

  manifest: str


class Folder(Source):
  """Feature files with a manifest."""

  name = "folder"

  def add_arguments(self, parser: argparse.ArgumentParser) -> None:
    """See Source."""
    parser.add_argument(
      "--name",
      dest="variant",
      metavar="NAME",
      required=True,
      help="name of the data set",
    )
    parser.add_argument(
      "--manifest", required=True, help="manifest.csv (docs/own_features.md)"
    )
    add_span_ends(parser)

  def options(self, arguments: argparse.Namespace) -> FolderOptions:
    """See Source."""
    _check_name(arguments.variant)
    return FolderOptions(
      **common_options(arguments), manifest=arguments.manifest
    )

  def usage(self, variant: str) -> str:
    """See Source."""
    return f"{self.name} --name {variant or 'NAME'} --manifest MANIFEST.csv"

  def collect(self, options: Options) -> Collection:
    """See Source."""
    if not isinstance(options, FolderOptions):
      raise TypeError(f"{self.name} needs FolderOptions")
    findings = Findings()
    videos = [
      dataclasses.replace(video, exact_spans=options.span_ends == "inclusive")
      for video in read_manifest(
        Path(options.manifest), findings, options.span_ends
      )
    ]
    rules = Rules(zero_rows=True, span_slack=1)
    return Collection(videos, rules, findings, summarize=_summarize)


def _check_name(name: str) -> None:
  if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
    raise PreparationError(
      f"--name is {name!r}; allowed: letters, digits, _ . - after a first "
      "letter or digit."
    )
  if name in _PRESETS:
    raise PreparationError(
      f"--name is {name!r}, which is a preset's name "
      "(configs/folder.py:NAME,PRESET); choose another."
    )


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


SOURCE = Folder()
