"""Result files."""

import json

import numpy as np
import pytest

from adplg_jax.configs import base
from adplg_jax.run.checkpoint import Selection
from adplg_jax.scoring import metrics
from adplg_jax.scoring.metrics import VideoScore
from adplg_jax.scoring.results import (
  Outcome,
  best_seed,
  over_seeds,
  selection_metric,
  write_results,
  write_seeds,
)
from tests.scoring.scored_videos import make_videos, scored

# Arrays of scores.npz and the kinds of their types (docs/results.md).
LAYOUT = {
  "names": "U",
  "categories": "U",
  "labels": "i",
  "has_truth": "b",
  "frames": "i",
  "scores": "f",
  "truth": "u",
}


@pytest.mark.parametrize("truth_type", [bool, np.uint8])
@pytest.mark.parametrize("spans_known", [True, False])
def test_results_come_back_from_the_files(tmp_path, spans_known, truth_type):
  videos = [
    v if v.truth is None else v._replace(truth=v.truth.astype(truth_type))
    for v in make_videos(spans_known)
  ]
  results = metrics.evaluate_videos(videos)
  write_results(tmp_path / "new", scored(videos))
  folder = tmp_path / "new"
  assert {f.name for f in folder.iterdir()} == {"metrics.json", "scores.npz"}
  stored = json.loads((folder / "metrics.json").read_text())
  assert stored == {"step": 7, **results}
  with np.load(folder / "scores.npz", allow_pickle=False) as stored:
    kinds = {name: stored[name].dtype.kind for name in stored.files}
    assert kinds == LAYOUT
    frames = stored["frames"].sum()
    assert stored["scores"].shape == stored["truth"].shape == (frames,)
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


def outcomes_of(*scales, known=True):
  """Seeds from 3 on, whose true frames' scores are raised by so much."""
  outcomes = {}
  for seed, scale in enumerate(scales, 3):
    one = scored(
      [
        v if v.truth is None else v._replace(scores=v.scores + scale * v.truth)
        for v in make_videos(known)
      ]
    )
    value = one.results["video_auc"] + scale
    outcomes[seed] = Outcome(one, one, Selection(value, "by the moon"))
  return outcomes


def test_seeds_have_a_mean_a_deviation_and_a_best(tmp_path):
  outcomes = outcomes_of(0.0, 0.3, -0.2)
  values = [o.last.results["frame_auc"] for o in outcomes.values()]
  assert len(set(values)) == 3
  write_seeds(tmp_path / "new", outcomes)
  stored = json.loads((tmp_path / "new" / "seeds.json").read_text())
  assert (stored["seeds"], stored["best_seed"]) == ([3, 4, 5], 4)
  assert stored["chosen_by"] == "by the moon"
  found = stored["selected"]["frame_auc"]
  assert found.pop("values") == values
  assert found == pytest.approx(
    {
      "mean": np.mean(values),
      "deviation": np.std(values, ddof=1),
      "lowest": min(values),
      "highest": max(values),
    }
  )
  assert best_seed({3: Outcome(*outcomes[3][:2])}) is None


def test_a_metric_that_is_not_defined_has_no_mean():
  found = over_seeds(outcomes_of(0.0, 0.1, known=False), "last")
  assert found["frame_auc"]["values"] == [None, None]
  assert found["frame_auc"]["mean"] is None
  assert over_seeds(outcomes_of(0.0), "last")["frame_auc"]["deviation"] is None


@pytest.mark.parametrize(
  ("metric", "average_precision", "split", "chosen"),
  [
    ("frame_auc", "step", "test", "frame_auc"),
    ("frame_ap", "trapezoid", "test", "frame_ap"),
    ("frame_ap", "step", "test", "frame_ap_step"),
    ("frame_ap", "step", "validation", "video_auc"),
  ],
)
def test_the_metric_that_selects(metric, average_precision, split, chosen):
  config = base.get_config()
  config.selection.metric = metric
  config.selection.split = split
  config.switches.average_precision = average_precision
  results = metrics.evaluate_videos(make_videos())
  assert selection_metric(config, results) == chosen
  unknown = metrics.evaluate_videos(make_videos(spans_known=False))
  assert selection_metric(config, unknown) == "video_auc"
