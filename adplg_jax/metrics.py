"""What a scored test split is worth: AUC, AP and the field's other measures.

Arrays alone, scikit-learn does the arithmetic. Source: docs/method.md, section
6.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from sklearn import metrics as sk

THRESHOLD = 0.5


class VideoScore(NamedTuple):
  """A scored test video.

  Attributes:
    name: Its name.
    category: Its class, or Normal.
    label: 1 if it holds an anomaly.
    snippet_scores: Mean over the crops [t].
    scores: A score for each frame.
    truth: 1 for each anomalous frame; None for an anomalous video whose spans
      are not known.
  """

  name: str
  category: str
  label: int
  snippet_scores: np.ndarray
  scores: np.ndarray
  truth: np.ndarray | None


def frame_scores(
  snippet_scores: Float[np.ndarray, "t"], frames_per_snippet: int, frames: int
) -> Float[np.ndarray, "f"]:
  """Repeats snippet scores; cuts, or extends with the last, to `frames`."""
  repeated = np.repeat(snippet_scores, frames_per_snippet)[:frames]
  missing = frames - len(repeated)
  return np.pad(repeated, (0, missing), mode="edge") if missing else repeated


def precision_recall_area(truth: np.ndarray, scores: np.ndarray) -> float:
  """Trapezoid area under the precision-recall curve, the field's AP."""
  precision, recall, _ = sk.precision_recall_curve(truth, scores)
  return float(sk.auc(recall, precision))


def _auc(truth: np.ndarray, scores: np.ndarray) -> float | None:
  """Area under ROC; None when only one class is there."""
  if truth.size == 0 or truth.min() == truth.max():
    return None
  return float(sk.roc_auc_score(truth, scores))


def _average_precisions(
  truth: np.ndarray, scores: np.ndarray
) -> tuple[float | None, float | None]:
  """Trapezoid and step-wise average precision."""
  if truth.size == 0 or truth.min() == truth.max():
    return None, None
  step = float(sk.average_precision_score(truth, scores))
  return precision_recall_area(truth, scores), step


def evaluate_videos(videos: Sequence[VideoScore]) -> dict[str, Any]:
  """Measures a scored split.

  Args:
    videos: All its videos.

  Returns:
    frame_auc, frame_ap (trapezoid), frame_ap_step, anomalous_auc (frames of
    anomalous videos alone), video_auc (highest score of a video),
    false_alarm_rate (share of the normal videos' frames at 0.5 or above),
    best_f1 with its threshold, precision and recall, categories, counts. None
    where a measure is not defined; `note` says why frame measures are missing.
  """
  results: dict[str, Any] = {
    "frame_auc": None,
    "frame_ap": None,
    "frame_ap_step": None,
    "anomalous_auc": None,
    "video_auc": _auc(
      np.array([video.label for video in videos]),
      np.array([video.scores.max() for video in videos]),
    ),
    "false_alarm_rate": _false_alarm_rate(videos),
    "best_f1": None,
    "categories": {},
    "videos": len(videos),
    "frames": sum(len(video.scores) for video in videos),
  }
  unknown = [video.name for video in videos if video.truth is None]
  if unknown:
    results["note"] = (
      f"{len(unknown)} anomalous test videos have no spans ({unknown[0]} "
      "first), so frames cannot be judged: video-level AUC alone."
    )
    return results
  truth, scores = _frames(videos)
  results["anomalous_frames"] = int(truth.sum())
  results["frame_auc"] = _auc(truth, scores)
  results["frame_ap"], results["frame_ap_step"] = _average_precisions(
    truth, scores
  )
  anomalous = [video for video in videos if video.label]
  results["anomalous_auc"] = _auc(*_frames(anomalous))
  results["best_f1"] = _best_f1(truth, scores)
  for category in sorted({video.category for video in anomalous}):
    own = [video for video in anomalous if video.category == category]
    own_truth, own_scores = _frames(own)
    results["categories"][category] = {
      "videos": len(own),
      "frame_auc": _auc(own_truth, own_scores),
      "frame_ap": _average_precisions(own_truth, own_scores)[0],
    }
  return results


def _frames(videos: Sequence[VideoScore]) -> tuple[np.ndarray, np.ndarray]:
  """Truth and scores of all frames, one after the other."""
  known = [(video.truth, video.scores) for video in videos]
  if not known:
    return np.zeros(0, np.uint8), np.zeros(0)
  truths, scores = zip(*known, strict=True)
  return np.concatenate(truths), np.concatenate(scores)


def _false_alarm_rate(videos: Sequence[VideoScore]) -> float | None:
  """Share of the normal videos' frames that are called anomalous at 0.5."""
  normal = [video.scores for video in videos if not video.label]
  if not normal:
    return None
  return float((np.concatenate(normal) >= THRESHOLD).mean())


def _best_f1(truth: np.ndarray, scores: np.ndarray) -> dict[str, float] | None:
  """The threshold whose F1 over all frames is best, with what it gives."""
  if truth.size == 0 or not truth.any():
    return None
  precision, recall, thresholds = sk.precision_recall_curve(truth, scores)
  f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
  best = int(np.argmax(f1[:-1]))
  return {
    "f1": float(f1[best]),
    "threshold": float(thresholds[best]),
    "precision": float(precision[best]),
    "recall": float(recall[best]),
  }
