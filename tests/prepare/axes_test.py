"""Axes in another order are told from the shapes of all files."""

from pathlib import Path

import pytest

from adplg_jax.prepare.axes import find_swapped

LENGTHS = (20, 21, 25, 32, 40)


def swapped(shapes, **known):
  """Indices of the shapes that are found, and the first message."""
  found = find_swapped({Path(str(i)): s for i, s in enumerate(shapes)}, **known)
  return sorted(int(path.name) for path in found), next(
    iter(found.values()), ""
  )


@pytest.mark.parametrize(
  ("shapes", "odd"),
  [
    ([(t, 10, 8) for t in LENGTHS], []),
    ([(10, t, 8) for t in LENGTHS], [0, 1, 2, 3, 4]),
    ([(1, t, 8) for t in LENGTHS], [0, 1, 2, 3, 4]),
    ([(1, 20, 8), (1, 20, 8)], [0, 1]),
    ([(1, 20, 8)], [0]),
    # One swapped file among good ones, one good file among swapped ones.
    ([(10, 20, 8), *((t, 10, 8) for t in LENGTHS)], [0]),
    ([(20, 10, 8), *((10, t, 8) for t in LENGTHS)], [1, 2, 3, 4, 5]),
    # A video of one snippet, one of ten, and one that lost crops.
    ([(1, 10, 8), (10, 10, 8), *((t, 10, 8) for t in LENGTHS)], []),
    ([(30, 3, 8), *((t, 10, 8) for t in LENGTHS)], []),
    # Segments, or channels before the crops.
    ([(10, 32, 8)] * 5, [0, 1, 2, 3, 4]),
    ([(t, 64, 10) for t in LENGTHS], [0, 1, 2, 3, 4]),
    # All videos have the same number of segments, one lost crops.
    ([(32, 10, 8)] * 5, []),
    ([(32, 10, 8)] * 5 + [(32, 3, 8)], []),
    ([(t, 8) for t in LENGTHS], []),
    ([(8, t) for t in LENGTHS], [0, 1, 2, 3, 4]),
    ([(8, 50), *((t, 8) for t in LENGTHS)], [0]),
    ([(8, 8), *((t, 8) for t in LENGTHS)], []),
    ([(30, 7), *((t, 8) for t in LENGTHS)], []),
    ([(20, 8)], []),
    ([], []),
  ],
)
def test_swapped_axes(shapes, odd):
  found, message = swapped(shapes)
  assert found == odd
  cures = ("transpose(1, 0, 2)", "transpose(0, 2, 1)", "array.T")
  assert not odd or any(cure in message for cure in cures)


def test_known_sizes_tell_of_a_single_file():
  assert swapped([(10, 20, 8)])[0] == []
  assert swapped([(10, 20, 8)], crops=10)[0] == [0]
  assert swapped([(8, 20)])[0] == []
  assert swapped([(8, 20)], width=8)[0] == [0]


def test_the_message_names_the_axes_and_the_cure():
  _, message = swapped([(10, 20, 8)], crops=10)
  assert message == (
    "shape is (10, 20, 8), which would be 10 snippets of 20 crops, but axis 0 "
    "counts the crops here; [T, C, D] (snippets, crops, channels) is needed: "
    "save array.transpose(1, 0, 2)."
  )
