"""A user's own feature files (docs/own_features.md)."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from adplg_jax.prepare import own_folders
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.manifest import make_videos, read_manifest
from adplg_jax.prepare.scan import Rules
from adplg_jax.prepare.source import (
  Collected,
  Options,
  Source,
  add_span_ends,
  check_name,
  common_options,
)
from adplg_jax.prepare.videos import SPLITS, Video


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderOptions(Options):
  """The options of a folder data set: a manifest, or a folder of features.

  Attributes:
    manifest: The manifest.csv.
    features: Folder with train|test/normal|CLASS/FILE.
    spans: Spans of the anomalous test videos below `features`.
  """

  manifest: str = ""
  features: str = ""
  spans: str = ""


_FRAMES_CURE = (
  "Correct frames; or, where snippets overlap, give the frames from one to the "
  "next and those that each is extracted from in the columns step and window."
)


class Folder(Source):
  """Feature files with a manifest, or in folders that tell as much."""

  name = "folder"

  def add_arguments(self, parser: argparse.ArgumentParser) -> None:
    """See Source."""
    parser.add_argument(
      "--name",
      dest="variant",
      metavar="NAME",
      help="name of the data set, as folder:NAME gives it, too",
    )
    parser.add_argument(
      "--manifest", default="", help="manifest.csv (docs/own_features.md)"
    )
    parser.add_argument(
      "--features",
      default="",
      help="folder with train|test/normal|CLASS/FILE, instead of a manifest",
    )
    parser.add_argument(
      "--spans",
      default="",
      help="with --features: lines VIDEO start-end start-end ...",
    )
    add_span_ends(parser)

  def options(self, arguments: argparse.Namespace) -> FolderOptions:
    """See Source."""
    check_name("--name is", arguments.variant)
    if bool(arguments.manifest) == bool(arguments.features):
      raise PreparationError("Give --manifest or --features, one of the two.")
    if arguments.spans and not arguments.features:
      raise PreparationError(
        f"--spans {arguments.spans} goes with --features; a manifest has a "
        "column spans."
      )
    return FolderOptions(
      **common_options(arguments),
      manifest=arguments.manifest,
      features=arguments.features,
      spans=arguments.spans,
    )

  def usage(self, variant: str) -> str:
    """See Source."""
    return f"{self.name} --name {variant or 'NAME'} --manifest MANIFEST.csv"

  def collect(self, options: Options) -> Collected:
    """See Source."""
    if not isinstance(options, FolderOptions):
      raise TypeError(f"{self.name} needs FolderOptions")
    findings = Findings()
    manifest = ""
    if options.features:
      folder = Path(options.features)
      spans = Path(options.spans) if options.spans else None
      rows = own_folders.find_rows(folder, spans, findings)
      manifest = own_folders.as_manifest(folder, rows, options.span_ends)
      videos = make_videos(folder, rows, findings, span_ends=options.span_ends)
    else:
      videos = read_manifest(
        Path(options.manifest), findings, span_ends=options.span_ends
      )
    return Collected(
      videos,
      Rules(zero_rows=True, span_slack=1, frames_cure=_FRAMES_CURE),
      findings,
      summarize=_summarize,
      manifest=manifest,
    )


def _summarize(videos: Sequence[Video]) -> list[str]:
  lines = []
  for split in SPLITS:
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
