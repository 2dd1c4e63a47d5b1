"""Anomalous intervals of a video's scores: two thresholds, gaps, lengths.

Arrays alone.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from adplg_jax.data.frames import Span, mask_to_spans


class Interval(NamedTuple):
  """Snippets that are anomalous together.

  Attributes:
    start: The first.
    end: The one after the last.
    peak: Highest score.
    peak_snippet: The first that has it.
    mean: Mean score.
  """

  start: int
  end: int
  peak: float
  peak_snippet: int
  mean: float


@dataclasses.dataclass(frozen=True)
class IntervalRule:
  """When snippets are an anomalous interval.

  A score of `high` or more opens an interval, which extends both ways as far as
  scores are `low` or more.

  Attributes:
    high: The threshold that opens.
    low: The threshold that keeps, not above `high`.
    shortest: Snippets of the shortest interval, gaps bridged.
    largest_gap: Snippets of the largest gap that is bridged.
  """

  high: float
  low: float
  shortest: int = 1
  largest_gap: int = 0

  def __post_init__(self):
    """Checks the values.

    Raises:
      ValueError: One of them cannot be used.
    """
    if not self.low <= self.high:
      raise ValueError(
        f"the threshold that keeps an interval is {self.low:g}; allowed: up to "
        f"the one that opens it, {self.high:g}."
      )
    if self.shortest < 1 or self.largest_gap < 0:
      raise ValueError(
        f"the shortest interval is {self.shortest} snippets, the largest gap "
        f"{self.largest_gap}; allowed: 1 or more, and 0 or more."
      )


def find_intervals(
  scores: Float[np.ndarray, "t"], rule: IntervalRule
) -> list[Interval]:
  """The anomalous intervals, in order.

  First intervals are opened and kept by the two thresholds, then gaps are
  bridged, then short intervals are left out.

  Args:
    scores: Of each snippet.
    rule: The thresholds, the largest gap, the shortest length.
  """
  opened = [
    (start, end)
    for start, end in mask_to_spans(scores >= rule.low)
    if scores[start:end].max() >= rule.high
  ]
  return [
    Interval(
      start,
      end,
      float(scores[start:end].max()),
      start + int(scores[start:end].argmax()),
      float(scores[start:end].mean()),
    )
    for start, end in _bridge(opened, rule.largest_gap)
    if end - start >= rule.shortest
  ]


def _bridge(spans: Sequence[Span], largest_gap: int) -> list[Span]:
  """Joins spans that are not further apart than a gap."""
  joined: list[Span] = []
  for start, end in spans:
    if joined and start - joined[-1][1] <= largest_gap:
      joined[-1] = (joined[-1][0], end)
    else:
      joined.append((start, end))
  return joined
