"""Metrics of a scored test split: AUC, AP and the field's other measures.

Arrays alone, scikit-learn does the arithmetic; it is imported where it is used,
as that takes a second, which training need not wait for before its first step.
Source: docs/method.md, section 6.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

THRESHOLD = 0.5


class VideoScore(NamedTuple):
  """A scored test video.

  Attributes:
    name: Its name.
    category: Its class, or Normal.
    label: 1 if it has an anomaly.
    snippet_scores: Mean over the crops [t].
    scores: A score for each frame.
    truth: 1 for each anomalous frame; None for an anomalous video whose spans
      are not known (and for a normal one: 0 everywhere).
  """

  name: str
  category: str
  label: int
  snippet_scores: np.ndarray
  scores: np.ndarray
  truth: np.ndarray | None


def frame_scores(
  snippet_scores: Float[np.ndarray, "t"],
  frames_per_snippet: int,
  frames: int,
  *,
  window: int | None = None,
) -> Float[np.ndarray, "f"]:
  """Gives each frame the score of the snippet whose centre is nearest.

  Where snippets do not overlap these are the frames of each snippet. Frames
  before the first and after the last have the first and last score.

  Args:
    snippet_scores: A score for each snippet.
    frames_per_snippet: Frames from one snippet's start to the next one's.
    frames: Frames of the video.
    window: Frames a snippet is extracted from, None for frames_per_snippet.

  Raises:
    ValueError: There is no snippet.
  """
  if snippet_scores.size == 0:
    raise ValueError(
      f"A video of {frames} frames has no snippet scores; it needs at least "
      "one snippet."
    )
  # The first snippet's centre is this much after that of its first step.
  shift = ((window or frames_per_snippet) - frames_per_snippet) // 2
  snippets = (np.arange(frames) - shift) // frames_per_snippet
  return snippet_scores[np.clip(snippets, 0, len(snippet_scores) - 1)]


def frame_truth(video: VideoScore) -> np.ndarray | None:
  """1 for each anomalous frame; None where the spans are not known."""
  if video.truth is None and not video.label:
    return np.zeros(len(video.scores), np.uint8)
  return video.truth


def roc_area(truth: np.ndarray, scores: np.ndarray) -> float:
  """Area under the ROC curve, the field's AUC."""
  from sklearn import metrics as sk

  return float(sk.roc_auc_score(truth, scores))


def precision_recall_area(truth: np.ndarray, scores: np.ndarray) -> float:
  """Trapezoid area under the precision-recall curve, the field's AP."""
  from sklearn import metrics as sk

  precision, recall, _ = sk.precision_recall_curve(truth, scores)
  return float(sk.auc(recall, precision))


def evaluate_videos(videos: Sequence[VideoScore]) -> dict[str, Any]:
  """Measures a scored split.

  Args:
    videos: All its videos.

  Returns:
    frame_auc, frame_ap (trapezoid), frame_ap_step, the same of the frames of
    anomalous videos alone (anomalous_auc, anomalous_ap, anomalous_ap_step),
    video_auc (highest score of a video),
    false_alarm_rate (share of the normal videos' frames at 0.5 or above),
    best_f1 (the threshold with the best F1 over all frames, with its precision
    and recall), categories (frame measures of the anomalous videos of each
    class), counts. What is not defined is None, never NaN; `undefined` says
    why, by name. `note` is there when the spans of an anomalous video are not
    known: then video_auc alone is given.

  Raises:
    ValueError: There is no video, or one whose scores and truth do not fit.
  """
  if not videos:
    raise ValueError(
      "The split to evaluate has no videos; it needs at least one."
    )
  for video in videos:
    _check(video)
  anomalous = [video for video in videos if video.label]
  undefined: dict[str, str] = {}
  results: dict[str, Any] = {
    "frame_auc": None,
    "frame_ap": None,
    "frame_ap_step": None,
    "anomalous_auc": None,
    "anomalous_ap": None,
    "anomalous_ap_step": None,
    "video_auc": None,
    "false_alarm_rate": None,
    "best_f1": None,
    "categories": {},
    "undefined": undefined,
    "videos": len(videos),
    "anomalous_videos": len(anomalous),
    "frames": sum(len(video.scores) for video in videos),
  }
  highest = np.array([video.scores.max() for video in videos])
  labels = np.array([video.label for video in videos])
  why = _one_class(labels, "video")
  if why:
    undefined["video_auc"] = why
  else:
    results["video_auc"] = roc_area(labels, highest)
  unknown = [video.name for video in videos if frame_truth(video) is None]
  if unknown:
    results["note"] = (
      f"The spans of {len(unknown)} anomalous test videos are not known "
      f"({unknown[0]} first), so frames cannot be judged: video-level AUC "
      "alone."
    )
  else:
    results |= _frame_measures(videos, undefined)
  return results


