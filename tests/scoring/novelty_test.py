"""Novelty beside the distances that it is made of."""

import numpy as np
import pytest

from adplg_jax.scoring import novelty as novelty_lib
from adplg_jax.scoring.novelty import THRESHOLD, novelty


def features(count=21, seed=0, crops=1):
  return np.random.default_rng(seed).normal(size=(crops, count, 6))


def ranked(a, b, rank):
  """Distances by the definition."""
  return np.sort(np.linalg.norm(a[:, None] - b[None], axis=-1), 1)[:, rank]


def test_own_snippets_are_compared_by_the_median_distance():
  x = features()
  d = ranked(x[0], x[0], 10)
  np.testing.assert_allclose(novelty(x), d / (d + np.median(d)))


def test_normal_snippets_by_the_fifth_nearest():
  x, normal = features(), features(40, 1)
  d = ranked(x[0], normal[0], 4)
  usual = np.median(ranked(normal[0], normal[0], 5))
  np.testing.assert_allclose(novelty(x, normal), d / (d + usual))


def test_crops_are_averaged():
  x = features(crops=3)
  np.testing.assert_allclose(novelty(x), novelty(x.mean(0, keepdims=True)))


def test_scale_and_shift_change_nothing():
  x = features()
  np.testing.assert_allclose(novelty(x), novelty(x * 1000 + 3), rtol=1e-6)


def test_what_is_rare_stands_out():
  x = features(100)
  x[:, 40:50] += 20
  scores = novelty(x)
  rare = np.zeros(100, bool)
  rare[40:50] = True
  assert scores[rare].min() > THRESHOLD > scores[~rare].max()
  assert np.median(scores) == pytest.approx(0.5, abs=0.01)
  # Normal snippets tell what fills most of a video, too.
  most = features(30, 1)
  most[:, :25] += 20
  assert novelty(most, x[:, ~rare])[:25].min() > THRESHOLD


def test_many_snippets_are_computed_in_parts(monkeypatch):
  x = features(50)
  expected = novelty(x)
  monkeypatch.setattr(novelty_lib, "_ROWS", 7)
  np.testing.assert_allclose(novelty(x), expected)
  monkeypatch.setattr(novelty_lib, "_MOST", 25)
  assert np.corrcoef(novelty(x), expected)[0, 1] > 0.9


@pytest.mark.parametrize("count", [1, 2])
def test_few_snippets_and_snippets_that_are_the_same(count):
  assert np.isfinite(novelty(features(count))).all()
  same = np.ones((1, count, 6), np.float32)
  assert novelty(same).tolist() == [0.0] * count
  assert np.isfinite(novelty(features(3), same)).all()


def test_other_normal_features_are_refused():
  with pytest.raises(ValueError, match="5 normal snippets of width 3"):
    novelty(features(), np.zeros((1, 5, 3)))
  with pytest.raises(ValueError, match="0 normal snippets"):
    novelty(features(), np.zeros((1, 0, 6)))
