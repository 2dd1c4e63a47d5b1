import jax
import jax.numpy as jnp
import numpy as np
import optax

from adplg_jax import optimizer


def plain_adam(p, gradients, rate, decay):
  m = v = np.zeros_like(p)
  for t, g in enumerate(gradients, 1):
    g = g + decay * p
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    p = p - rate(t - 1) * m_hat / (np.sqrt(v_hat) + 1e-8)
  return p


def run(transformation, p, gradients):
  state = transformation.init(p)
  for g in gradients:
    updates, state = transformation.update(g, state, p)
    p = optax.apply_updates(p, updates)
  return p


def test_adam_with_coupled_l2_and_step_decay(x64):
  rng = np.random.default_rng(0)
  p, gradients = rng.normal(size=7), rng.normal(size=(12, 7))
  found = run(
    optimizer.adam_with_l2(0.1, 0.3, 0.5, 4), jnp.asarray(p), list(gradients)
  )
  expected = plain_adam(p, gradients, lambda t: 0.1 * 0.5 ** (t // 4), 0.3)
  np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_schedule_is_computed_in_float64(x64):
  rate = jax.jit(optimizer.step_decay(1e-3, 0.9, 4000))(jnp.array(8000))
  assert rate.dtype == jnp.float64
  np.testing.assert_allclose(rate, 1e-3 * 0.9**2, rtol=1e-15)


def test_unseen_positions_decay_only_officially():
  params = {
    "local_2": {"position": jnp.ones((6, 3)), "norm": {"scale": jnp.ones(3)}}
  }
  zero = [jax.tree.map(jnp.zeros_like, params)] * 3
  official = run(optimizer.adam_with_l2(0.1, 0.005), params, zero)
  fixed = run(
    optimizer.adam_with_l2(0.1, 0.005, decayed_positions=4), params, zero
  )
  assert (official["local_2"]["position"] < 0.8).all()
  assert (fixed["local_2"]["position"][:4] < 0.8).all()
  np.testing.assert_array_equal(fixed["local_2"]["position"][4:], 1)
  assert (fixed["local_2"]["norm"]["scale"] < 0.8).all()


def test_the_rate_that_is_told_is_the_schedules():
  decay = {"learning_rate": 0.1, "decay_factor": 0.5, "decay_every": 4}
  schedule = optimizer.step_decay(0.1, 0.5, 4)
  for update in range(10):
    told = optimizer.learning_rate_at(update, **decay)
    np.testing.assert_allclose(told, schedule(jnp.array(update)), rtol=1e-6)
  assert optimizer.learning_rate_at(7, learning_rate=0.1) == 0.1
