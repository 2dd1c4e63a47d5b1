"""Scored videos for the tests of results and pictures."""

import numpy as np

from adplg_jax.scoring import metrics, results
from adplg_jax.scoring.metrics import VideoScore


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
  return results.Scored(step, videos, metrics.evaluate_videos(videos))
