"""How the published data sets name their feature files."""

import abc
import contextlib
import dataclasses
import re
from pathlib import PurePath

from adplg_jax.prepare.videos import NORMAL, SPLITS

# What may follow a video's name: a crop, the kind of features, or both.
_ENDING = re.compile(
  r"(_{1,2}(?P<crop>\d+)|[_-]+crop[_-]?(?P<named>\d+))?"
  r"(?P<kind>[_.-]+\d*[A-Za-z][A-Za-z0-9_.-]*?)?"
  r"(__(?P<last>\d+)|_(?P<digit>\d)|[_-]+crop[_-]?(?P<named_last>\d+))?"
)
AUDIO = ("vggish", "audio")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Lists in circulation are named rgb.list and rgbtest.list.
_STREAMS = ("", "rgb", "flow", "audio")
_ENDINGS = ("", "ing", "set", "list", "split", "data")
_SPLIT_WORDS = {
  split: {
    f"{stream}{split}{ending}" for stream in _STREAMS for ending in _ENDINGS
  }
  for split in SPLITS
}
# What to do with videos that are not the data set's.
OWN_VIDEOS = "Videos of your own: python -m adplg_jax.prepare folder."


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
    crop: Which crop of it; None for the first or only one, or for all.
    category: Class of the anomaly, or Normal.
    audio: Whether it is the video's audio.
  """

  video: str
  crop: int | None
  category: str
  audio: bool = False

  @property
  def label(self) -> int:
    """1 if anomalous."""
    return int(self.category != NORMAL)


class FileNaming(abc.ABC):
  """How a data set names its feature files."""

  @abc.abstractmethod
  def parse_name(self, path: PurePath) -> FileName:
    """Reads a feature file's path, its suffix left off.

    Raises:
      FileNameError: The data set has no such file.
    """

  def category_of(self, label: str) -> str:
    """The class that a word in a list's label column names."""
    return label


def match_name(
  pattern: re.Pattern[str], name: str, *, form: str, crop: str
) -> tuple[re.Match[str], int | None, bool]:
  """Matches a file's name and reads its ending.

  Args:
    pattern: The form; its group `ending` is what follows the video's name.
    name: The file's name without its suffix.
    form: The form in words, for the message.
    crop: How a crop is written, for the message.

  Returns:
    The match; what `parse_ending` returns.

  Raises:
    FileNameError: Another form.
  """
  match = pattern.fullmatch(name)
  if match is not None:
    with contextlib.suppress(ValueError):
      return match, *parse_ending(match["ending"] or "")
  raise FileNameError(
    "unknown-name",
    f"the name is not {form}, with a crop such as {crop} or a kind of features "
    f"such as _i3d after it. {OWN_VIDEOS}",
  )


def parse_ending(ending: str) -> tuple[int | None, bool]:
  """Reads what follows a video's name, as in `__3`, `_i3d`, `_i3d__3`.

  Returns:
    The crop, if it is named, and whether this is audio.

  Raises:
    ValueError: It has another form.
  """
  match = _ENDING.fullmatch(ending)
  if match is None:
    raise ValueError(f"{ending!r} is no ending of a feature file's name")
  numbers = ("crop", "named", "last", "digit", "named_last")
  crops = [int(match[name]) for name in numbers if match[name]]
  if len(crops) > 1:
    raise ValueError(f"{ending!r} names two crops")
  kinds = words(match["kind"] or "")
  audio = any(word in AUDIO for word in kinds)
  return (crops[0] if crops else None), audio


def words(name: str) -> list[str]:
  """The words of a name, in lower case: RGBTest has rgb and test."""
  return [word.lower() for word in _WORD.findall(name)]


def split_named(name: str) -> str | None:
  """The split that the words of a name tell; None for neither or both."""
  told = set(words(name))
  found = [split for split in SPLITS if told & _SPLIT_WORDS[split]]
  return found[0] if len(found) == 1 else None
