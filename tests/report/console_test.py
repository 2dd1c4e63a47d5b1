"""The console's table."""

import json

import pytest

from adplg_jax.report import console
from adplg_jax.run.checkpoint import Selection
from adplg_jax.scoring.results import Outcome, write_outcome
from tests.scoring.scored_videos import make_videos, scored


def test_console_table_shows_every_measure():
  last = scored(make_videos())
  results = last.results
  table = console.table(Outcome(last, last))
  assert "checkpoint of step 7" in table
  assert "selected" not in table
  for title, name in {
    "frame AUC": "frame_auc",
    "frame AP, trapezoid": "frame_ap",
    "frame AP, step-wise": "frame_ap_step",
    "frame AUC, anomalous videos": "anomalous_auc",
    "frame AP, anomalous videos": "anomalous_ap",
    "  step-wise": "anomalous_ap_step",
  }.items():
    assert f"\n  {title:28}{results[name]:10.4f}\n" in table
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
  outcome = Outcome(
    scored(worse, 9), selected, Selection(0.5, "frame_ap on the moon")
  )
  table = console.table(outcome).splitlines()
  assert table[0] == "last: step 9; selected by frame_ap on the moon: step 7"
  last, best = outcome.last.results["frame_auc"], selected.results["frame_auc"]
  row = next(line for line in table if "frame AUC  " in line)
  assert row.split()[2:] == [
    f"{last:.4f}",
    f"{best:.4f}",
    f"{best - last:+.4f}",
  ]
  write_outcome(tmp_path, outcome)
  stored = json.loads((tmp_path / "selection.json").read_text())
  assert stored["selected_minus_last"]["frame_auc"] == best - last
  assert (stored["selected_step"], stored["last_step"]) == (7, 9)
  for name, one in (("last", outcome.last), ("selected", selected)):
    stored = json.loads((tmp_path / name / "metrics.json").read_text())
    assert stored == {"step": one.step, **one.results}


def test_console_table_says_what_is_missing_and_why():
  unknown = scored(make_videos(spans_known=False))
  table = console.table(Outcome(unknown, unknown, Selection(-1.0, "video_auc")))
  assert unknown.results["note"] in table
  normal = scored(make_videos(anomalous=0))
  text = console.table(Outcome(normal, normal))
  assert "video_auc is not defined: every video is normal" in text


NAMES = ["last", "deviation", "selected", "deviation", "seed", "8"]


def test_seeds_stand_with_mean_deviation_and_the_best():
  one = scored(make_videos())
  worse = scored([v._replace(scores=1 - v.scores) for v in one.videos])
  outcomes = {
    7: Outcome(worse, worse, Selection(0.2, "x on y")),
    8: Outcome(worse, one, Selection(0.9, "x on y")),
  }
  table = console.report(outcomes).splitlines()
  assert table[0] == (
    "2 seeds, mean and deviation; selected by x on y; best: seed 8, step 7"
  )
  assert table[1].split() == [
    "last",
    "deviation",
    "selected",
    "deviation",
    "seed",
    "8",
  ]
  row = next(line for line in table if "frame AUC  " in line)
  low, high = worse.results["frame_auc"], one.results["frame_auc"]
  assert [float(cell) for cell in row.split()[2:]] == pytest.approx(
    [low, 0, (low + high) / 2, (high - low) / 2**0.5, high], abs=1e-4
  )
  alone = {7: outcomes[7]}
  assert console.report(alone) == console.table(outcomes[7])
  unknown = {seed: Outcome(one, one) for seed in (7, 8)}
  assert "selected" not in console.report(unknown)
