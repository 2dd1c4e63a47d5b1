"""Branches and their initial parameters, for the tests of models."""

import jax
import jax.numpy as jnp
import numpy as np

from adplg_jax.configs import base
from adplg_jax.models.snippet_branch import SnippetBranch
from adplg_jax.models.video_branch import VideoBranch

# Official sizes but for these.
SMALL = {
  "width": 32,
  "local_heads": 2,
  "local_head_width": 8,
  "global_heads": 2,
  "global_head_width": 8,
  "feed_forward_width": 24,
  "max_snippets": 400,
}


def snippet_branch(dtype=jnp.float32, param_dtype=jnp.float32, **changes):
  sizes = {**base.get_config().snippet.model, **SMALL}
  switches = {"mask_padded_keys": False, "rotary_query_shift": True}
  types = {"dtype": dtype, "param_dtype": param_dtype}
  return SnippetBranch(**{**sizes, **switches, **types, **changes})


def video_branch(dtype=jnp.float32, param_dtype=jnp.float32, **changes):
  sizes = {**base.get_config().video.model, **changes}
  return VideoBranch(**sizes, dtype=dtype, param_dtype=param_dtype)


def leaves_by_path(params):
  return {
    jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
  }


def expected_distribution(path, shape, in_width):
  """("uniform", bound) | ("normal", deviation) | ("constant", value)."""
  name = path.rsplit("/", 1)[-1]
  if name == "scale" or (name == "bias" and "norm" in path):
    return "constant", 1.0 if name == "scale" else 0.0
  if name == "position":
    return "normal", 1.0
  if "classifier" in path and name == "kernel":
    return "normal", np.sqrt(2 / sum(shape))
  return "uniform", in_width**-0.5


def check_initial_distributions(params):
  """Moments within five standard errors, and bounds nearly reached."""
  params = leaves_by_path(params)
  for path, leaf in params.items():
    parent = path.rsplit("/", 1)[0]
    kernel = params.get(f"{parent}/kernel", leaf)
    fan_in = int(np.prod(kernel.shape[:-1]))
    kind, scale = expected_distribution(path, leaf.shape, fan_in)
    if kind == "constant":
      np.testing.assert_array_equal(leaf, scale, err_msg=path)
      continue
    deviation = scale / np.sqrt(3) if kind == "uniform" else scale
    error = 5 / np.sqrt(leaf.size)
    assert abs(leaf.mean()) <= deviation * error, path
    assert abs(leaf.std() / deviation - 1) <= error, path
    if kind == "uniform":
      assert np.abs(leaf).max() <= scale, path
      assert np.abs(leaf).max() >= scale * (1 - 10 / leaf.size), path
    elif leaf.size > 1000:
      assert np.abs(leaf).max() > 2.5 * scale, path


def size(shapes):
  """Number of parameters."""
  return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))
