"""Simple things that a trained model must beat.

Three scores that need no training, and a linear max-pooling multiple-instance
(MIL) model: the score of a video is that of its highest segment.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

Features = Float[np.ndarray, "t d"]


def feature_norm(features: Features) -> Float[np.ndarray, "t"]:
  """How loud each snippet is."""
  return np.linalg.norm(features, axis=-1)


def distance_to_mean(features: Features) -> Float[np.ndarray, "t"]:
  """How far each snippet is from its video's mean."""
  return np.linalg.norm(features - features.mean(0), axis=-1)


def change(features: Features) -> Float[np.ndarray, "t"]:
  """How far each snippet is from the one before; the first has 0."""
  return np.linalg.norm(
    np.diff(features, axis=0, prepend=features[:1]), axis=-1
  )


SIMPLE_SCORES: Mapping[str, Callable[[Features], np.ndarray]] = {
  "feature norm": feature_norm,
  "distance to the video's mean": distance_to_mean,
  "change between snippets": change,
}


class LinearMil(NamedTuple):
  """A linear map of standardised features to a logit."""

  mean: Any
  deviation: Any
  weight: Any
  bias: Any

  def logits(self, features: Float[Array, "*b d"]) -> Float[Array, "*b"]:
    """Logits of snippets or segments."""
    return (features - self.mean) / self.deviation @ self.weight + self.bias


def _loss(weights: dict[str, Array], fixed: LinearMil, batch: Any) -> Array:
  """Cross entropy of the videos' highest logits."""
  model = fixed._replace(**weights)
  cross_entropy = optax.sigmoid_binary_cross_entropy
  normal = model.logits(batch["normal"]["features"]).max(-1)
  anomalous = model.logits(batch["anomalous"]["features"]).max(-1)
  losses = (
    cross_entropy(normal, jnp.zeros_like(normal)),
    cross_entropy(anomalous, jnp.ones_like(anomalous)),
  )
  return (losses[0].mean() + losses[1].mean()) / 2


def train_linear_mil(
  batches: Iterator[Any], *, steps: int, learning_rate: float = 1e-2
) -> LinearMil:
  """Trains the linear model on the batches the real one sees.

  Args:
    batches: Training batches.
    steps: How many; as many as the real model's.
    learning_rate: Adam's.

  Returns:
    The model. Features are standardised by the first batch.
  """
  batch = next(batches)
  both = np.concatenate([batch[c]["features"] for c in ("normal", "anomalous")])
  rows = both.reshape(-1, both.shape[-1])
  fixed = LinearMil(rows.mean(0), rows.std(0) + 1e-6, None, None)
  weights = {"weight": jnp.zeros(rows.shape[-1]), "bias": jnp.zeros(())}
  optimizer = optax.adam(learning_rate)
  state = optimizer.init(weights)

  @jax.jit
  def step(weights, state, batch):
    gradient = jax.grad(_loss)(weights, fixed, batch)
    updates, state = optimizer.update(gradient, state)
    return optax.apply_updates(weights, updates), state

  for _ in range(steps):
    weights, state = step(weights, state, batch)
    batch = next(batches)
  return fixed._replace(**jax.device_get(weights))


def score_linear_mil(
  model: LinearMil, features: Features
) -> Float[np.ndarray, "t"]:
  """Scores in (0, 1) of a crop's snippets."""
  return np.asarray(jax.nn.sigmoid(model.logits(jnp.asarray(features))))
