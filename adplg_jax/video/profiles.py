"""Profiles: how frames become the features that a model knows.

Features of different profiles do not mix, whatever their width. What of each is
known, and what is not, stands in docs/extraction.md.
"""

import dataclasses
import io
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

# Frames of a snippet, side of a crop [pixels].
SNIPPET_FRAMES = 16
CROP = 224
COUNTS = (1, 5, 10)
_MIDDLE = range(SNIPPET_FRAMES // 2, SNIPPET_FRAMES // 2 + 1)

_FILTERS = {
  "bilinear": Image.Resampling.BILINEAR,
  "lanczos": Image.Resampling.LANCZOS,
}
_TOP = ("top_left", "top_right")
_BOTTOM = ("bottom_left", "bottom_right")
_CENTRE_FIRST = ("centre", *_TOP, *_BOTTOM)
_CENTRE_THIRD = (*_TOP, "centre", *_BOTTOM)


class Place(NamedTuple):
  """Where a crop is.

  Attributes:
    position: centre, top_left, top_right, bottom_left or bottom_right.
    mirrored: Whether the crop, once cut out, is mirrored left to right.
  """

  position: str
  mirrored: bool = False


@dataclasses.dataclass(frozen=True)
class Profile:
  """How frames become features.

  Attributes:
    name: Its name, in features, data sets and checkpoints.
    backbone: i3d or clip.
    epsilon: Of I3D's batch normalisation.
    own_weights: The user gives the weights: none that come with the package are
      those that the profile is known for.
    seen: Which of a snippet's frames the backbone sees; all of them where the
      tail is repeated.
    size: Height and width of resized frames [pixels]; None: the short side is
      256, the other one as it follows, rounded.
    interpolation: Of the resizing, bilinear or lanczos, as Pillow has them: in
      whole numbers, so with the same pixels on every processor.
    jpeg: Frames pass through a JPEG of Pillow's default quality first.
    tail: What happens to frames after the last whole snippet: "drop", or
      "repeat" the last frame until the snippet is whole.
    places: The ten crops, in their order.
  """

  name: str
  backbone: Literal["i3d", "clip"]
  places: tuple[Place, ...]
  epsilon: float = 1e-3
  own_weights: bool = True
  seen: range = range(SNIPPET_FRAMES)
  size: tuple[int, int] | None = None
  interpolation: Literal["bilinear", "lanczos"] = "bilinear"
  jpeg: bool = False
  tail: Literal["drop", "repeat"] = "drop"

  def crops(self, count: int) -> tuple[Place, ...]:
    """The places of 1 crop (the centre), of the first 5, or of all 10.

    Raises:
      ValueError: Another number.
    """
    if count not in COUNTS:
      raise ValueError(f"crops is {count}; allowed: 1, 5 or 10.")
    return (Place("centre"),) if count == 1 else self.places[:count]

  def resized(self, height: int, width: int) -> tuple[int, int]:
    """Height and width that frames of this size are resized to [pixels]."""
    if self.size is not None:
      return self.size
    scale = 256 / min(height, width)
    return round(height * scale), round(width * scale)

  def resize(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A frame as crops are cut from it.

    Args:
      image: RGB, uint8 [height, width, 3].
      size: Height and width [pixels].

    Returns:
      RGB, uint8 [*size, 3].
    """
    picture = _through_jpeg(image) if self.jpeg else Image.fromarray(image)
    if picture.size != size[::-1]:
      picture = picture.resize((size[1], size[0]), _FILTERS[self.interpolation])
    return np.asarray(picture)


def crop(frames: np.ndarray, place: Place) -> np.ndarray:
  """Cuts a crop out of frames.

  Args:
    frames: [..., height, width, 3], at least 224 high and wide.
    place: Where.

  Returns:
    [..., 224, 224, 3], a view.
  """
  height, width = frames.shape[-3:-1]
  vertical, _, horizontal = place.position.partition("_")
  top = {"top": 0, "bottom": height - CROP}.get(vertical, (height - CROP) // 2)
  left = {"left": 0, "right": width - CROP}.get(horizontal, (width - CROP) // 2)
  cut = frames[..., top : top + CROP, left : left + CROP, :]
  return cut[..., ::-1, :] if place.mirrored else cut


def _through_jpeg(image: np.ndarray) -> Image.Image:
  """A frame as it comes back from a JPEG file."""
  file = io.BytesIO()
  Image.fromarray(image).save(file, "jpeg")
  return Image.open(file)


def _mirrors(positions: Sequence[str]) -> tuple[Place, ...]:
  """Crops, then the mirror image of each."""
  return (
    *(Place(position) for position in positions),
    *(Place(position, mirrored=True) for position in positions),
  )


def _mirrored_frame(positions: Sequence[str]) -> tuple[Place, ...]:
  """Crops, then the same crops of the mirrored frame.

  The top left crop of the mirrored frame is the mirror image of the top right
  one.
  """
  sides = {"left": "right", "right": "left"}
  mirrored = []
  for position in positions:
    vertical, _, side = position.partition("_")
    mirrored.append(f"{vertical}_{sides[side]}" if side else position)
  return (
    *(Place(position) for position in positions),
    *(Place(position, mirrored=True) for position in mirrored),
  )


DEFAULT = "kinetics-scratch"
PROFILES = {
  profile.name: profile
  for profile in (
    Profile(DEFAULT, "i3d", _mirrors(_CENTRE_FIRST), own_weights=False),
    Profile("rocng", "i3d", _mirrors(_CENTRE_FIRST)),
    Profile(
      "urdmu",
      "i3d",
      _mirrored_frame(_CENTRE_THIRD),
      epsilon=1e-5,
      size=(256, 340),
      interpolation="lanczos",
      jpeg=True,
      tail="repeat",
    ),
    Profile(
      "vadclip",
      "clip",
      _mirrors(_CENTRE_FIRST),
      # Which one is not known: a choice.
      seen=_MIDDLE,
      size=(256, 340),
    ),
  )
}


def find_profile(name: str) -> Profile:
  """The profile of a name.

  Raises:
    ValueError: There is none.
  """
  if name not in PROFILES:
    raise ValueError(f"--profile is {name!r}; allowed: {', '.join(PROFILES)}.")
  return PROFILES[name]
