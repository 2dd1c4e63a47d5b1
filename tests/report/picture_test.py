"""The picture of results."""

import numpy as np
from matplotlib.figure import Figure

from adplg_jax.report import picture
from adplg_jax.scoring import metrics
from tests.scoring.scored_videos import make_videos, scored


def drawn(monkeypatch, tmp_path, videos):
  """The figure's axes, without a second look at the pixels."""
  figures = []

  def keep(self, *arguments, **keywords):
    figures.append(self)
    return save(self, *arguments, **keywords)

  save = Figure.savefig
  monkeypatch.setattr(Figure, "savefig", keep)
  path = tmp_path / "report.png"
  picture.draw(path, scored(videos))
  assert path.read_bytes().startswith(b"\x89PNG")
  assert [file.name for file in tmp_path.iterdir()] == ["report.png"]
  return figures[0].axes


def legend(axis):
  return [text.get_text() for text in axis.get_legend().get_texts()]


def test_draws_curves_and_timelines(monkeypatch, tmp_path):
  videos = make_videos()
  results = metrics.evaluate_videos(videos)
  axes = drawn(monkeypatch, tmp_path, videos)
  assert len(axes) == 8
  roc, precision_recall, *timelines = axes
  assert f"model, AUC {results['frame_auc']:.3f}" in legend(roc)
  assert f"model, AP {results['frame_ap']:.3f}" in legend(precision_recall)
  assert roc.get_title() == "ROC curve over frames"
  titles = [axis.get_title(loc="left") for axis in timelines]
  assert titles == [
    "video0 (Abuse)",
    "video1 (Arson)",
    "video2 (Abuse)",
    "video3 (Arson)",
    "video5 (Normal)",
    "video6 (Normal)",
  ]
  assert timelines[-1].get_xlabel() == "frame"


def test_a_timeline_shades_the_true_spans(monkeypatch, tmp_path):
  videos = make_videos()
  axes = drawn(monkeypatch, tmp_path, videos)
  shaded = [
    patch.get_extents().transformed(axes[2].transData.inverted())
    for patch in axes[2].patches
    if patch.get_label() == "true span"
  ]
  assert len(shaded) == 1
  np.testing.assert_allclose((shaded[0].x0, shaded[0].x1), (10, 20))
  normal = [patch.get_label() for patch in axes[-1].patches]
  assert "true span" not in normal


def test_without_spans_the_curves_are_of_videos(monkeypatch, tmp_path):
  videos = make_videos(spans_known=False)
  axes = drawn(monkeypatch, tmp_path, videos)
  assert axes[0].get_title() == "ROC curve over videos"
  auc = metrics.evaluate_videos(videos)["video_auc"]
  assert f"model, AUC {auc:.3f}" in legend(axes[0])
  assert axes[2].get_title(loc="left") == "video0 (Abuse, spans not known)"


def test_a_single_class_has_no_defined_curve(monkeypatch, tmp_path):
  axes = drawn(monkeypatch, tmp_path, make_videos(anomalous=0))
  texts = [text.get_text() for text in axes[0].texts]
  assert texts == ["not defined: one class only"]


def test_names_may_be_long_and_hold_dollars(monkeypatch, tmp_path):
  videos = make_videos(name="a $x_{y$ " + "very " * 30)
  axes = drawn(monkeypatch, tmp_path, videos)
  title = axes[2].get_title(loc="left")
  assert len(title) <= 78
  assert title.startswith("a $x_{y$ very")
  assert title.endswith("0 (Abuse)")


def test_what_the_font_lacks_is_escaped_with_one_note(
  monkeypatch, tmp_path, caplog
):
  """Chinese and emoji; Arabic, accents and their like are in the font."""
  videos = make_videos(name="监控 \N{AUTOMOBILE} كاميرا é\n")
  axes = drawn(monkeypatch, tmp_path, videos)
  title = axes[2].get_title(loc="left")
  assert title == "\\u76d1\\u63a7 \\U0001f697 كاميرا é\\n0 (Abuse)"
  notes = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
  assert notes == [
    "The picture's font lacks 4 characters of the videos' names; they are "
    "shown as escapes, the first as \\u76d1."
  ]


def test_no_escape_is_cut(monkeypatch, tmp_path):
  axes = drawn(monkeypatch, tmp_path, make_videos(name="监" * 40))
  title = axes[2].get_title(loc="left")
  assert title == "\\u76d1" * 5 + "…" + "\\u76d1" * 5 + "0 (Abuse)"


def test_timelines_alone_are_a_png():
  found = picture.draw_timelines(scored(make_videos()))
  assert found.startswith(b"\x89PNG")
  assert len(found) < 200_000
