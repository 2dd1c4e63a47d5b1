"""Normalised features."""

import json

import numpy as np
import pytest

from adplg_jax.data import normalize
from adplg_jax.data.normalize import NONE, Normalization

STATISTICS = {
  "rms": 0.5,
  "mean": [1.0, -2.0, 3.0, 0.011],
  "deviation": [2.0, 0.25, 0.0, 1e-9],
}
X = np.array([[1, 2, 3, 4], [-5, 6, 7, 8]], np.float32)


def make(kind):
  return normalize.from_statistics(kind, STATISTICS, "folder/mine")


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(
  ("kind", "expected"),
  [
    ("rms", X * 2),
    # Channels without a spread but rounding's keep their scale.
    ("standardize", (X - [1, -2, 3, 0.011]) / [2, 0.25, 1, 1]),
  ],
)
def test_values(kind, expected, dtype):
  found = make(kind).apply(X.astype(dtype))
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  np.testing.assert_allclose(make(kind).apply(X[None, 1:]), [expected[1:]])


def test_none_leaves_features_as_they_are():
  assert make("none") is NONE
  assert NONE.apply(X) is X
  example = {"features": X, "length": 1, "video": "a"}
  assert NONE.apply_to_example(example)["features"] is X


def test_statistics_of_the_training_split_bring_it_to_mean_0_deviation_1():
  rng = np.random.default_rng(0)
  x = (0.011 + 0.0015 * rng.normal(size=(500, 8))).astype(np.float32)
  statistics = {
    "rms": float(np.sqrt((x.astype(float) ** 2).mean())),
    "mean": x.mean(0, dtype=float).tolist(),
    "deviation": x.std(0, dtype=float).tolist(),
  }
  standard = normalize.from_statistics("standardize", statistics, "").apply(x)
  np.testing.assert_allclose(standard.mean(0), 0, atol=1e-3)
  np.testing.assert_allclose(standard.std(0), 1, rtol=1e-4)
  rms = normalize.from_statistics("rms", statistics, "").apply(x)
  np.testing.assert_allclose((rms**2).mean(), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", ["none", "rms", "standardize"])
def test_padding_stays_zero(kind):
  features = np.concatenate([X, np.zeros((3, 4), np.float32)])
  example = {"features": features, "length": np.int32(2), "video": "a"}
  found = make(kind).apply_to_example(example)
  np.testing.assert_array_equal(found["features"][:2], make(kind).apply(X))
  assert not found["features"][2:].any()
  assert found["video"] == "a"
  assert example["features"] is features


@pytest.mark.parametrize("kind", ["none", "rms", "standardize"])
def test_a_checkpoint_keeps_it_to_the_bit(kind):
  stored = json.loads(json.dumps(make(kind).to_json()))
  again = normalize.from_json(stored)
  assert again.kind == kind
  np.testing.assert_array_equal(again.apply(X), make(kind).apply(X))


def test_a_checkpoint_of_before_means_none():
  assert normalize.from_json(None) is NONE


def test_features_that_are_all_zero_stay_so():
  zeros = {"rms": 0.0, "mean": [0.0], "deviation": [0.0]}
  for kind in ("rms", "standardize"):
    found = normalize.from_statistics(kind, zeros, "").apply(X[:, :1] * 0)
    np.testing.assert_array_equal(found, 0)


def test_a_data_set_of_before_has_none_alone():
  assert normalize.from_statistics("none", None, "folder/mine") is NONE
  with pytest.raises(ValueError, match=r"is 'rms', but folder/mine was .*"):
    normalize.from_statistics("rms", None, "folder/mine")


def test_another_kind_is_refused():
  with pytest.raises(ValueError, match=r"'std'; allowed: none \| rms"):
    normalize.from_statistics("std", STATISTICS, "folder/mine")


def test_it_is_frozen():
  with pytest.raises(AttributeError):
    Normalization("none", 0, 1).kind = "rms"  # pyright: ignore
