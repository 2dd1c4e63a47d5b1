"""The interface of a data set to its preparation: options, videos."""

import abc
import argparse
import dataclasses
import re
from collections.abc import Callable, Sequence

from adplg_jax.configs import base
from adplg_jax.data.frames import SPAN_ENDS
from adplg_jax.data.schema import FEATURE_TYPES
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.scan import Rules
from adplg_jax.prepare.videos import Video

# N unless --segments says otherwise.
DEFAULT_SEGMENTS: int = base.get_config().num_segments


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """The options of every preparation.

  Attributes:
    variant: Which features, or the name of a folder data set.
    num_segments: N, rows of a training example.
    dtype: Type that features are written in.
    skip_bad: Kinds of findings whose videos are left out.
    span_ends: "exclusive" | "inclusive": whether the end of an annotated row's
      span is the first normal frame or the last anomalous one.
  """

  variant: str
  num_segments: int = DEFAULT_SEGMENTS
  dtype: str = "float32"
  skip_bad: tuple[str, ...] = ()
  span_ends: str = "exclusive"

  def __post_init__(self):
    """Checks the values.

    Raises:
      PreparationError: One of them cannot be used.
    """
    if self.num_segments < 2:
      raise PreparationError(
        f"--segments is {self.num_segments}; allowed: 2 or more."
      )
    if self.dtype not in FEATURE_TYPES:
      raise PreparationError(
        f"--dtype is {self.dtype!r}; allowed: {', '.join(FEATURE_TYPES)}."
      )
    if self.span_ends not in SPAN_ENDS:
      raise PreparationError(
        f"--span-ends is {self.span_ends!r}; allowed: {', '.join(SPAN_ENDS)}."
      )


def _nothing(videos: Sequence[Video]) -> Sequence[str]:
  del videos
  return ()


@dataclasses.dataclass(frozen=True)
class Collected:
  """A data set as its source collected it, before its files are read.

  Attributes:
    videos: Its videos.
    rules: What is required of the files.
    findings: What is wrong so far.
    official_test_crop: The one crop that the official evaluation scores, None
      for all.
    zero_padding: Short training crops are padded with zeros (CLIP).
    annotate: Adds the ground truth, once the videos' snippets are known.
    summarize: Lines on the totals of the videos that were read.
    incomplete: What the videos lack of the complete data set, "" for nothing.
    manifest: What was understood, as a manifest to be kept with the data set.
  """

  videos: Sequence[Video]
  rules: Rules
  findings: Findings
  official_test_crop: int | None = None
  zero_padding: bool = False
  annotate: Callable[[list[Video]], list[Video]] = lambda videos: videos
  summarize: Callable[[Sequence[Video]], Sequence[str]] = _nothing
  incomplete: Callable[[Sequence[Video]], str] = lambda videos: ""
  manifest: str = ""


class Source(abc.ABC):
  """A data set that can be prepared.

  Attributes:
    name: In commands, configurations and paths.
    default_segments: N unless --segments says otherwise.
  """

  name: str
  default_segments: int = DEFAULT_SEGMENTS

  @abc.abstractmethod
  def add_arguments(self, parser: argparse.ArgumentParser) -> None:
    """Adds the data set's own options to the command line."""

  @abc.abstractmethod
  def options(self, arguments: argparse.Namespace) -> Options:
    """The options that a command line gives.

    Raises:
      PreparationError: They cannot be used.
    """

  @abc.abstractmethod
  def collect(self, options: Options) -> Collected:
    """Collects the videos.

    Raises:
      PreparationError: The files are not where the options say.
    """

  @abc.abstractmethod
  def usage(self, variant: str) -> str:
    """The arguments that prepare a variant, for messages.

    Raises:
      ValueError: There is no such variant; names those there are.
    """


def common_options(arguments: argparse.Namespace) -> dict:
  """The fields of `Options` from the arguments that a command takes."""
  names = {field.name for field in dataclasses.fields(Options)}
  return {k: v for k, v in vars(arguments).items() if k in names}


def add_span_ends(parser: argparse.ArgumentParser) -> None:
  """Adds the option of data sets whose annotations are rows of spans."""
  parser.add_argument(
    "--span-ends",
    choices=SPAN_ENDS,
    default="exclusive",
    help="whether the end of an annotated span is the first normal frame, or "
    "the last anomalous one [%(default)s]",
  )


def check_name(what: str, name: str) -> None:
  """Checks a name that a user chose for a data set or for features.

  Raises:
    PreparationError: It is no name of a folder, or that of a preset.
  """
  if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
    raise PreparationError(
      f"{what} {name!r}; allowed: letters, digits, _ . - after a first letter "
      "or digit."
    )
  if name in base.PRESETS:
    raise PreparationError(
      f"{what} {name!r}, which is a preset's name "
      "(--config=DATA_SET:NAME,PRESET); choose another."
    )
