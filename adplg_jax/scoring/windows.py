"""Overlapping windows of a long video, and their scores blended into one.

Arrays alone. A window has a fixed length; where two overlap, the one fades out
as the other fades in, so that no score jumps at a seam.
"""

import numpy as np
from jaxtyping import Float, Int


def window_starts(
  snippets: int, length: int, overlap: int
) -> Int[np.ndarray, "n"]:
  """First snippets of the windows that cover a video, evenly spread.

  Args:
    snippets: T, of the video.
    length: Snippets of a window.
    overlap: Snippets that neighbours share at least, up to half a window.

  Returns:
    Ascending; [0] for a video that one window covers. The last window ends
    with the video.

  Raises:
    ValueError: No snippet, no window, or an overlap out of range.
  """
  if snippets < 1 or length < 1 or not 0 <= overlap <= length // 2:
    raise ValueError(
      f"{snippets} snippets in windows of {length} with overlaps of {overlap}; "
      "allowed: 1 or more snippets, and overlaps from 0 to half a window, "
      f"{length // 2}."
    )
  if snippets <= length:
    return np.zeros(1, int)
  number = -(-(snippets - overlap) // (length - overlap))
  last = snippets - length
  return np.arange(number) * last // (number - 1)


def blend_weights(
  starts: Int[np.ndarray, "n"], length: int, snippets: int
) -> Float[np.ndarray, "n w"]:
  """Weights of the windows' snippets; those of one snippet sum to 1.

  A window's weight rises from its start to the end of the window before it, and
  falls from the start of the window after it to its own end.

  Args:
    starts: See `window_starts`.
    length: Snippets of a window.
    snippets: T, of the video.

  Returns:
    A row for each window.
  """
  place = np.arange(length)
  weights = np.ones((len(starts), length))
  shared = starts[:-1] + length - starts[1:]
  for row, count in enumerate(shared):
    rising = np.minimum((place + 1) / (count + 1), 1)
    weights[row + 1] *= rising
    weights[row] *= rising[::-1]
  return weights / _at(_overlay(weights, starts, snippets), starts, length)


def blend(
  scores: Float[np.ndarray, "n w"],
  starts: Int[np.ndarray, "n"],
  snippets: int,
) -> Float[np.ndarray, "t"]:
  """The windows' scores as those of one video.

  Args:
    scores: A row for each window.
    starts: See `window_starts`.
    snippets: T, of the video.

  Returns:
    Of each snippet the weighted mean over the windows that hold it.
  """
  weights = blend_weights(starts, scores.shape[1], snippets)
  return _overlay(scores * weights, starts, snippets)


def _overlay(
  rows: Float[np.ndarray, "n w"], starts: Int[np.ndarray, "n"], snippets: int
) -> Float[np.ndarray, "t"]:
  """Adds up the windows, each at its place."""
  total = np.zeros(snippets)
  for start, row in zip(starts, rows, strict=True):
    total[start : start + len(row)] += row
  return total


def _at(
  values: Float[np.ndarray, "t"], starts: Int[np.ndarray, "n"], length: int
) -> Float[np.ndarray, "n w"]:
  """The values at the windows' snippets."""
  return values[starts[:, None] + np.arange(length)]
