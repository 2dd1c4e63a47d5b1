"""Timelines of scored videos."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from adplg_jax.report import timeline
from adplg_jax.report.timeline import Timeline, clock, place
from adplg_jax.scoring.intervals import IntervalRule, find_intervals
from adplg_jax.scoring.sequence import ScoredSequence, Truth, regular_times

RULE = IntervalRule(0.8, 0.6)


def make(name="v", snippets=60, fps=4.0, truth=None):
  scores = np.full(snippets, 0.1)
  scores[10:20] = 0.9
  video = ScoredSequence(
    name, scores, regular_times(snippets, 16, fps=fps), truth=truth
  )
  return Timeline(video, find_intervals(scores, RULE))


@pytest.fixture
def drawn(monkeypatch, tmp_path):
  """Draws; gives the figure."""
  figures = []
  save = Figure.savefig

  def keep(self, *arguments, **keywords):
    figures.append(self)
    return save(self, *arguments, **keywords)

  monkeypatch.setattr(Figure, "savefig", keep)

  def draw(timelines, heading="", **names):
    timeline.draw(tmp_path / "t.png", timelines, RULE, heading, **names)
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in tmp_path.iterdir()] == ["t.png"]
    return figures[-1]

  return draw


def shaded(axis, label):
  """Where patches of a label begin and end."""
  found = []
  for patch in axis.patches:
    if patch.get_label() == label:
      box = patch.get_extents().transformed(axis.transData.inverted())
      found.append((round(box.x0, 3), round(box.x1, 3)))
  return found


def test_intervals_may_be_called_something_else(drawn):
  (axis,) = drawn([make()], interval="rare").axes
  assert shaded(axis, "rare") == [(40, 80)]
  assert shaded(axis, "anomalous interval") == []


def test_scores_thresholds_and_intervals_over_seconds(drawn):
  figure = drawn([make(truth=Truth(1, "Fire", ((168, 328),)))])
  (axis,) = figure.axes
  assert shaded(axis, "anomalous interval") == [(40, 80)]
  assert shaded(axis, "true span") == [(42, 82)]
  assert axis.get_xlim() == (0, 240)
  assert axis.get_xlabel() == "time [min:s]"
  labels = [label.get_text() for label in axis.get_xticklabels()]
  assert labels[1:4] == ["0:00", "0:30", "1:00"]
  levels = [line.get_ydata()[0] for line in axis.lines]
  assert {0.8, 0.6} <= set(levels)
  assert axis.get_title("right") == "peak 0.900 at 0:40 · 1 interval"
  legend = [text.get_text() for text in figure.legends[0].get_texts()]
  assert legend == [
    "anomalous interval",
    "true span",
    "score",
    "threshold that opens an interval",
    "that keeps it",
  ]


def test_frames_where_seconds_are_not_known(drawn):
  figure = drawn([make("a", fps=None), make("b", fps=None)], "2 videos")
  first, last = figure.axes
  assert shaded(first, "anomalous interval") == [(160, 320)]
  assert last.get_xlabel() == "frame" and not first.get_xlabel()
  assert first.get_title("left") == "a"
  assert first.get_title("right").startswith("peak 0.900 at frame 160")


@pytest.mark.parametrize("snippets", [1, 2, 700, 90_000])
def test_marks_are_few_for_any_length(drawn, snippets):
  scores = np.zeros(snippets)
  for fps in (25.0, None):
    times = regular_times(snippets, 16, fps=fps)
    figure = drawn([Timeline(ScoredSequence("v", scores, times), [])])
    assert 2 <= len(figure.axes[0].get_xticks()) <= 16
    assert figure.axes[0].get_title("right").endswith("no intervals")


def test_an_infinite_threshold_is_not_drawn(drawn, tmp_path):
  rule = IntervalRule(np.inf, np.inf)
  timeline.draw(tmp_path / "t.png", [make()], rule)


def test_times_for_people():
  assert [clock(s) for s in (0.0, 59.9, 61.0, 3600.0, 36061.0)] == [
    "0:00", "0:59", "1:01", "1:00:00", "10:01:01",
  ]  # fmt: skip
  assert place(regular_times(3, 16, fps=4.0), 2) == "0:08"
  assert place(regular_times(3, 16), 2) == "32"
