"""How a published data set is laid out: file names, crops, widths, totals."""

import abc
import dataclasses
from collections.abc import Mapping
from pathlib import PurePath

from adplg_jax.prepare.videos import NORMAL


class FileNameError(ValueError):
  """A file that no video of the data set can have.

  Attributes:
    kind: What is wrong, as `findings` names it.
  """

  def __init__(self, kind: str, message: str):
    super().__init__(message)
    self.kind = kind


@dataclasses.dataclass(frozen=True)
class FileName:
  """What a feature file's name says.

  Attributes:
    video: The video.
    crop: Which crop of it.
    category: Class of the anomaly, or Normal.
  """

  video: str
  crop: int
  category: str

  @property
  def label(self) -> int:
    """1 if anomalous."""
    return int(self.category != NORMAL)


@dataclasses.dataclass(frozen=True)
class Expected:
  """Totals of the complete data set, None where they are not fixed.

  Attributes:
    videos: Videos as (training normal, training anomalous, test).
    test_snippets: Snippets of the test videos.
    test_frames: Frames scored.
    anomalous_share: Share of these that is anomalous.
  """

  videos: tuple[int, int, int]
  test_snippets: int | None = None
  test_frames: int | None = None
  anomalous_share: float | None = None


@dataclasses.dataclass(frozen=True)
class Features:
  """One kind of features of a data set.

  Attributes:
    width: D, audio included.
    visual_width: D without audio.
    crops: Crops a video has; at test fewer may do, see `official_test_crop`.
    expected: Totals.
    folders: Folders of training and test files; None where lists give the
      split.
    audio_folders: Folders of their audio.
    official_test_crop: The only crop a test video needs, and the one that the
      official evaluation scores.
    zero_padding: Short training crops are filled up with zeros.
  """

  width: int
  visual_width: int
  crops: int
  expected: Expected
  folders: Mapping[str, str] | None = None
  audio_folders: Mapping[str, str] | None = None
  official_test_crop: int | None = None
  zero_padding: bool = False

  def num_keys(self, *, by_video: bool) -> int:
    """Memory keys of the complete data set."""
    return self.expected.videos[1] * (1 if by_video else self.crops)


class FileNaming(abc.ABC):
  """How a data set names its feature files."""

  @abc.abstractmethod
  def parse_name(self, path: PurePath) -> FileName:
    """Reads a feature file's path below its folder.

    Raises:
      FileNameError: The data set has no such file.
    """

  def category_of(self, label: str) -> str:
    """The class that a word in a list's label column names."""
    return label
