"""Operating points, against scikit-learn's curves."""

import numpy as np
import pytest
from sklearn import metrics as sk

from adplg_jax.report import operating


def made(size, levels=None):
  rng = np.random.default_rng(size)
  truth = (rng.random(size) < 0.3).astype(np.uint8)
  scores = np.clip(rng.random(size) * 0.7 + 0.3 * truth, 0, 1)
  if levels:
    scores = np.round(scores * levels) / levels
  return truth, scores


@pytest.mark.parametrize("levels", [None, 20])
def test_the_points_of_a_short_split_are_those_of_its_curves(levels):
  truth, scores = made(200, levels)
  found = operating.operating_points(truth, scores)
  false, true, thresholds = sk.roc_curve(truth, scores, drop_intermediate=False)
  np.testing.assert_allclose(found["threshold"], thresholds[1:])
  np.testing.assert_allclose(found["false_positive_rate"], false[1:])
  np.testing.assert_allclose(found["recall"], true[1:])
  precision, recall, _ = sk.precision_recall_curve(truth, scores)
  np.testing.assert_allclose(found["precision"][::-1], precision[:-1])
  np.testing.assert_allclose(found["recall"][::-1], recall[:-1])


def test_few_points_of_a_long_split_keep_its_areas_and_best_f1():
  truth, scores = made(60_000)
  found = operating.operating_points(truth, scores)
  assert len(found["threshold"]) <= 1001
  area = sk.auc([0, *found["false_positive_rate"], 1], [0, *found["recall"], 1])
  assert area == pytest.approx(sk.roc_auc_score(truth, scores), abs=2e-3)
  precision, recall, _ = sk.precision_recall_curve(truth, scores)
  area = sk.auc(found["recall"], found["precision"])
  assert area == pytest.approx(sk.auc(recall, precision), abs=2e-3)
  best = (2 * precision * recall / (precision + recall)).max()
  assert found["f1"].max() == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("levels", [None, 10])
def test_what_is_misranked_adds_up_to_the_auc(levels):
  truth, scores = made(500, levels)
  errors = operating.misranked(truth, scores)
  lost = 1 - sk.roc_auc_score(truth, scores)
  for label in (0, 1):
    assert errors[truth == label].mean() == pytest.approx(lost)


def test_histograms_are_shares_of_each_class():
  found = operating.histograms(
    np.array([0, 0, 0, 1]), np.array([0.0, 0.01, 1.0, 0.5])
  )
  assert found["normal"][0] == pytest.approx(2 / 3)
  assert found["normal"][-1] == pytest.approx(1 / 3)
  assert found["anomalous"][25] == 1
  assert operating.histograms(np.zeros(2), np.ones(2))["anomalous"] is None
