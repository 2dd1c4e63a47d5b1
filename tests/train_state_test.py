"""The state before the first step."""

import jax
import numpy as np

from adplg_jax import method as method_lib
from adplg_jax import train_state
from tests.train_step_test import WIDTH, initial, small_config, small_method


def test_it_is_a_function_of_the_seed(x64):
  method = small_method()
  one, other = initial(method), initial(method, seed=1)
  again = jax.jit(lambda: train_state.init_state(method, 0))()
  jax.tree.map(np.testing.assert_array_equal, one, again)
  for branch in ("video", "snippet"):
    params, others = (getattr(s, branch).params for s in (one, other))
    kernels = (p["classifier"]["hidden"]["kernel"] for p in (params, others))
    assert not np.array_equal(*kernels)


def test_branches_are_drawn_from_keys_of_their_own(x64):
  """Their classifiers would be alike otherwise, where widths are."""
  config = small_config()
  config.video.model.attention_width = config.snippet.model.width
  method = method_lib.from_config(config, feature_width=WIDTH, num_keys=5)
  state = jax.jit(lambda: train_state.init_state(method, 0))()
  video, snippet = (
    branch.params["classifier"]["hidden"]["kernel"]
    for branch in (state.video, state.snippet)
  )
  assert video.shape == snippet.shape
  assert not np.array_equal(video, snippet)


def test_it_is_at_step_0_with_an_empty_memory(x64):
  state = initial(small_method())
  assert (state.step.shape, state.step.dtype, int(state.step)) == ((), "i4", 0)
  assert not np.any(state.memory.count)
  assert state.memory.count.shape == (5,)
  for branch in (state.video, state.snippet):
    moments = [x for x in jax.tree.leaves(branch.opt_state) if x.ndim]
    assert len(moments) == 2 * len(jax.tree.leaves(branch.params))
    assert not any(np.any(x) for x in moments)


def test_parameters_and_memory_have_the_parameters_type(x64):
  state = jax.eval_shape(lambda: train_state.init_state(small_method(), 0))
  floats = [
    x.dtype for x in jax.tree.leaves(state) if np.issubdtype(x.dtype, float)
  ]
  assert set(floats) == {np.dtype("float64")}
  config = small_config()
  config.precision = "bfloat16"
  method = method_lib.from_config(config, feature_width=WIDTH, num_keys=5)
  state = jax.eval_shape(lambda: train_state.init_state(method, 0))
  params = jax.tree.leaves((state.video.params, state.snippet.params))
  assert {x.dtype for x in params} == {np.dtype("float32")}


def test_features_of_another_width_are_projected(x64):
  config = small_config()
  method = method_lib.from_config(config, feature_width=20, num_keys=5)
  state = jax.eval_shape(lambda: train_state.init_state(method, 0))
  for branch, width in ((state.video, WIDTH), (state.snippet, 16)):
    assert branch.params["input"]["kernel"].shape == (20, width)
