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


def learning_rate_at(
  update: int,
  *,
  learning_rate: float,
  decay_factor: float | None = None,
  decay_every: int = 1,
) -> float:
  """The learning rate of an update, as `adam_with_l2` schedules it.

  Args:
    update: Which, from 0 on.
    learning_rate: See `adam_with_l2`.
    decay_factor: Likewise.
    decay_every: Likewise.
  """
  if decay_factor is None:
    return learning_rate
  return learning_rate * decay_factor ** (update // decay_every)


def coupled_l2(
  weight_decay: float, decayed_positions: int | None = None
) -> optax.GradientTransformation:
  """Adds weight_decay * parameter to the gradient (L2, not AdamW).

  Args:
    weight_decay: The factor.
    decayed_positions: Rows of the position tables that are decayed: those that
      training reaches. None decays all of them, as the authors' program does.

  Returns:
    The transformation.
  """

  def decay(path, gradient, parameter):
    if decayed_positions is not None and path[-1].key == "position":
      parameter = parameter.at[decayed_positions:].set(0)
    return gradient + weight_decay * parameter

  def update(updates, params):
    return jax.tree_util.tree_map_with_path(decay, updates, params)

  return optax.stateless(update)


def adam_with_l2(
  learning_rate: float,
  weight_decay: float,
  decay_factor: float | None = None,
  decay_every: int = 1,
  *,
  decayed_positions: int | None = None,
) -> optax.GradientTransformation:
  """Adam (0.9, 0.999, eps 1e-8 outside the root) after coupled L2.

  Args:
    learning_rate: At the start.
    weight_decay: See `coupled_l2`.
    decay_factor: See `step_decay`; None keeps the learning rate as it is.
    decay_every: See `step_decay`.
    decayed_positions: See `coupled_l2`.

  Returns:
    The transformation.
  """
  schedule: float | optax.Schedule = learning_rate
  if decay_factor is not None:
    schedule = step_decay(learning_rate, decay_factor, decay_every)
  return optax.chain(
    coupled_l2(weight_decay, decayed_positions),
    optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8),
    optax.scale_by_learning_rate(schedule),
  )
