import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from adplg_jax.scoring import metrics
from adplg_jax.scoring.metrics import VideoScore

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "metrics.npz")
AREAS = ("auc", "ap", "ap_step")
CASES = sorted({name.split("/")[0] for name in GOLDEN.files})


def video(scores, truth, label=None, category=None, name="v"):
  truth = None if truth is None else np.array(truth, np.uint8)
  label = int(truth.any()) if label is None else label
  category = category or ("Abuse" if label else "Normal")
  scores = np.array(scores, np.float64)
  return VideoScore(name, category, label, scores, scores, truth)


def pairwise_auc(truth, scores):
  """Share of (anomalous, normal) pairs in the right order; ties are half."""
  high, low = scores[truth == 1][:, None], scores[truth == 0][None]
  return ((high > low) + 0.5 * (high == low)).mean()


def plain_average_precisions(truth, scores):
  """Precision and recall at every threshold, counted one by one."""
  points = [(1.0, 0.0)]
  for threshold in sorted(set(scores), reverse=True):
    found = scores >= threshold
    points.append((truth[found].mean(), truth[found].sum() / truth.sum()))
  pairs = list(itertools.pairwise(points))
  trapezoid = sum((b[1] - a[1]) * (a[0] + b[0]) / 2 for a, b in pairs)
  step = sum((b[1] - a[1]) * b[0] for a, b in pairs)
  return trapezoid, step


