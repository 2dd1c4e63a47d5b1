"""Result files."""

import json

import numpy as np
import pytest

from adplg_jax.scoring import metrics
from adplg_jax.scoring.metrics import VideoScore
from adplg_jax.scoring.results import write_results
from tests.scoring.scored_videos import make_videos, scored


@pytest.mark.parametrize("spans_known", [True, False])
def test_results_come_back_from_the_files(tmp_path, spans_known):
  videos = make_videos(spans_known)
  results = metrics.evaluate_videos(videos)
  write_results(tmp_path / "new", scored(videos))
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
