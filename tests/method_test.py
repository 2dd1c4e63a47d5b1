"""What a configuration makes of models, optimisers and settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax import method as method_lib
from adplg_jax.configs import base


def make(config):
  return method_lib.from_config(config, feature_width=6, num_keys=5)


def first_update(optimizer, gradient, value=0.0):
  """Of parameters that include one position table of 100 rows."""
  params = {"local_2": {"position": jnp.full((100, 1), value)}}
  gradients = jax.tree.map(lambda x: jnp.full_like(x, gradient), params)
  updates, _ = optimizer.update(gradients, optimizer.init(params), params)
  return np.asarray(updates["local_2"]["position"])[:, 0]


def test_each_branch_has_its_own_learning_rate_and_decay(x64):
  config = base.get_config()
  config.video.optimizer.update(learning_rate=0.25, weight_decay=0.0)
  config.snippet.optimizer.update(learning_rate=0.5, weight_decay=2.0)
  method = make(config)
  # Adam's first update is the rate times the sign of gradient + L2.
  for value, video, snippet in ((0.0, -0.25, -0.5), (-1.0, -0.25, 0.5)):
    found = first_update(method.video_optimizer, 1.0, value)
    np.testing.assert_allclose(found, video, rtol=1e-6)
    found = first_update(method.snippet_optimizer, 1.0, value)
    np.testing.assert_allclose(found, snippet, rtol=1e-6)


@pytest.mark.parametrize("decay", [True, False])
def test_unseen_positions_decay_by_their_switch(decay):
  config = base.get_config()
  config.switches.decay_unseen_positions = decay
  moved = first_update(make(config).snippet_optimizer, 0.0, 1.0) != 0
  assert moved[: config.num_segments].all()
  assert (moved[config.num_segments :] == decay).all()


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("shift", [True, False])
def test_switches_reach_the_local_attention(mask, shift):
  config = base.get_config()
  config.switches.mask_padded_keys = mask
  config.switches.rotary_query_shift = shift
  branch = make(config).snippet_branch
  assert (branch.mask_padded_keys, branch.rotary_query_shift) == (mask, shift)


@pytest.mark.parametrize(
  ("precision", "dtype", "param_dtype"),
  [
    ("float32", jnp.float32, jnp.float32),
    ("bfloat16", jnp.bfloat16, jnp.float32),
    ("float64", jnp.float64, jnp.float64),
  ],
)
def test_parameters_are_float32_or_better(precision, dtype, param_dtype):
  config = base.get_config()
  config.precision = precision
  method = make(config)
  for branch in (method.video_branch, method.snippet_branch):
    assert (branch.dtype, branch.param_dtype) == (dtype, param_dtype)


def test_settings_are_the_configurations():
  config = base.get_config()
  config.warm_up_steps, config.num_segments = 7, 9
  config.pseudo_labels.mean_threshold = 0.125
  config.loss_weights.sparsity = 3.0
  method = make(config)
  assert (method.warm_up_steps, method.num_segments) == (7, 9)
  assert (method.feature_width, method.num_keys) == (6, 5)
  assert method.pseudo_labels.mean_threshold == 0.125
  assert method.loss_weights["sparsity"] == 3.0
  assert method.switches.to_dict() == config.switches.to_dict()
