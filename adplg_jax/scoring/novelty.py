"""Novelty: how far a snippet's features are from ordinary ones.

No detector of the paper and nothing that is trained: what is rare in a video is
not always anomalous. Of use on the first day, and what a model must beat.
"""

import numpy as np
from jaxtyping import Float

# A snippet that is twice as far from the others as an ordinary one is.
THRESHOLD = 2 / 3
# More reference snippets than this are thinned out evenly.
_MOST = 4096
# Rows of distances that are computed at once.
_ROWS = 512
# Neighbours among normal snippets, of which the last one's distance counts.
_NEIGHBOURS = 5


def novelty(
  features: Float[np.ndarray, "c t d"],
  normal: Float[np.ndarray, "k r e"] | None = None,
) -> Float[np.ndarray, "t"]:
  """Scores snippets by their distance d to others, as d / (d + r).

  Without normal snippets d is the median distance to the video's own, so what
  fills less than half of it stands out; with them, the distance to the fifth
  nearest of them. r is the median of d over the video's own, or the normal
  snippets: a score of 0.5 is as far as usual, 2/3 twice as far.

  Args:
    features: Of a video; its crops are averaged.
    normal: Of normal videos, one after the other, of the same kind.

  Returns:
    The score of each snippet, from 0 to 1; without normal snippets 0 for a
    single one.

  Raises:
    ValueError: Normal features of another width, or none.
  """
  own = features.mean(0, dtype=np.float64)
  if normal is None:
    others = _thinned(own)
    distances = _distances(own, others, len(others) // 2)
    usual = np.median(distances)
  else:
    others = _thinned(normal.mean(0, dtype=np.float64))
    if not len(others) or others.shape[1] != own.shape[1]:
      raise ValueError(
        f"{len(others)} normal snippets of width {others.shape[1]}; needed is "
        f"at least one of width {own.shape[1]}, that of the video's features. "
        "Extract both in the same way."
      )
    nearest = min(_NEIGHBOURS, len(others)) - 1
    distances = _distances(own, others, nearest)
    # Each of them is its own nearest.
    usual = np.median(
      _distances(others, others, min(nearest + 1, len(others) - 1))
    )
  sums = distances + usual
  return np.divide(distances, sums, out=np.zeros_like(sums), where=sums > 0)


def _thinned(snippets: Float[np.ndarray, "t d"]) -> Float[np.ndarray, "r d"]:
  """At most `_MOST` of them, evenly spread."""
  count = len(snippets)
  if count <= _MOST:
    return snippets
  return snippets[np.linspace(0, count - 1, _MOST).astype(int)]


def _distances(
  snippets: Float[np.ndarray, "t d"],
  others: Float[np.ndarray, "r d"],
  rank: int,
) -> Float[np.ndarray, "t"]:
  """Distance of each snippet to the one of the others that has a rank.

  Args:
    snippets: Which.
    others: From which.
    rank: 0 for the nearest.
  """
  squares = (others**2).sum(1)
  found = []
  for start in range(0, len(snippets), _ROWS):
    rows = snippets[start : start + _ROWS]
    far = (rows**2).sum(1)[:, None] + squares - 2 * rows @ others.T
    found.append(np.partition(far, rank, axis=1)[:, rank])
  return np.sqrt(np.maximum(np.concatenate(found), 0.0))
