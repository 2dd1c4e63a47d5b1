"""Result files."""

import json

import numpy as np
import pytest

from adplg_jax.configs import base
from adplg_jax.scoring import metrics
from adplg_jax.scoring.metrics import VideoScore
from adplg_jax.scoring.results import selection_metric, write_results
from tests.scoring.scored_videos import make_videos, scored

# Arrays of scores.npz and the kinds of their types; README.md has the rest.
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
