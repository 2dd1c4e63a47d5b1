"""Arrays whose axes are in another order than [T, C, D] or [T, D]."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

Shape = tuple[int, ...]
# Crops that are made of a video, apart from a single one.
_CROPS = {5, 10}


def find_swapped(
  shapes: Mapping[Path, Shape],
  *,
  crops: int | None = None,
  width: int | None = None,
) -> dict[Path, str]:
  """Finds arrays with swapped axes by comparing all shapes of a data set.

  The number of crops C and of channels D is the same in all files of a data
  set, that of snippets T is not.

  Args:
    shapes: Shape of each file, two or three axes.
    crops: C where it is known.
    width: D where it is known.

  Returns:
    What is wrong and what to do, by file.
  """
  three = {path: shape for path, shape in shapes.items() if len(shape) == 3}
  two = {path: shape for path, shape in shapes.items() if len(shape) == 2}
  return dict([*_three_axes(three, crops), *_two_axes(two, width)])


def _three_axes(
  shapes: Mapping[Path, Shape], crops: int | None
) -> Iterator[tuple[Path, str]]:
  if crops is None:
    firsts = {shape[0] for shape in shapes.values()}
    crops = _shared_size(list(shapes.values()))
    # More crops than anyone makes: videos of as many segments each.
    if firsts == {1} or (
      len(shapes) > len(firsts) == 1
      and firsts <= _CROPS
      and crops is not None
      and crops > max(_CROPS)
    ):
      (crops,) = firsts
  for path, shape in shapes.items():
    if shape[2] in _CROPS and shape[1] > max(_CROPS) and shape[2] != shape[1]:
      yield (
        path,
        f"shape is {shape}, which would be {shape[1]} crops of {shape[2]} "
        "channels, but the last axis counts the crops here; [T, C, D] "
        "(snippets, crops, channels) is needed: save array.transpose(0, 2, 1).",
      )
    elif shape[1] != crops and shape[0] in (1, crops):
      yield (
        path,
        f"shape is {shape}, which would be {shape[0]} snippets of {shape[1]} "
        "crops, but axis 0 counts the crops here; [T, C, D] (snippets, crops, "
        "channels) is needed: save array.transpose(1, 0, 2).",
      )


def _two_axes(
  shapes: Mapping[Path, Shape], width: int | None
) -> Iterator[tuple[Path, str]]:
  if width is None:
    width = _shared_size(list(shapes.values()))
  for path, shape in shapes.items():
    if shape[1] != width and shape[0] == width:
      yield (
        path,
        f"shape is {shape}, which would be {shape[0]} snippets of {shape[1]} "
        "channels, but axis 0 counts the channels here; [T, D] (snippets, "
        "channels) is needed: save array.T.",
      )


def _shared_size(shapes: Sequence[Shape]) -> int | None:
  """The size of axis 1 in most files; of axis 0 where only that is shared."""
  if not shapes:
    return None
  sizes = [Counter(shape[axis] for shape in shapes) for axis in (0, 1)]
  (first, count), (second, shared) = (size.most_common(1)[0] for size in sizes)
  return first if count > shared and 2 * shared <= len(shapes) else second
