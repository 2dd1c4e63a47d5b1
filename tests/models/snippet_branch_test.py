"""Snippet branch: padding, initial distributions, types, sizes, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.configs import base
from adplg_jax.models.snippet_branch import SnippetBranch
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


def test_a_video_longer_than_the_table_is_refused():
  model = snippet_branch(max_snippets=8)
  x = jnp.zeros((1, 9, 32))
  with pytest.raises(ValueError, match=r"9 snippets are more than the 8 rows"):
    model.init(jax.random.key(0), x, jnp.array([9]))


def test_windows_that_do_not_divide_the_width_are_refused():
  model = snippet_branch(windows=(2, 4, 6))
  with pytest.raises(ValueError, match=r"width 32 must be a multiple of .* 3"):
    model.init(jax.random.key(0), jnp.zeros((1, 9, 32)), jnp.array([9]))


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
