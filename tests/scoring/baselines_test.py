import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from adplg_jax.scoring import baselines

FEATURES = np.array([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]])


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("feature norm", [5, 0, 10]),
    ("distance to the video's mean", [0, 5, 5]),
    ("change between snippets", [0, 5, 10]),
  ],
)
def test_simple_scores_known_by_hand(name, expected):
  scores = baselines.SIMPLE_SCORES[name](FEATURES)
  np.testing.assert_allclose(scores, expected, atol=1e-12)


@pytest.mark.parametrize("name", baselines.SIMPLE_SCORES)
def test_half_precision_does_not_overflow(name):
  features = np.array([[300.0, 0.0], [0.0, 400.0]], np.float16)
  half = baselines.SIMPLE_SCORES[name](features)
  np.testing.assert_allclose(
    half, baselines.SIMPLE_SCORES[name](features.astype(np.float64))
  )


@pytest.mark.parametrize("name", baselines.SIMPLE_SCORES)
def test_a_single_snippet_has_a_score(name):
  assert np.isfinite(baselines.SIMPLE_SCORES[name](FEATURES[:1])).all()


def batch(rng, b=16, n=12, d=6):
  """Videos whose anomaly, two segments long, is in feature 1."""
  normal = rng.standard_normal((b, n, d))
  anomalous = rng.standard_normal((b, n, d))
  start = rng.integers(0, n - 1, b)
  for i, first in enumerate(start):
    anomalous[i, first : first + 2, 1] += 5
  scale = np.array([1, 0.01, 100, 1, 1, 1])
  # Of very different sizes, as raw features may be.
  return {
    "normal": {"features": (normal * scale + 7).astype(np.float32)},
    "anomalous": {
      "features": (anomalous * scale + 7).astype(np.float32),
      "key": np.arange(b, dtype=np.int32),
    },
  }, start


def batches(seed):
  rng = np.random.default_rng(seed)
  while True:
    yield batch(rng)[0]


def test_linear_mil_finds_the_anomalous_segments():
  model = baselines.train_linear_mil(batches(0), steps=300)
  test, start = batch(np.random.default_rng(1))
  truth = np.zeros((16, 12), int)
  for i, first in enumerate(start):
    truth[i, first : first + 2] = 1
  scores = np.stack(
    [
      baselines.score_linear_mil(model, video)
      for video in test["anomalous"]["features"]
    ]
  )
  assert scores.min() >= 0
  assert scores.max() <= 1
  assert roc_auc_score(truth.ravel(), scores.ravel()) > 0.97


def loss_and_gradient(weight, bias, standard):
  """Cross entropy of the highest logits, by plain loops."""
  value, by_weight, by_bias = 0.0, np.zeros_like(weight), 0.0
  for label, features in enumerate(standard):
    for video in features:
      logits = video @ weight + bias
      top = int(np.argmax(logits))
      score = 1 / (1 + np.exp(-logits[top]))
      value -= np.log(score if label else 1 - score) / (2 * len(features))
      error = (score - label) / (2 * len(features))
      by_weight += error * video[top]
      by_bias += error
  return value, by_weight, by_bias


def test_linear_mil_loss_and_gradient_agree_with_loops(x64):
  one = batch(np.random.default_rng(2), b=4)[0]
  one = jax.tree.map(jnp.asarray, one)
  rng = np.random.default_rng(3)
  weights = {"weight": rng.standard_normal(6) / 50, "bias": np.array(0.3)}
  fixed = baselines.LinearMil(np.full(6, 7.0), np.full(6, 2.0), None, None)
  value, gradient = jax.value_and_grad(baselines._loss)(weights, fixed, one)
  standard = [
    (np.asarray(one[name]["features"], np.float64) - 7.0) / 2
    for name in ("normal", "anomalous")
  ]
  expected = loss_and_gradient(weights["weight"], 0.3, standard)
  np.testing.assert_allclose(value, expected[0], rtol=1e-6)
  np.testing.assert_allclose(gradient["weight"], expected[1], rtol=1e-5)
  np.testing.assert_allclose(gradient["bias"], expected[2], rtol=1e-5)


def test_linear_mil_is_the_same_every_time():
  first = baselines.train_linear_mil(batches(4), steps=5)
  second = baselines.train_linear_mil(batches(4), steps=5)
  np.testing.assert_array_equal(first.weight, second.weight)


def test_linear_mil_takes_exactly_its_steps():
  iterator = batches(5)
  three = list(itertools.islice(iterator, 3))
  baselines.train_linear_mil(iter(three), steps=3)
  with pytest.raises(ValueError, match="ended after 3 of 4 steps"):
    baselines.train_linear_mil(iter(three), steps=4)
  with pytest.raises(ValueError, match="steps is 0"):
    baselines.train_linear_mil(iter(three), steps=0)
