"""Adam with coupled L2, and the snippet branch's learning-rate schedule.

Source: docs/method.md, section 5.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax


def step_decay(
  learning_rate: float, factor: float, every: int
) -> optax.Schedule:
  """Learning rate multiplied by `factor` after each `every` updates.

  Kept in the default float type, which is float64 under x64 (optax's own
  schedules stay in float32 there).
  """

  def schedule(count: Any) -> jax.Array:
    dtype = jnp.result_type(float)
    periods = (count // every).astype(dtype)
    return jnp.asarray(learning_rate, dtype) * factor**periods

  return schedule


def coupled_l2(
  weight_decay: float, seen_positions: int | None = None
) -> optax.GradientTransformation:
  """Adds weight_decay * parameter to the gradient (L2, not AdamW).

  Args:
    weight_decay: The factor.
    seen_positions: Rows of the position tables that training reaches. When
      given, rows beyond keep their initial values; None decays them too, as the
      program does.

  Returns:
    The transformation.
  """

  def decay(path, gradient, parameter):
    if seen_positions is not None and path[-1].key == "position":
      parameter = parameter.at[seen_positions:].set(0)
    return gradient + weight_decay * parameter

  def update(updates, params):
    return jax.tree_util.tree_map_with_path(decay, updates, params)

  return optax.stateless(update)


def adam_with_l2(
  learning_rate: float | optax.Schedule,
  weight_decay: float,
  seen_positions: int | None = None,
) -> optax.GradientTransformation:
  """Adam (0.9, 0.999, eps 1e-8 outside the root) after coupled L2."""
  return optax.chain(
    coupled_l2(weight_decay, seen_positions),
    optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8),
    optax.scale_by_learning_rate(learning_rate),
  )
