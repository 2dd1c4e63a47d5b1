"""What a published data set has to hold: widths, crops, totals."""

import dataclasses
from collections.abc import Mapping


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
    expected: Totals.
    width: D, audio included; None for that of the files.
    crops: Crops a video has, None for as many as most have; at test fewer may
      do, see `official_test_crop`.
    visual_width: D without audio; None for that of the files.
    audio: Whether audio is joined; None for where there is some.
    folders: Where the official files are, by split. Where these folders do
      not exist, files are looked for everywhere.
    official_test_crop: The only crop a test video needs, and the one that the
      official evaluation scores.
    zero_padding: Short training crops are filled up with zeros.
  """

  expected: Expected
  width: int | None = None
  crops: int | None = None
  visual_width: int | None = None
  audio: bool | None = False
  folders: Mapping[str, str] | None = None
  official_test_crop: int | None = None
  zero_padding: bool = False

  def num_keys(self, *, by_video: bool) -> int | None:
    """Memory keys of the complete data set; None where crops are not known."""
    if by_video:
      return self.expected.videos[1]
    return None if self.crops is None else self.expected.videos[1] * self.crops
