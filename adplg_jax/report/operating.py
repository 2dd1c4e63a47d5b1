"""Operating points of a scored split, and how its scores are distributed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from adplg_jax.report.thinning import spread

_MOST_POINTS = 500
_BINS = 50


def operating_points(truth: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
  """What each threshold gives: both curves are drawn from it.

  Args:
    truth: 1 for each anomalous frame or video, both classes there.
    scores: Its score.

  Returns:
    {"threshold", "false_positive_rate", "recall", "precision", "f1"}, from the
    highest threshold down; the points lie evenly along both curves, and the
    best F1 is one of them.
  """
  order = np.argsort(-scores, kind="stable")
  scores, truth = scores[order], truth[order].astype(float)
  last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
  true = np.cumsum(truth)[last]
  false = last + 1 - true
  recall = true / truth.sum()
  alarms = false / (len(truth) - truth.sum())
  precision = true / (true + false)
  f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
  kept = np.unique(
    np.concatenate(
      [
        spread(alarms, recall, _MOST_POINTS),
        spread(recall, precision, _MOST_POINTS),
        [int(np.argmax(f1))],
      ]
    )
  )
  return {
    "threshold": scores[last][kept],
    "false_positive_rate": alarms[kept],
    "recall": recall[kept],
    "precision": precision[kept],
    "f1": f1[kept],
  }


def misranked(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
  """How many frames of the other class each frame is ordered wrongly with.

  The mean over either class is 1 - AUC.

  Args:
    truth: 1 for each anomalous frame, both classes there.
    scores: Its score.

  Returns:
    Shares, ties counting half.
  """
  errors = np.empty(len(scores))
  for label in (0, 1):
    others = np.sort(scores[truth != label])
    own = scores[truth == label]
    below, to = (np.searchsorted(others, own, s) for s in ("left", "right"))
    lower = (below + to) / 2 / len(others)
    errors[truth == label] = 1 - lower if label else lower
  return errors


def histograms(truth: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
  """Shares of the scores of both classes in even bins.

  Args:
    truth: 1 for each anomalous frame or video.
    scores: Its score, within 0..1.

  Returns:
    {"edges", "normal", "anomalous"}; the shares of a class add up to 1, and a
    class without frames has None.
  """
  edges = np.linspace(0, 1, _BINS + 1)

  def share(own: np.ndarray) -> Sequence[float] | None:
    if not len(own):
      return None
    return (np.histogram(own, edges)[0] / len(own)).tolist()

  return {
    "edges": edges,
    "normal": share(scores[truth == 0]),
    "anomalous": share(scores[truth == 1]),
  }