def random_videos(seed=0, count=8):
  rng = np.random.default_rng(seed)
  videos = []
  for i in range(count):
    frames = int(rng.integers(20, 60))
    truth = np.zeros(frames, np.uint8)
    if i % 2:
      start = int(rng.integers(0, frames - 8))
      truth[start : start + 8] = 1
    scores = np.round(rng.random(frames) * 0.6 + 0.3 * truth, 1)
    category = ("Abuse", "Arson")[i // 2 % 2] if i % 2 else "Normal"
    videos.append(video(scores, truth, category=category, name=f"v{i}"))
  return videos


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_golden_numbers(case):
  truth = GOLDEN[f"{case}/ground_truth"]
  snippet_scores = GOLDEN[f"{case}/snippet_scores"].astype(np.float64)
  borders = np.cumsum(GOLDEN[f"{case}/lengths"])
  assert borders[-1] == len(snippet_scores)
  videos = []
  for i, own in enumerate(np.split(snippet_scores, borders[:-1])):
    first = 16 * (borders[i] - len(own))
    own_truth = truth[first : first + 16 * len(own)].astype(np.uint8)
    scores = metrics.frame_scores(own, 16, len(own_truth))
    videos.append(video(scores, own_truth, name=str(i)))
  results = metrics.evaluate_videos(videos)
  assert results["frame_auc"] == pytest.approx(GOLDEN[f"{case}/auc"], rel=1e-12)
  assert results["frame_ap"] == pytest.approx(GOLDEN[f"{case}/ap"], rel=1e-12)
  assert results["frames"] == len(truth)


def test_agrees_with_counting():
  videos = random_videos()
  results = metrics.evaluate_videos(videos)
  truth = np.concatenate([v.truth for v in videos])
  scores = np.concatenate([v.scores for v in videos])
  assert results["frame_auc"] == pytest.approx(pairwise_auc(truth, scores))
  trapezoid, step = plain_average_precisions(truth, scores)
  assert results["frame_ap"] == pytest.approx(trapezoid)
  assert results["frame_ap_step"] == pytest.approx(step)
  assert trapezoid != pytest.approx(step)
  labels = np.array([v.label for v in videos])
  highest = np.array([v.scores.max() for v in videos])
  assert results["video_auc"] == pytest.approx(pairwise_auc(labels, highest))
  assert results["anomalous_frames"] == truth.sum()
  assert (results["videos"], results["anomalous_videos"]) == (8, 4)


def test_measures_of_parts():
  videos = random_videos(1)
  results = metrics.evaluate_videos(videos)
  anomalous = [v for v in videos if v.label]
  truth = np.concatenate([v.truth for v in anomalous])
  scores = np.concatenate([v.scores for v in anomalous])
  assert results["anomalous_auc"] == pytest.approx(pairwise_auc(truth, scores))
  trapezoid, step = plain_average_precisions(truth, scores)
  assert results["anomalous_ap"] == pytest.approx(trapezoid)
  assert results["anomalous_ap_step"] == pytest.approx(step)
  assert list(results["categories"]) == ["Abuse", "Arson"]
  for category, own in results["categories"].items():
    chosen = [v for v in anomalous if v.category == category]
    truth = np.concatenate([v.truth for v in chosen])
    scores = np.concatenate([v.scores for v in chosen])
    assert own["videos"] == len(chosen) == 2
    assert own["frame_auc"] == pytest.approx(pairwise_auc(truth, scores))
    trapezoid, step = plain_average_precisions(truth, scores)
    assert own["frame_ap"] == pytest.approx(trapezoid)
    assert own["frame_ap_step"] == pytest.approx(step)


def test_the_two_average_precisions_differ_under_ties():
  """Half of the frames is anomalous, and one score for all."""
  results = metrics.evaluate_videos([video([0.5] * 4, [0, 0, 1, 1])])
  assert results["anomalous_ap"] == results["frame_ap"] == 0.75
  assert results["anomalous_ap_step"] == results["frame_ap_step"] == 0.5


def test_operating_points_known_by_hand():
  videos = [
    video([0.1, 0.5, 0.6, 0.2], [0, 0, 0, 0]),
    video([0.3, 0.9, 0.8, 0.7], [0, 1, 1, 0]),
  ]
  results = metrics.evaluate_videos(videos)
  assert results["false_alarm_rate"] == 0.5
  assert results["best_f1"] == {
    "f1": 1.0,
    "threshold": 0.8,
    "precision": 1.0,
    "recall": 1.0,
  }


def test_a_video_is_as_anomalous_as_its_highest_frame():
  videos = [
    video([0.4, 0.5, 0.5, 0.5], [0, 0, 0, 0]),
    video([0.0, 0.9, 0.0, 0.0], [0, 1, 0, 0]),
  ]
  assert metrics.evaluate_videos(videos)["video_auc"] == 1


def test_best_f1_is_the_best_of_all_thresholds():
  videos = random_videos(2)
  best = metrics.evaluate_videos(videos)["best_f1"]
  truth = np.concatenate([v.truth for v in videos])
  scores = np.concatenate([v.scores for v in videos])
  f1 = {}
  for threshold in set(scores):
    found = scores >= threshold
    f1[threshold] = 2 * truth[found].sum() / (found.sum() + truth.sum())
  assert best["f1"] == pytest.approx(max(f1.values()))
  found = scores >= best["threshold"]
  assert best["precision"] == pytest.approx(truth[found].mean())
  assert best["recall"] == pytest.approx(truth[found].sum() / truth.sum())
  assert f1[best["threshold"]] == pytest.approx(best["f1"])


def test_unknown_spans_leave_the_video_level_alone():
  videos = [
    video([0.1, 0.2], [0, 0], name="n"),
    video([0.3, 0.9], [0, 1], name="a"),
    video([0.0, 0.1], None, label=1, name="b"),
  ]
  results = metrics.evaluate_videos(videos)
  assert results["video_auc"] == 0.5
  assert "1 anomalous test videos" in results["note"]
  assert "b first" in results["note"]
  names = [f"{a}_{b}" for a in ("frame", "anomalous") for b in AREAS]
  for name in (*names, "false_alarm_rate", "best_f1"):
    assert results[name] is None
  assert results["categories"] == {}
  assert "note" not in metrics.evaluate_videos(videos[:2])


def test_a_normal_video_needs_no_truth():
  known = [video([0.1, 0.8], [0, 0]), video([0.3, 0.9], [0, 1])]
  unknown = [known[0]._replace(truth=None), known[1]]
  assert metrics.evaluate_videos(unknown) == metrics.evaluate_videos(known)


@pytest.mark.parametrize(
  ("videos", "names", "why"),
  [
    (
      [video([0.1, 0.2], [0, 0]), video([0.3], [0])],
      {
        *("video_auc", "frame_auc", "frame_ap", "frame_ap_step", "best_f1"),
        *("anomalous_auc", "anomalous_ap", "anomalous_ap_step"),
      },
      "normal",
    ),
    (
      [video([0.1, 0.2], [1, 1]), video([0.3], [1])],
      {
        *("video_auc", "frame_auc", "frame_ap", "frame_ap_step", "best_f1"),
        *("anomalous_auc", "anomalous_ap", "anomalous_ap_step"),
        "false_alarm_rate",
      },
      "anomalous",
    ),
  ],
)
def test_one_class_gives_none_with_a_reason(videos, names, why):
  results = metrics.evaluate_videos(videos)
  assert names <= set(results["undefined"])
  for name, reason in results["undefined"].items():
    assert results[name] is None
    assert reason
  assert why in results["undefined"]["frame_auc"]
  json.dumps(results, allow_nan=False)


def test_nothing_is_nan_in_a_class_of_one_kind():
  videos = [video([0.1], [0]), video([0.2, 0.3], [1, 1])]
  own = metrics.evaluate_videos(videos)["categories"]["Abuse"]
  assert own["frame_auc"] is own["frame_ap"] is own["frame_ap_step"] is None
  assert own["undefined"] == {"frame_auc": "every frame is anomalous"}


@pytest.mark.parametrize(
  ("bad", "message"),
  [
    (video([0.1, math.nan], [0, 1]), "'v' has scores that are NaN"),
    (video([0.1, math.inf], [0, 1]), "'v' has scores that are NaN"),
    (video([], [], label=1), "'v' has no frames"),
    (video([0.1], [0, 1]), "1 frame scores but 2 frame labels"),
    (video([0.1, 0.2], [0, 2]), "other than 0 and 1"),
    (video([0.1, 0.2], [0, 1], label=0), "labelled normal but has 1"),
  ],
)
def test_refuses_a_video_that_spoils_everything(bad, message):
  with pytest.raises(ValueError, match=message):
    metrics.evaluate_videos([video([0.1], [0], name="good"), bad])


def test_refuses_an_empty_split():
  with pytest.raises(ValueError, match="no videos"):
    metrics.evaluate_videos([])


@pytest.mark.parametrize(
  ("frames", "expected"),
  [
    (6, [1, 1, 1, 2, 2, 2]),
    (4, [1, 1, 1, 2]),
    (8, [1, 1, 1, 2, 2, 2, 2, 2]),
    (1, [1]),
  ],
)
def test_frame_scores_repeat_cut_and_extend(frames, expected):
  scores = metrics.frame_scores(np.array([1.0, 2.0]), 3, frames)
  np.testing.assert_array_equal(scores, expected)


def test_frames_have_the_score_of_the_nearest_centre():
  # Windows of 6 frames, 2 apart: their centres are 3, 5, 7.
  scores = metrics.frame_scores(np.array([1.0, 2.0, 3.0]), 2, 10, window=6)
  centres = np.array([3, 5, 7])
  middles = np.arange(10) + 0.5
  nearest = np.abs(middles[:, None] - centres).argmin(axis=1)
  np.testing.assert_array_equal(scores, 1.0 + nearest)


def test_frame_scores_need_a_snippet():
  with pytest.raises(ValueError, match="no snippet scores"):
    metrics.frame_scores(np.zeros(0), 16, 32)


def test_order_of_the_videos_does_not_matter():
  videos = random_videos(3)
  forwards = metrics.evaluate_videos(videos)
  backwards = metrics.evaluate_videos(videos[::-1])
  assert forwards["frame_auc"] == pytest.approx(backwards["frame_auc"])
  assert forwards["frame_ap"] == pytest.approx(backwards["frame_ap"])
