"""Video branch: padding, initial distributions, size."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.models.branches import (
  check_initial_distributions,
  size,
  video_branch,
)


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


def test_pairs_are_compared_by_the_normal_queries(x64):
  """The cross attention is of normal queries on anomalous keys."""
  model = video_branch(
    jnp.float64, jnp.float64, width=12, attention_width=6, classifier_width=4
  )
  rng = np.random.default_rng(0)
  normal, anomalous = jnp.asarray(rng.random((2, 3, 10, 12)))
  n = jnp.array([10, 10, 10])
  params = model.init(jax.random.key(0), normal, anomalous, n, n)
  out = model.apply(params, normal, anomalous, n, n)
  own = {k: v for k, v in params["params"].items() if k in ("query", "key")}
  query, key = (
    x @ own[name]["kernel"] + own[name]["bias"]
    for name, x in (("query", normal), ("key", anomalous))
  )
  similarity = (query * key).sum(-1) / np.sqrt(6)
  similarity = np.exp(similarity - similarity.max(-1, keepdims=True))
  want = similarity / similarity.sum(-1, keepdims=True)
  np.testing.assert_allclose(out.cross_attention, want, atol=1e-12)


def test_initial_distributions_are_the_programs():
  model = video_branch(width=256, attention_width=128)
  x, n = jnp.zeros((1, 4, 200)), jnp.array([4])
  params = model.init(jax.random.key(3), x, x, n, n)["params"]
  assert len(jax.tree.leaves(params)) == 12
  check_initial_distributions(params)


def test_official_size():
  x = jax.ShapeDtypeStruct((1, 64, 1024), jnp.float32)
  n = jax.ShapeDtypeStruct((1,), jnp.int32)
  shapes = jax.eval_shape(video_branch().init, jax.random.key(0), x, x, n, n)
  assert size(shapes) == 1_590_849
