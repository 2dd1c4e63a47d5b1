"""What the three data sets are: files, crops, classes, totals.

Source: docs/benchmarks.md.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath

UCF_CLASSES = (
  "Abuse",
  "Arrest",
  "Arson",
  "Assault",
  "Burglary",
  "Explosion",
  "Fighting",
  "RoadAccidents",
  "Robbery",
  "Shooting",
  "Shoplifting",
  "Stealing",
  "Vandalism",
)
UCF_NORMAL_FOLDERS = (
  "Training_Normal_Videos_Anomaly",
  "Testing_Normal_Videos_Anomaly",
  "Normal",
)
XD_CLASSES = {
  "B1": "Fighting",
  "B2": "Shooting",
  "B4": "Riot",
  "B5": "Abuse",
  "B6": "CarAccident",
  "G": "Explosion",
}
NORMAL = "Normal"
ANOMALOUS = "Anomalous"
SNIPPET_FRAMES = 16


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
    folders: Where training and test files lie; none when list files say.
    audio_folders: Where their audio lies.
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


@dataclasses.dataclass(frozen=True)
class Benchmark:
  """A data set.

  Attributes:
    name: The builder's.
    parse_name: Reads a file's path below its folder; raises FileNameError.
    features: The kinds of features there are.
    test_labels_by_name: Whether a test video's name tells its label.
  """

  name: str
  parse_name: Callable[[PurePath], FileName]
  features: Mapping[str, Features]
  test_labels_by_name: bool = True


def parse_ucf_crime(path: PurePath) -> FileName:
  """Reads CLASS/Abuse001_x264.npy (crop 0) and CLASS/Abuse001_x264__1.npy.

  Raises:
    FileNameError: Another form, an unknown class, or another class's folder.
  """
  match = re.fullmatch(
    r"(?P<video>(?P<cls>[A-Za-z]+).*_x264)(__(?P<crop>\d+))?", path.stem
  )
  if match is None:
    raise FileNameError(
      "unknown-name", "the name is not NAME_x264.npy or NAME_x264__CROP.npy."
    )
  category = match["cls"]
  if category not in (*UCF_CLASSES, NORMAL):
    raise FileNameError(
      "unknown-class",
      f"class {category!r}; allowed: {', '.join(UCF_CLASSES)}, {NORMAL}.",
    )
  folder = path.parent.name
  if folder:
    held = NORMAL if folder in UCF_NORMAL_FOLDERS else folder
    if held != category:
      raise FileNameError(
        "unknown-class", f"a video of class {category} in folder {folder!r}."
      )
  return FileName(match["video"], int(match["crop"] or 0), category)


def parse_xd_violence(path: PurePath) -> FileName:
  """Reads NAME_label_B2-0-0__0.npy; the first class that is not 0 counts.

  Raises:
    FileNameError: Another form, or an unknown class.
  """
  match = re.fullmatch(
    r"(?P<video>.+_label_(?P<codes>[A-Z0-9-]+))__(?P<crop>\d+)", path.stem
  )
  if match is None:
    raise FileNameError(
      "unknown-name", "the name is not NAME_label_CODES__CROP.npy."
    )
  codes = [code for code in match["codes"].split("-") if code != "0"]
  unknown = [code for code in codes if code not in (*XD_CLASSES, "A")]
  if unknown or not codes or ("A" in codes and len(codes) > 1):
    raise FileNameError(
      "unknown-class",
      f"classes {match['codes']!r}; allowed: A, or {', '.join(XD_CLASSES)} "
      "joined by - and filled up by 0.",
    )
  category = XD_CLASSES.get(codes[0], NORMAL)
  return FileName(match["video"], int(match["crop"]), category)


def parse_shanghaitech(path: PurePath) -> FileName:
  """Reads 01_0014_0.npy; in training, four digits are anomalous, three normal.

  The category of a test video comes from its mask.

  Raises:
    FileNameError: Another form.
  """
  match = re.fullmatch(
    r"(?P<video>\d+_(?P<number>\d{3,4}))_(?P<crop>\d+)", path.stem
  )
  if match is None:
    raise FileNameError("unknown-name", "the name is not SCENE_VIDEO_CROP.npy.")
  category = ANOMALOUS if len(match["number"]) == 4 else NORMAL
  return FileName(match["video"], int(match["crop"]), category)


_UCF_VIDEOS = (800, 810, 290)
_XD_VIDEOS = (2049, 1905, 800)
_XD_EXPECTED = Expected(_XD_VIDEOS, 145_649, 2_330_384, 0.2308)
_XD_FOLDERS = {"train": "i3d-features/RGB", "test": "i3d-features/RGBTest"}

UCF_CRIME = Benchmark(
  "ucf_crime",
  parse_ucf_crime,
  {
    "i3d": Features(
      1024,
      1024,
      10,
      Expected(_UCF_VIDEOS, 69_355, 1_109_680),
      {"train": "train/RGB", "test": "test/RGB"},
    ),
    "clip": Features(
      512,
      512,
      10,
      Expected(_UCF_VIDEOS),
      official_test_crop=5,
      zero_padding=True,
    ),
  },
)
XD_VIOLENCE = Benchmark(
  "xd_violence",
  parse_xd_violence,
  {
    "i3d": Features(1024, 1024, 5, _XD_EXPECTED, _XD_FOLDERS),
    "i3d_vggish": Features(
      1152,
      1024,
      5,
      _XD_EXPECTED,
      _XD_FOLDERS,
      {"train": "vggish-features/train", "test": "vggish-features/test"},
    ),
    "clip": Features(
      512,
      512,
      10,
      Expected(_XD_VIDEOS),
      official_test_crop=0,
      zero_padding=True,
    ),
  },
)
SHANGHAITECH = Benchmark(
  "shanghaitech",
  parse_shanghaitech,
  {
    "i3d": Features(
      1024,
      1024,
      10,
      Expected((175, 63, 199), 8_757, 140_112, 7_874 / 140_112),
      {"train": "train", "test": "test"},
    ),
  },
  test_labels_by_name=False,
)
BENCHMARKS: Mapping[str, Benchmark] = {
  benchmark.name: benchmark
  for benchmark in (UCF_CRIME, XD_VIOLENCE, SHANGHAITECH)
}
