"""Snippet branch: padding, values, distributions, types, sizes, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.configs import base
from adplg_jax.models import attention
from adplg_jax.models.snippet_branch import (
  GlobalBlock,
  LocalBlock,
  SnippetBranch,
  TemporalConvolution,
)
from tests.models.branches import (
  check_initial_distributions,
  size,
  snippet_branch,
)


@pytest.mark.parametrize(
  ("dtype", "tolerance", "width", "lengths"),
  [
    (jnp.float64, 1e-12, 32, (1, 64, 129)),
    (jnp.float32, 1e-5, 20, (7, 129)),
  ],
)
def test_padding_never_changes_a_score(x64, dtype, tolerance, width, lengths):
  model = snippet_branch(dtype, dtype)
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.random((1, 333, width)), dtype)
  params = jax.jit(model.init)(jax.random.key(0), x[:, :9], jnp.array([9]))
  apply = jax.jit(model.apply)
  for t in lengths:
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
  apply = jax.jit(model.apply)
  whole = apply(params, x, jnp.array([40]))
  shorter = apply(params, x, jnp.array([39]))
  assert np.abs(whole - shorter)[0, 0] > 1e-6


def test_each_dropout_rate_has_its_place():
  """At a rate of 1 the blocks add nothing, and a logit is the last bias."""
  model = snippet_branch()
  x, n = jnp.ones((1, 5, 32)), jnp.array([5])
  params = jax.jit(model.init)(jax.random.key(0), x, n)

  def logits(train=True, **changes):
    apply = functools.partial(snippet_branch(**changes).apply, train=train)
    return jax.jit(apply)(params, x, n, rngs={"dropout": jax.random.key(1)})

  np.testing.assert_allclose(
    logits(dropout=0.0, block_dropout=1.0),
    logits(train=False, num_blocks=0),
    rtol=1e-5,
  )
  bias = params["params"]["classifier"]["score"]["bias"][0]
  np.testing.assert_array_equal(logits(dropout=1.0, block_dropout=0.0), bias)


def random_features():
  return jnp.asarray(np.random.default_rng(0).normal(size=(2, 7, 6)))


def random_params(module, *arguments, **keywords):
  """Parameters of a module, none at 0 or 1 as some begin."""
  shapes = jax.eval_shape(
    functools.partial(module.init, **keywords), jax.random.key(0), *arguments
  )["params"]
  rng = np.random.default_rng(1)
  return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), shapes)


def affine(x, own):
  return x @ own["kernel"] + own.get("bias", 0)


def normed(x, own):
  x = x - x.mean(-1, keepdims=True)
  x = x / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
  return x * own["scale"] + own["bias"]


def heads(qkv):
  """Queries, keys, values of two heads."""
  return (x.reshape(*x.shape[:2], 2, -1) for x in np.split(qkv, 3, -1))


FLOAT64 = {"dtype": jnp.float64, "param_dtype": jnp.float64}


def test_a_local_block_by_hand(x64):
  """But for its attention, which has tests of its own."""
  x, n = random_features(), jnp.array([7, 5])
  switches = {"mask_padded_keys": False, "rotary_query_shift": True}
  block = LocalBlock(2, 2, 4, 3, max_snippets=9, **switches, **FLOAT64)
  own = random_params(block, x, n)
  y = x + own["position"][:7]
  qkv = affine(normed(y, own["norm"]), own["qkv"])
  z = attention.banded_attention(*heads(qkv), n, window=2, **switches)
  y = y + affine(z.reshape(2, 7, 8), own["out"])
  expected = affine(normed(y, own["output_norm"]), own["reduce"])
  found = block.apply({"params": own}, x, n)
  np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_global_block_by_hand(x64):
  """But for its attention, which has tests of its own."""
  x, n = random_features(), jnp.array([7, 5])
  block = GlobalBlock(2, 4, 5, dropout=0.5, **FLOAT64)
  own = random_params(block, x, n, train=False)
  qkv = affine(normed(x, own["attention_norm"]), own["qkv"])
  y = attention.full_attention(*heads(qkv), n).reshape(2, 7, 8)
  y = x + affine(y, own["out"])
  z = normed(y, own["feed_forward_norm"])
  z = affine(z, own["feed_forward_hidden"])
  z = z * (1 + jax.lax.erf(z / np.sqrt(2))) / 2
  expected = y + affine(z, own["feed_forward_out"])
  found = block.apply({"params": own}, x, n, train=False)
  np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_temporal_convolution_by_hand(x64):
  x = random_features()
  convolution = TemporalConvolution(4, **FLOAT64)
  own = random_params(convolution, x)
  padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
  taps = (padded[:, i : i + 7] @ own["kernel"][i] for i in range(3))
  found = convolution.apply({"params": own}, x)
  np.testing.assert_allclose(
    found, sum(taps) + own["bias"], rtol=1e-9, atol=1e-12
  )


def test_a_video_longer_than_the_table_is_refused():
  model = snippet_branch(max_snippets=8)
  x = jnp.zeros((1, 9, 32))
  with pytest.raises(ValueError, match=r"9 snippets are more than the 8 rows"):
    model.init(jax.random.key(0), x, jnp.array([9]))


@pytest.mark.parametrize(
  ("windows", "shares"),
  [((2, 4), (16, 16)), ((2, 6, 8), (11, 11, 10)), ((8,), (32,))],
)
def test_windows_share_the_width(windows, shares):
  model = snippet_branch(windows=windows)
  shapes = jax.eval_shape(
    model.init, jax.random.key(0), jnp.zeros((1, 9, 32)), jnp.array([9])
  )["params"]
  local = {name for name in shapes if name.startswith("local")}
  assert local == {f"local_{window}" for window in windows}
  for window, share in zip(windows, shares, strict=True):
    kernel = shapes[f"local_{window}"]["reduce"]["kernel"]
    assert kernel.shape == (32, share)
  assert shapes["classifier"]["hidden"]["kernel"].shape[0] == 32


def test_more_windows_than_channels_are_refused():
  model = snippet_branch(width=2, windows=(2, 4, 6))
  with pytest.raises(ValueError, match=r"width 2 must be at least .* 3"):
    model.init(jax.random.key(0), jnp.zeros((1, 9, 2)), jnp.array([9]))


def test_without_global_blocks_a_snippet_sees_its_windows_alone():
  """The convolution sees one snippet each way more than the widest."""
  features = np.random.default_rng(0).random((1, 40, 32), np.float32)
  changed = features.copy()
  changed[:, 30] = 0
  reach = {}
  for blocks in (0, 1):
    model = snippet_branch(windows=(2, 4), num_blocks=blocks)
    n = jnp.array([40])
    params = jax.jit(model.init)(jax.random.key(0), features, n)
    assert ("block_0" in params["params"]) == bool(blocks)
    apply = jax.jit(model.apply)
    differs = apply(params, features, n) != apply(params, changed, n)
    reach[blocks] = np.flatnonzero(differs[0]).min()
  assert reach == {0: 25, 1: 0}


def test_initial_distributions_are_the_programs():
  model = snippet_branch(width=256)
  x, n = jnp.zeros((1, 4, 200)), jnp.array([4])
  params = jax.jit(model.init)(jax.random.key(3), x, n)["params"]
  assert len(jax.tree.leaves(params)) == 62
  check_initial_distributions(params)


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


def test_official_size():
  # 87 483 457 in the authors' program, less what never gets a gradient: four
  # token tables 256 x 1024, the feed-forwards that are never called, and one
  # layer norm.
  unused = 4 * (256 * 1024 + 2 * 1024 + 5460 * 1024 + 1024 * 2730) + 2 * 1024
  switches = {"mask_padded_keys": False, "rotary_query_shift": True}
  full = SnippetBranch(**base.get_config().snippet.model, **switches)
  x = jax.ShapeDtypeStruct((1, 64, 1024), jnp.float32)
  n = jax.ShapeDtypeStruct((1,), jnp.int32)
  found = size(jax.eval_shape(full.init, jax.random.key(0), x, n))
  assert found + unused == 87_483_457
