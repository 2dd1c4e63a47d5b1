"""Both branches: padding, initial distributions, compute types, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.configs import base
from adplg_jax.models.snippet_branch import SnippetBranch
from adplg_jax.models.video_branch import VideoBranch

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


@pytest.mark.parametrize(
  ("dtype", "tolerance", "width"),
  [(jnp.float64, 1e-12, 32), (jnp.float32, 1e-5, 20)],
)
def test_padding_never_changes_a_score(x64, dtype, tolerance, width):
  model = snippet_branch(dtype, dtype)
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.random((1, 333, width)), dtype)
  params = jax.jit(model.init)(jax.random.key(0), x[:, :9], jnp.array([9]))
  apply = jax.jit(model.apply)
  for t in (1, 7, 64, 129, 300):
    bare = apply(params, x[:, :t], jnp.array([t]))
    for total in (t + 1, 333):
      junk = jnp.full((1, total - t, width), 7, dtype)
      padded = apply(
        params, jnp.concatenate([x[:, :t], junk], 1), jnp.array([t])
      )
      np.testing.assert_allclose(padded[:, :t], bare, atol=tolerance)


def test_scores_know_all_snippets_and_the_length():
  model = snippet_branch()
  x = jnp.asarray(np.random.default_rng(0).random((1, 40, 32)), jnp.float32)
  params = jax.jit(model.init)(jax.random.key(0), x, jnp.array([40]))
  whole = model.apply(params, x, jnp.array([40]))
  shorter = model.apply(params, x, jnp.array([39]))
  assert np.abs(whole - shorter)[0, 0] > 1e-6


def test_a_video_longer_than_the_table_is_refused():
  model = snippet_branch(max_snippets=8)
  x = jnp.zeros((1, 9, 32))
  with pytest.raises(ValueError, match=r"9 snippets are more than the 8 rows"):
    model.init(jax.random.key(0), x, jnp.array([9]))


def test_video_branch_masks_padding(x64):
  model = video_branch(
    jnp.float64, jnp.float64, width=12, attention_width=6, classifier_width=4
  )
  rng = np.random.default_rng(0)
  normal, anomalous = jnp.asarray(rng.random((2, 3, 10, 12)))
  lengths = jnp.array([10, 10, 10])
  params = model.init(jax.random.key(0), normal, anomalous, lengths, lengths)
  short = jnp.array([7, 7, 7])
  bare = model.apply(params, normal[:, :7], anomalous[:, :7], short, short)
  padded = model.apply(params, normal, anomalous, short, short)
  for name, value in bare._asdict().items():
    found = getattr(padded, name)
    if name.endswith("attention"):
      np.testing.assert_array_equal(found[:, 7:], 0)
      found = found[:, :7]
    np.testing.assert_allclose(found, value, atol=1e-14, err_msg=name)


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


@pytest.mark.parametrize("branch", ["video", "snippet"])
def test_initial_distributions_are_the_programs(branch):
  """Moments within five standard errors, and bounds nearly reached."""
  x = jnp.zeros((1, 4, 200))
  n = jnp.array([4])
  key = jax.random.key(3)
  if branch == "video":
    model = video_branch(width=256, attention_width=128)
    params = leaves_by_path(model.init(key, x, x, n, n)["params"])
  else:
    model = snippet_branch(width=256)
    params = leaves_by_path(jax.jit(model.init)(key, x, n)["params"])
  assert len(params) == (12 if branch == "video" else 62)
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


def test_bfloat16_stays_near_float32():
  model, half = snippet_branch(), snippet_branch(jnp.bfloat16)
  x = jnp.asarray(np.random.default_rng(0).random((2, 50, 32)), jnp.float32)
  n = jnp.array([50, 31])
  params = jax.jit(model.init)(jax.random.key(0), x, n)
  scores, rough = (
    jax.nn.sigmoid(jax.jit(m.apply)(params, x, n)) for m in (model, half)
  )
  assert rough.dtype == jnp.float32
  assert 0 < np.abs(scores - rough).max() < 2e-2


def test_official_sizes():
  x = jax.ShapeDtypeStruct((1, 64, 1024), jnp.float32)
  n = jax.ShapeDtypeStruct((1,), jnp.int32)
  key = jax.random.key(0)

  def size(shapes):
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))

  assert size(jax.eval_shape(video_branch().init, key, x, x, n, n)) == 1_590_849
  # 87 483 457 in the program, less what never gets a gradient: four token
  # tables 256 x 1024, and the feed-forwards that are never called.
  # and one layer norm.
  unused = 4 * (256 * 1024 + 2 * 1024 + 5460 * 1024 + 1024 * 2730) + 2 * 1024
  switches = {"mask_padded_keys": False, "rotary_query_shift": True}
  full = SnippetBranch(**base.get_config().snippet.model, **switches)
  found = size(jax.eval_shape(full.init, key, x, n))
  assert found + unused == 87_483_457
