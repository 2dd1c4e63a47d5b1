"""The scale of a data set's features, measured while its files are read.

What `config.data.normalize` needs, and what a report says. Only sums are kept,
never a crop.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

# Rows that are added up in float32, which is fast, before float64 takes over.
_ROWS = 64


@dataclasses.dataclass(frozen=True)
class Moments:
  """Sums over the snippets of one crop, or of several.

  Attributes:
    snippets: Their number.
    mean: Of each channel [d].
    squares: Sum of the squared deviations from `mean` of each channel [d].
    within: The same from the crops' own means, over all channels.
    norms: Sum of the snippets' L2 norms.
  """

  snippets: int
  mean: Float64[np.ndarray, "d"]
  squares: Float64[np.ndarray, "d"]
  within: float
  norms: float

  def joined(self, other: "Moments") -> "Moments":
    """The moments of both, of the same width."""
    snippets = self.snippets + other.snippets
    step = other.mean - self.mean
    share = other.snippets / snippets
    return Moments(
      snippets,
      self.mean + share * step,
      self.squares + other.squares + self.snippets * share * step**2,
      self.within + other.within,
      self.norms + other.norms,
    )


def measure(features: Float[np.ndarray, "t d"]) -> Moments:
  """The moments of a crop.

  Deviations are taken from its first snippet, so that a channel that never
  changes has none, and a large mean costs no digits.

  Args:
    features: At least one snippet.

  Returns:
    Its moments.
  """
  first = features[0].astype(np.float32)
  total, squares = np.zeros((2, len(first)))
  norms = 0.0
  for start in range(0, len(features), _ROWS):
    rows = features[start : start + _ROWS].astype(np.float32, copy=False)
    norms += float(np.sqrt(np.einsum("td,td->t", rows, rows)).sum())
    rows = rows - first
    total += rows.sum(axis=0)
    squares += np.einsum("td,td->d", rows, rows)
  squares = np.maximum(squares - total**2 / len(features), 0)
  return Moments(
    len(features),
    first + total / len(features),
    squares,
    float(squares.sum()),
    norms,
  )


class Scale:
  """Gathers the moments of a data set's training crops.

  Crops may differ in width, which is an error found elsewhere: each width is
  gathered by itself.
  """

  def __init__(self):
    self._moments: dict[int, Moments] = {}

  def add(self, moments: Moments) -> None:
    """Adds a crop."""
    width = len(moments.mean)
    held = self._moments.get(width)
    self._moments[width] = held.joined(moments) if held else moments

  def statistics(self, width: int) -> dict[str, Any] | None:
    """What the metadata keep; None where there is no crop of this width.

    Args:
      width: D.

    Returns:
      {"snippets", "rms" (root mean square), "norm" (mean L2 norm of a snippet),
      "spread" (root mean square deviation from the mean of a snippet's own
      crop), "mean" [d], "deviation" [d] (standard deviation)}.
    """
    moments = self._moments.get(width)
    if moments is None:
      return None
    numbers = moments.snippets * width
    variance = moments.squares / moments.snippets
    return {
      "snippets": moments.snippets,
      "rms": float(np.sqrt((variance + moments.mean**2).mean())),
      "norm": moments.norms / moments.snippets,
      "spread": float(np.sqrt(moments.within / numbers)),
      "mean": moments.mean.tolist(),
      "deviation": np.sqrt(variance).tolist(),
    }


def describe(statistics: dict[str, Any]) -> str:
  """A line on the scale."""
  return (
    f"scale of the training features: root mean square "
    f"{statistics['rms']:.3g}, norm of a snippet {statistics['norm']:.3g}, "
    f"spread within videos {statistics['spread']:.3g}"
  )
