"""Intervals by hysteresis, against a reference that walks along the scores."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adplg_jax.scoring.intervals import IntervalRule, find_intervals

# Few values, so that scores meet thresholds exactly and gaps are often met.
SCORES = st.lists(st.integers(0, 4).map(lambda x: x / 10), max_size=40)
RULES = st.tuples(
  st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 5)
).map(lambda x: IntervalRule(max(x[:2]) / 10, min(x[:2]) / 10, x[2], x[3]))


def reference(scores, rule):
  """Spans, found snippet by snippet."""
  marked = [False] * len(scores)
  for i, score in enumerate(scores):
    if score >= rule.high:
      for step in (-1, 1):
        j = i
        while 0 <= j < len(scores) and scores[j] >= rule.low:
          marked[j] = True
          j += step
  for i in range(len(scores)):
    for gap in range(1, rule.largest_gap + 1):
      inside = marked[i : i + gap]
      bounded = i > 0 and i + gap < len(scores)
      if bounded and not any(inside) and marked[i - 1] and marked[i + gap]:
        marked[i : i + gap] = [True] * gap
  spans, start = [], None
  for i, mark in enumerate([*marked, False]):
    if mark and start is None:
      start = i
    elif not mark and start is not None:
      if i - start >= rule.shortest:
        spans.append((start, i))
      start = None
  return spans


@given(SCORES, RULES)
def test_intervals_are_those_of_the_reference(scores, rule):
  found = find_intervals(np.array(scores, float), rule)
  assert [(i.start, i.end) for i in found] == reference(scores, rule)
  for interval in found:
    own = scores[interval.start : interval.end]
    assert interval.peak == max(own) == scores[interval.peak_snippet]
    assert own.index(max(own)) == interval.peak_snippet - interval.start
    assert interval.mean == pytest.approx(np.mean(own))


@given(SCORES, RULES)
def test_intervals_are_apart_long_enough_and_open(scores, rule):
  found = find_intervals(np.array(scores, float), rule)
  for one, other in itertools.pairwise(found):
    assert other.start - one.end > rule.largest_gap
  for interval in found:
    assert interval.end - interval.start >= rule.shortest
    assert interval.peak >= rule.high


def test_gaps_are_bridged_before_short_intervals_are_left_out():
  scores = np.array([0.9, 0, 0.9, 0, 0, 0, 0.9])
  rule = IntervalRule(0.8, 0.5, shortest=3, largest_gap=1)
  assert [(i.start, i.end) for i in find_intervals(scores, rule)] == [(0, 3)]


@pytest.mark.parametrize(
  ("fields", "said"),
  [
    ((0.4, 0.5), "up to the one that opens it, 0.4"),
    ((float("nan"), 0.5), "up to the one that opens it, nan"),
    ((0.5, 0.4, 0), "shortest interval is 0 snippets"),
    ((0.5, 0.4, 1, -1), "largest gap -1"),
  ],
)
def test_impossible_rules_are_refused(fields, said):
  with pytest.raises(ValueError, match=said):
    IntervalRule(*fields)
