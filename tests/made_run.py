"""Files of a run that was never trained, for what reads them."""

import json
from pathlib import Path

import numpy as np

from adplg_jax.scoring import metrics
from adplg_jax.scoring.results import Outcome, Scored, write_outcome
from tests.runs import tiny


def make_run(folder, *, videos, steps=30, truth=True, names=None, seed=0):
  """Writes what a run of so many test videos and steps leaves.

  Args:
    folder: Of the run.
    videos: Frames of each test video; every other one is anomalous.
    steps: Lines of metrics.
    truth: Whether the anomalous spans of test and training are known.
    names: Of the videos.
    seed: Of the scores.

  Returns:
    The folder.
  """
  folder = Path(folder)
  folder.mkdir(parents=True)
  config = tiny("nowhere").to_dict()
  (folder / "config.json").write_text(json.dumps(config))
  (folder / "data.json").write_text('{"fingerprint": "made"}')
  rng = np.random.default_rng(seed)
  lines = [
    {
      "step": step,
      "time": 1.0 * step,
      "loss/video_branch": 3 / step,
      "labels/hard": 0.25,
      **({"labels/recall": step / steps} if truth else {}),
    }
    for step in range(1, steps + 1)
  ]
  scored = []
  for place, frames in enumerate(videos):
    label = place % 2
    mask = np.zeros(frames, np.uint8)
    mask[frames // 4 : frames // 2] = label
    snippets = rng.random(-(-frames // 16)) * 0.7
    scores = metrics.frame_scores(snippets, 16, frames) + 0.3 * mask
    name = names[place] if names else f"video{place:04d}"
    scored.append(
      metrics.VideoScore(
        name,
        f"Class{place % 6}" if label else "Normal",
        label,
        snippets,
        scores,
        mask if truth else None,
      )
    )
  results = metrics.evaluate_videos(scored)
  lines.append({"step": steps, "time": 0.0, "evaluation": True, **results})
  (folder / "metrics.jsonl").write_text(
    "".join(json.dumps(line) + "\n" for line in lines)
  )
  found = Scored(steps, scored, results)
  write_outcome(folder / "results", Outcome(found, found))
  return folder
