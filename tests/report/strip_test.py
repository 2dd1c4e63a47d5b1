"""The strip of scores below a video."""

import numpy as np
import pytest

from adplg_jax.report.strip import Strip
from adplg_jax.report.timeline import Timeline
from adplg_jax.scoring.intervals import IntervalRule, find_intervals
from adplg_jax.scoring.sequence import ScoredSequence, regular_times

RULE = IntervalRule(0.8, 0.6)


def make(snippets=50, fps=16.0, at=slice(10, 20)):
  """A snippet a second; some of them anomalous."""
  scores = np.full(snippets, 0.1)
  scores[at] = 0.9
  times = regular_times(snippets, 16, fps=fps)
  return Timeline(
    ScoredSequence("v", scores, times), find_intervals(scores, RULE)
  )


def cursor(image):
  """The column of the white line below the text."""
  (columns,) = np.nonzero((image[30:] == 255).all((0, 2)))
  return columns.mean()


@pytest.mark.parametrize("width", [320, 480, 1280])
def test_the_cursor_moves_with_the_time(width):
  strip = Strip(make(), RULE, width)
  found = [cursor(strip.draw(seconds)) for seconds in (0.0, 12.5, 25.0, 50.0)]
  assert found[0] < 25 and found[3] > width - 25
  np.testing.assert_allclose(np.diff(found) / (found[3] - found[0]),
                             (0.25, 0.25, 0.5), atol=0.02)  # fmt: skip
  # What follows the last snippet stays at the end.
  assert cursor(strip.draw(60.0)) == found[3]
  for seconds in (0.0, 60.0):
    assert strip.draw(seconds).shape == (strip.height, width, 3)
  assert strip.height % 2 == 0


def test_what_is_anomalous_is_said():
  strip = Strip(make(), RULE, 480)
  times = (9.99, 10.0, 19.99, 20.0, 50.0, -1.0)
  assert [strip.inside(at) for at in times] == [
    False, True, True, False, False, False,
  ]  # fmt: skip
  orange = [(strip.draw(at)[:20, :, 0] > 200).mean() for at in (5.0, 15.0)]
  assert orange[1] > 0.2 > orange[0]


def test_what_is_still_to_come_is_darker():
  strip = Strip(make(), RULE, 480)
  begin, end = strip.draw(0.0)[30:], strip.draw(50.0)[30:]
  assert begin[:, 30:-30].mean() < 0.7 * end[:, 30:-30].mean()


def test_the_score_changes_with_its_snippet():
  strip = Strip(make(), RULE, 480)
  one, same, other, none = (
    strip.draw(at)[:22, :300] for at in (9.1, 9.9, 10.0, 51.0)
  )
  assert (one == same).all() and (one != other).any() and (one != none).any()


@pytest.mark.parametrize("rule", [RULE, IntervalRule(np.inf, np.inf)])
def test_one_snippet_and_no_threshold(rule):
  strip = Strip(make(1, at=slice(0, 0)), rule, 320)
  assert cursor(strip.draw(0.0)) < cursor(strip.draw(0.9))


def test_scores_without_seconds_are_refused():
  with pytest.raises(ValueError, match="v: the seconds of its scores are not"):
    Strip(make(fps=None), RULE, 320)
