"""Long series in few points, as a page of bounded size shows them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped


class Envelope(NamedTuple):
  """Scores of a video in stretches of frames.

  Attributes:
    edges: Where each stretch begins, and the end of the last [frames].
    low: The lowest score of each.
    high: The highest one.
  """

  edges: Int[np.ndarray, "n+1"]
  low: Float[np.ndarray, "n"]
  high: Float[np.ndarray, "n"]


def envelope(scores: Float[np.ndarray, "f"], most: int) -> Envelope:
  """The stretches of equal scores, or the extremes of even stretches.

  Args:
    scores: Of each frame.
    most: Stretches that are allowed.

  Returns:
    Exact where a video has no more stretches of equal scores than that.
  """
  changes = np.flatnonzero(np.diff(scores)) + 1
  edges = np.concatenate([[0], changes, [len(scores)]])
  if len(edges) - 1 > most:
    edges = np.unique(np.linspace(0, len(scores), most + 1).astype(int))
  return Envelope(
    edges,
    np.minimum.reduceat(scores, edges[:-1]),
    np.maximum.reduceat(scores, edges[:-1]),
  )


def block_means(
  values: Shaped[np.ndarray, "n"], most: int
) -> Float[np.ndarray, "m"]:
  """Means of even blocks of a series, which may have gaps.

  Args:
    values: The series, NaN in gaps.
    most: Points that are allowed; as many or fewer stay as they are.

  Returns:
    The means, NaN for blocks without a value.
  """
  values = np.asarray(values, float)
  if len(values) <= most:
    return values
  starts = np.linspace(0, len(values), most + 1).astype(int)[:-1]
  known = np.isfinite(values)
  count = np.add.reduceat(known.astype(float), starts)
  total = np.add.reduceat(np.where(known, values, 0), starts)
  return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def spread(x: np.ndarray, y: np.ndarray, most: int) -> np.ndarray:
  """Points of a curve that lie evenly along it, its ends among them.

  Args:
    x: Of the curve's points.
    y: Likewise.
    most: Points that are allowed, at least 2.

  Returns:
    Their places, ascending.
  """
  if len(x) <= most:
    return np.arange(len(x))
  length = np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))
  length = np.concatenate([[0.0], length])
  wanted = np.linspace(0, length[-1], most)
  places = np.searchsorted(length, wanted)
  places[[0, -1]] = 0, len(x) - 1
  return np.unique(places)
