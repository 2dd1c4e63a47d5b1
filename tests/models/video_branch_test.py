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


def test_without_cross_attention_all_else_is_the_same(x64):
  options = {"width": 12, "attention_width": 6, "classifier_width": 4}
  rng = np.random.default_rng(0)
  normal, anomalous = jnp.asarray(rng.random((2, 3, 10, 12)))
  lengths = jnp.array([10, 7, 4]), jnp.array([6, 9, 10])
  with_, without = (
    video_branch(jnp.float64, jnp.float64, cross_attention=cross, **options)
    for cross in (True, False)
  )
  params = without.init(jax.random.key(0), normal, anomalous, *lengths)
  whole = with_.apply(params, normal, anomalous, *lengths)
  found = without.apply(params, normal, anomalous, *lengths)
  assert found.cross_attention is None and found.cross_fused is None
  for name, value in found._asdict().items():
    if not name.startswith("cross"):
      np.testing.assert_array_equal(value, getattr(whole, name))


def test_attention_and_fusion_by_hand(x64):
  """The cross attention is of normal queries on anomalous keys."""
  model = video_branch(
    jnp.float64, jnp.float64, width=12, attention_width=6, classifier_width=4
  )
  rng = np.random.default_rng(0)
  normal, anomalous = jnp.asarray(rng.random((2, 3, 10, 12)))
  lengths = jnp.array([10, 7, 4]), jnp.array([6, 9, 10])
  params = model.init(jax.random.key(0), normal, anomalous, *lengths)
  out = model.apply(params, normal, anomalous, *lengths)
  (q, anomalous_q), (normal_k, k), (normal_v, v) = (
    [x @ own["kernel"] + own["bias"] for x in (normal, anomalous)]
    for own in (params["params"][name] for name in ("query", "key", "value"))
  )
  valid, anomalous_valid = (np.arange(10) < n[:, None] for n in lengths)

  def attention(query, key, valid):
    weights = np.exp((query * key).sum(-1) / np.sqrt(6)) * valid
    return weights / weights.sum(-1, keepdims=True)

  def fused(attention, value):
    return (attention[..., None] * value).sum(1)

  own = attention(anomalous_q, k, anomalous_valid)
  cross = attention(q, k, valid & anomalous_valid)
  for found, expected in (
    (out.anomalous_attention, own),
    (out.cross_attention, cross),
    (out.normal_fused, fused(attention(q, normal_k, valid), normal_v)),
    (out.cross_fused, fused(cross, v)),
    (out.anomalous_fused, fused(own, v)),
  ):
    np.testing.assert_allclose(found, expected, atol=1e-12)


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
