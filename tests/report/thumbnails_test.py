"""Frames above the scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox

from adplg_jax.report import timeline
from adplg_jax.report.thumbnails import Thumbnail, shrink, spread
from tests.report.timeline_test import RULE, make


@given(
  st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 2)), min_size=1,
           max_size=5)
)  # fmt: skip
def test_they_are_beside_each_other_in_order(places):
  wanted = np.array(sorted(at for at, _ in places))
  widths = np.array([width for _, width in places])
  found = spread(wanted, widths, 10.0)
  gaps = np.diff(found) - (widths[1:] + widths[:-1]) / 2
  assert (gaps > -1e-9).all()
  assert found[0] - widths[0] / 2 > -1e-9
  assert found[-1] + widths[-1] / 2 < 10 + 1e-9


def test_where_there_is_room_they_are_over_their_times():
  found = spread(np.array([2.0, 5.0, 8.0]), np.ones(3), 10.0)
  assert found.tolist() == [2, 5, 8]


@pytest.mark.parametrize("size", [(48, 64), (1080, 1920), (1920, 1080)])
def test_they_keep_their_shape(size):
  image = shrink(np.zeros((*size, 3), np.uint8))
  assert max(image.shape) <= 500
  assert image.shape[0] / image.shape[1] == pytest.approx(
    size[0] / size[1], rel=0.02
  )


def test_lines_lead_to_the_peaks(tmp_path, monkeypatch):
  figures = []
  save = Figure.savefig
  monkeypatch.setattr(
    Figure, "savefig", lambda self, *a, **k: (figures.append(self),
                                              save(self, *a, **k))
  )  # fmt: skip
  image = np.zeros((48, 64, 3), np.uint8)
  shown = [
    Thumbnail(image, at, 0.9, "0:40 · 0.90\nyoga 0.5") for at in (40.0, 60.0)
  ]
  timeline.draw(
    tmp_path / "t.png", [make()], RULE, thumbnails=shown, note="names"
  )
  above, scores = figures[0].axes
  assert above.get_title("left") == "v" and not scores.get_title("left")
  boxes = [a for a in figures[0].artists if isinstance(a, AnnotationBbox)]
  assert [box.xy for box in boxes] == [(40.0, 0.9), (60.0, 0.9)]
  left, right = (box.get_window_extent() for box in boxes)
  assert left.x1 <= right.x0
  assert "names" in [text.get_text() for text in figures[0].texts]
