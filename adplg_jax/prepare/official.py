"""What the published data sets share: files, crops, totals, lists.

A data set of this kind is one module in `sources/`, a subclass of
`OfficialSource`, and a line of `registry`.
"""

import abc
import argparse
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from adplg_jax.prepare.annotation import Annotations
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.ground_truth_array import annotate_by_array
from adplg_jax.prepare.layout import Expected, Features
from adplg_jax.prepare.listing import Listing, list_videos
from adplg_jax.prepare.naming import FileNaming
from adplg_jax.prepare.scan import Rules
from adplg_jax.prepare.source import (
  Collected,
  Options,
  Source,
  add_span_ends,
  check_name,
  common_options,
)
from adplg_jax.prepare.totals import incomplete, totals
from adplg_jax.prepare.videos import Video


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfficialOptions(Options):
  """The options of a published data set.

  Attributes:
    features: Folder that the feature files are below.
    annotations: The official annotation file, or the folder of masks.
    lists: Lists of the splits.
    ground_truth: The field's array of test frames.
  """

  features: str
  annotations: str = ""
  lists: tuple[str, ...] = ()
  ground_truth: str = ""


class OfficialSource(FileNaming, Source):
  """A published data set with official splits and annotations.

  Attributes:
    features: The official kinds of features, by variant. Any other variant is
      a name that its user chose; what its files hold is taken as it is.
    expected: Totals of the complete data set, whatever the features.
    categories: Classes of its anomalous videos.
    array_needs_list: Whether a ground-truth array can be used only with the
      list of the test videos: its order is not that of their names.
  """

  features: ClassVar[Mapping[str, Features]]
  expected: ClassVar[Expected]
  categories: ClassVar[Collection[str]]
  array_needs_list: ClassVar[bool] = False

  @abc.abstractmethod
  def read_annotations(
    self, path: Path, findings: Findings, span_ends: str
  ) -> Annotations:
    """Parses the annotations of the test videos, once.

    Args:
      path: The annotation file, or the folder of masks.
      findings: Gathers invalid rows.
      span_ends: Whether the spans of rows end "exclusive" or "inclusive".

    Returns:
      The annotations.

    Raises:
      PreparationError: They cannot be read.
    """

  def layout(self, variant: str) -> Features:
    """What the files of a variant have to hold."""
    return self.features.get(variant, Features(self.expected, audio=None))

  def add_arguments(self, parser: argparse.ArgumentParser) -> None:
    """See Source."""
    parser.add_argument(
      "--features", required=True, help="folder that the files are below"
    )
    parser.add_argument(
      "--annotations", default="", help="annotation file, or folder of masks"
    )
    parser.add_argument(
      "--list",
      dest="lists",
      action="append",
      default=[],
      help="list of a split's videos or files, with train or test in its "
      "name; may be given twice",
    )
    parser.add_argument(
      "--ground-truth", default="", help="array with a 0 or 1 per test frame"
    )
    add_span_ends(parser)

  def options(self, arguments: argparse.Namespace) -> OfficialOptions:
    """See Source."""
    self._check_variant(arguments.variant)
    return OfficialOptions(
      **common_options(arguments),
      features=arguments.features,
      annotations=arguments.annotations,
      lists=tuple(arguments.lists),
      ground_truth=arguments.ground_truth,
    )

  def usage(self, variant: str) -> str:
    """See Source."""
    self._check_variant(variant)
    return f"{self.name}:{variant} --features DIR --annotations FILE"

  def _check_variant(self, variant: str) -> None:
    if not variant:
      official = ", ".join(f"{self.name}:{name}" for name in self.features)
      raise PreparationError(
        f"{self.name} needs the name of its features: {official}, or "
        f"{self.name}:NAME for any others."
      )
    for official in self.features:
      if variant != official and variant.lower() == official.lower():
        raise PreparationError(
          f"features of {self.name} are {variant!r}; write {official!r}, or a "
          "name that is not so close to it."
        )
    check_name(f"features of {self.name} are", variant)

  def collect(self, options: Options) -> Collected:
    """See Source."""
    if not isinstance(options, OfficialOptions):
      raise TypeError(f"{self.name} needs OfficialOptions")
    features = self.layout(options.variant)
    findings = Findings()
    annotations = self._annotations(options, findings)
    lists = [Path(path) for path in options.lists]
    truths = [Path(p) for p in (options.annotations, options.ground_truth) if p]
    listing = list_videos(
      self,
      features,
      Path(options.features),
      lists,
      findings,
      is_test=annotations.is_test if annotations else None,
      besides=[*lists, *truths],
    )
    if options.ground_truth and self.array_needs_list and not listing.listed:
      raise PreparationError(
        f"--ground-truth {options.ground_truth} needs --list with the list of "
        "the test videos that it follows: it has their frames one video after "
        "the other, and their order is not that of their names."
      )

    def annotate(videos: list[Video]) -> list[Video]:
      if annotations is not None:
        videos = annotations.annotate(videos, findings, listing.left_out)
      if options.ground_truth:
        videos = self._annotate_by_array(
          videos, options, listing, findings, compare=annotations is not None
        )
      return videos

    def missing(videos: Sequence[Video]) -> str:
      return incomplete(videos, features.expected, self.categories)

    return Collected(
      listing.videos,
      Rules(features.width, visual_width=features.visual_width),
      findings,
      official_test_crop=features.official_test_crop,
      zero_padding=features.zero_padding,
      annotate=annotate,
      summarize=lambda videos: [listing.told_by, *totals(videos, features)],
      incomplete=missing,
    )

  def _annotations(
    self, options: OfficialOptions, findings: Findings
  ) -> Annotations | None:
    if not options.annotations:
      if not options.ground_truth:
        raise PreparationError("--annotations or --ground-truth is needed.")
      return None
    path = Path(options.annotations)
    if not path.exists():
      raise PreparationError(f"{path}: no such file or folder.")
    return self.read_annotations(path, findings, options.span_ends)

  def _annotate_by_array(
    self,
    videos: Sequence[Video],
    options: OfficialOptions,
    listing: Listing,
    findings: Findings,
    *,
    compare: bool,
  ) -> list[Video]:
    if not listing.listed:
      findings.note(
        "test videos taken in order of their paths for --ground-truth; "
        "--list gives another",
        len(listing.order),
      )
    return annotate_by_array(
      videos,
      Path(options.ground_truth),
      listing.order,
      findings,
      listed=listing.listed,
      compare=compare,
    )