def _check(video: VideoScore) -> None:
  """Refuses a video that would invalidate every metric.

  Raises:
    ValueError: Scores or truth are unusable; names the video.
  """
  if video.scores.size == 0:
    fault = "has no frames"
  elif not np.isfinite(video.scores).all():
    fault = "has scores that are NaN or infinite; they must be finite"
  elif video.truth is None:
    return
  elif video.truth.shape != video.scores.shape:
    fault = (
      f"has {len(video.scores)} frame scores but {len(video.truth)} frame "
      "labels; their numbers must be equal"
    )
  elif not np.isin(video.truth, (0, 1)).all():
    fault = "has frame labels other than 0 and 1"
  elif not video.label and video.truth.any():
    fault = (
      f"is labelled normal but has {int(video.truth.sum())} anomalous frames; "
      "correct its label or its spans"
    )
  else:
    return
  raise ValueError(f"Test video {video.name!r} {fault}.")


def _frame_measures(
  videos: Sequence[VideoScore], undefined: dict[str, str]
) -> dict[str, Any]:
  """All that needs frame labels; adds to `undefined` what has no value."""
  truth, scores = _frames(videos)
  anomalous = [video for video in videos if video.label]
  measures: dict[str, Any] = {
    "anomalous_frames": int(truth.sum()),
    "false_alarm_rate": None,
    "best_f1": None,
    "categories": _category_measures(anomalous),
  }
  for name, own in (("frame", videos), ("anomalous", anomalous)):
    areas, why = _areas(own)
    areas = {f"{name}_{kind}": area for kind, area in areas.items()}
    measures |= areas
    if why:
      undefined |= dict.fromkeys(areas, why)
  if len(anomalous) < len(videos):
    normal = [video for video in videos if not video.label]
    alarms = _frames(normal)[1] >= THRESHOLD
    measures["false_alarm_rate"] = float(alarms.mean())
  else:
    undefined["false_alarm_rate"] = "there is no normal video"
  if "frame_auc" in undefined:
    undefined["best_f1"] = undefined["frame_auc"]
  else:
    measures["best_f1"] = _best_f1(truth, scores)
  return measures


def _category_measures(
  anomalous: Sequence[VideoScore],
) -> dict[str, dict[str, Any]]:
  """Frame measures over the anomalous videos of each class, by its name."""
  categories = {}
  for category in sorted({video.category for video in anomalous}):
    own = [video for video in anomalous if video.category == category]
    areas, why = _areas(own)
    categories[category] = {
      "videos": len(own),
      **{f"frame_{kind}": area for kind, area in areas.items()},
      "undefined": {"frame_auc": why} if why else {},
    }
  return categories


def _areas(
  videos: Sequence[VideoScore],
) -> tuple[dict[str, float | None], str | None]:
  """Areas under the curves over all frames: "auc", "ap" and "ap_step".

  Returns:
    The areas, None where they are not defined, and then why.
  """
  if not videos:
    why = "there is no anomalous video"
    return dict.fromkeys(("auc", "ap", "ap_step")), why
  truth, scores = _frames(videos)
  why = _one_class(truth, "frame")
  if why:
    return dict.fromkeys(("auc", "ap", "ap_step")), why
  from sklearn import metrics as sk

  areas: dict[str, float | None] = {
    "auc": roc_area(truth, scores),
    "ap": precision_recall_area(truth, scores),
    "ap_step": float(sk.average_precision_score(truth, scores)),
  }
  return areas, None


def _frames(videos: Sequence[VideoScore]) -> tuple[np.ndarray, np.ndarray]:
  """Truth and scores of all frames, one video after the other."""
  truths = [frame_truth(video) for video in videos]
  known = [truth for truth in truths if truth is not None]
  return np.concatenate(known), np.concatenate([v.scores for v in videos])


def _one_class(truth: np.ndarray, what: str) -> str | None:
  """Why these labels cannot be ranked, or None when they can."""
  if truth.min() != truth.max():
    return None
  return f"every {what} is {'anomalous' if truth[0] else 'normal'}"


def _best_f1(truth: np.ndarray, scores: np.ndarray) -> dict[str, float]:
  """The threshold whose F1 over all frames is best, with what it gives."""
  from sklearn import metrics as sk

  precision, recall, thresholds = sk.precision_recall_curve(truth, scores)
  f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
  best = int(np.argmax(f1[:-1]))
  return {
    "f1": float(f1[best]),
    "threshold": float(thresholds[best]),
    "precision": float(precision[best]),
    "recall": float(recall[best]),
  }
