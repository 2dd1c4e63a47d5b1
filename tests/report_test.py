import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from adplg_jax import metrics, report
from adplg_jax.metrics import VideoScore


def make_videos(spans_known=True, anomalous=5, normal=3, name="video"):
  rng = np.random.default_rng(0)
  videos = []
  for i in range(anomalous + normal):
    label = int(i < anomalous)
    frames = 40 + i
    truth = np.zeros(frames, np.uint8)
    truth[10:20] = label
    scores = np.clip(rng.random(frames) * 0.6 + 0.4 * truth, 0, 1)
    category = ("Abuse", "Arson")[i % 2] if label else "Normal"
    videos.append(
      VideoScore(
        f"{name}{i}",
        category,
        label,
        scores[::16],
        scores,
        truth if spans_known or not label else None,
      )
    )
  return videos


def scored(videos, step=7):
  return report.Scored(step, videos, metrics.evaluate_videos(videos))


def drawn(monkeypatch, tmp_path, videos):
  """The figure's axes, without a second look at the pixels."""
  figures = []

  def keep(self, *arguments, **keywords):
    figures.append(self)
    return save(self, *arguments, **keywords)

  save = Figure.savefig
  monkeypatch.setattr(Figure, "savefig", keep)
  path = tmp_path / "report.png"
  report.draw(path, scored(videos))
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


def test_one_class_alone_is_drawn_and_said(monkeypatch, tmp_path):
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


@pytest.mark.parametrize(
  ("truth", "spans"),
  [
    ([0, 1, 1, 0, 1], [(1, 3), (4, 5)]),
    ([1, 0], [(0, 1)]),
    ([1, 1], [(0, 2)]),
    ([0, 0], []),
  ],
)
def test_spans_are_half_open_runs(truth, spans):
  assert report._spans(np.array(truth, np.uint8)) == spans


def test_console_table_shows_every_measure():
  last = scored(make_videos())
  results = last.results
  table = report.console_table(report.Outcome(last, last))
  assert "checkpoint of step 7" in table
  assert "selected" not in table
  for name in ("frame_auc", "frame_ap", "frame_ap_step", "anomalous_auc"):
    assert f"{results[name]:.4f}" in table
  assert f"{results['best_f1']['f1']:.4f}" in table
  arson = next(line for line in table.splitlines() if "Arson" in line)
  own = results["categories"]["Arson"]
  assert arson.split() == [
    "Arson",
    "2",
    f"{own['frame_auc']:.4f}",
    f"{own['frame_ap']:.4f}",
    f"{own['frame_ap_step']:.4f}",
  ]


def test_last_selected_and_their_difference_stand_together(tmp_path):
  selected = scored(make_videos())
  # The same scores turned upside down.
  worse = [v._replace(scores=1 - v.scores) for v in selected.videos]
  outcome = report.Outcome(scored(worse, 9), selected, "frame_ap on the moon")
  table = report.console_table(outcome).splitlines()
  assert table[0] == "last: step 9; selected by frame_ap on the moon: step 7"
  last, best = outcome.last.results["frame_auc"], selected.results["frame_auc"]
  row = next(line for line in table if "frame AUC  " in line)
  assert row.split()[2:] == [
    f"{last:.4f}",
    f"{best:.4f}",
    f"{best - last:+.4f}",
  ]
  report.write_outcome(tmp_path, outcome)
  told = json.loads((tmp_path / "selection.json").read_text())
  assert told["selected_minus_last"]["frame_auc"] == best - last
  assert (told["selected_step"], told["last_step"]) == (7, 9)
  for name, one in (("last", outcome.last), ("selected", selected)):
    stored = json.loads((tmp_path / name / "metrics.json").read_text())
    assert stored == {"step": one.step, **one.results}


def test_console_table_says_what_is_missing_and_why():
  unknown = scored(make_videos(spans_known=False))
  table = report.console_table(report.Outcome(unknown, unknown, "video_auc"))
  assert unknown.results["note"] in table
  normal = scored(make_videos(anomalous=0))
  text = report.console_table(report.Outcome(normal, normal))
  assert "video_auc is not defined: every video is normal" in text


@pytest.mark.parametrize("spans_known", [True, False])
def test_results_come_back_from_the_files(tmp_path, spans_known):
  videos = make_videos(spans_known)
  results = metrics.evaluate_videos(videos)
  report.write_results(tmp_path / "new", scored(videos))
  folder = tmp_path / "new"
  assert {f.name for f in folder.iterdir()} == {"metrics.json", "scores.npz"}
  told = json.loads((folder / "metrics.json").read_text())
  assert told == {"step": 7, **results}
  with np.load(folder / "scores.npz", allow_pickle=False) as stored:
    borders = np.cumsum(stored["frames"])[:-1]
    again = [
      VideoScore(
        str(stored["names"][i]),
        str(stored["categories"][i]),
        int(stored["labels"][i]),
        scores[::16],
        scores,
        truth if stored["has_truth"][i] else None,
      )
      for i, (scores, truth) in enumerate(
        zip(
          np.split(stored["scores"], borders),
          np.split(stored["truth"], borders),
          strict=True,
        )
      )
    ]
  assert [v.name for v in again] == [v.name for v in videos]
  assert metrics.evaluate_videos(again) == results
