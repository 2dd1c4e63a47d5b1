"""Layers of both branches: values, gradients and dropout, against numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from adplg_jax.models import layers


def test_layer_norm_is_pytorchs(x64):
  """Two passes and an epsilon of 1e-5; values and gradients."""
  norm = layers.LayerNorm(dtype=jnp.float64, param_dtype=jnp.float64)
  x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 8)) * 1e-2)
  params = {"params": {"scale": jnp.arange(1.0, 9), "bias": jnp.ones(8)}}
  apply = jax.jit(norm.apply)

  def by_hand(x):
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return centred / jnp.sqrt(variance + 1e-5) * jnp.arange(1.0, 9) + 1

  np.testing.assert_allclose(apply(params, x), by_hand(x), rtol=1e-13)
  found, want = (
    jax.grad(lambda x, f=f: (f(x) ** 2).sum())(x)
    for f in (lambda x: norm.apply(params, x), by_hand)
  )
  np.testing.assert_allclose(found, want, rtol=1e-9)


def test_layer_norm_far_from_zero_does_not_cancel():
  """The mean of squares less the squared mean would lose all digits."""
  norm = layers.LayerNorm()
  x = 1e4 + jnp.array([[0.0, 1, 2, 3]])
  params = norm.init(jax.random.key(0), x)
  want = (np.arange(4) - 1.5) / np.sqrt(1.25)
  np.testing.assert_allclose(norm.apply(params, x)[0], want, atol=1e-3)


def test_a_linear_map_is_an_affine_map(x64):
  x = np.random.default_rng(0).random((3, 5))
  dense = layers.linear(5, 2, dtype=jnp.float64, param_dtype=jnp.float64)
  params = dense.init(jax.random.key(0), x)
  own = params["params"]
  want = x @ own["kernel"] + own["bias"]
  np.testing.assert_allclose(dense.apply(params, x), want, rtol=1e-13)
  for leaf in jax.tree.leaves(own):
    assert np.abs(leaf).max() <= 5**-0.5


@pytest.mark.parametrize(
  ("init", "bound", "deviation"),
  [
    (layers.FAN_IN_UNIFORM, 300**-0.5, 900**-0.5),
    (layers.bias_init(300), 300**-0.5, 900**-0.5),
    (layers.XAVIER_NORMAL, np.inf, (2 / 400) ** 0.5),
  ],
  ids=["weights", "bias", "classifier"],
)
def test_initial_distributions(init, bound, deviation):
  x = np.asarray(init(jax.random.key(0), (300, 100)))
  assert np.abs(x).max() <= bound
  assert abs(x.std() / deviation - 1) < 5 / np.sqrt(x.size)
  assert abs(x.mean()) < 5 * deviation / np.sqrt(x.size)
  if bound == np.inf:  # not cut off at two deviations
    assert np.abs(x).max() > 3 * deviation


def classifier(dropout):
  model = layers.Classifier(4, dropout)
  x = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
  x = jnp.asarray(x)
  return model, model.init(jax.random.key(0), x, train=False), x


def test_the_classifier_is_two_maps_with_a_relu_between():
  model, params, x = classifier(0.5)
  hidden, score = (params["params"][name] for name in ("hidden", "score"))
  want = np.maximum(x @ hidden["kernel"] + hidden["bias"], 0)
  want = (want @ score["kernel"] + score["bias"])[:, 0]
  found = jax.jit(model.apply, static_argnames="train")(params, x, train=False)
  np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


def test_the_classifier_drops_in_training_alone():
  model, params, x = classifier(0.5)
  keys = {"dropout": jax.random.key(1)}
  whole = model.apply(params, x, train=False)
  assert not np.allclose(model.apply(params, x, train=True, rngs=keys), whole)
  model, params, x = classifier(0.0)
  same = model.apply(params, x, train=True, rngs=keys)
  np.testing.assert_array_equal(same, model.apply(params, x, train=False))


@pytest.mark.parametrize(
  ("dtype", "logits"),
  [(jnp.bfloat16, jnp.float32), (jnp.float32, jnp.float32)],
)
def test_logits_are_float32_or_better(dtype, logits):
  model = layers.Classifier(4, 0.0, dtype=dtype)
  x = jnp.ones((2, 3))
  params = model.init(jax.random.key(0), x, train=False)
  assert model.apply(params, x, train=False).dtype == logits
  assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {
    np.dtype(np.float32)
  }


def test_gelu_is_the_exact_one(x64):
  x = np.linspace(-9, 9, 2001)
  want = x * scipy.stats.norm.cdf(x)
  np.testing.assert_allclose(layers.gelu(jnp.asarray(x)), want, atol=1e-15)
  found = jax.vmap(jax.grad(layers.gelu))(jnp.asarray(x))
  slope = scipy.stats.norm.cdf(x) + x * scipy.stats.norm.pdf(x)
  np.testing.assert_allclose(found, slope, atol=1e-14)


@pytest.mark.parametrize("rate", [0.5, 0.7])
def test_dropout_drops_its_share_and_scales_the_rest(rate):
  x = np.arange(1, 60_001, dtype=np.float32).reshape(20, 60, 50)
  model = layers.Dropout(rate)
  y = model.apply(
    {}, jnp.asarray(x), deterministic=False, rngs={"dropout": jax.random.key(0)}
  )
  kept = np.asarray(y) != 0
  np.testing.assert_allclose(y[kept], x[kept] / (1 - rate), rtol=1e-6)
  # Of each place on each axis, and of neighbours together.
  for axis in range(3):
    others = tuple({0, 1, 2} - {axis})
    share = kept.mean(axis=others)
    count = kept.size / kept.shape[axis]
    assert np.abs(share - (1 - rate)).max() < 5 * (count**-0.5) / 2
  both = (kept[..., 1:] & kept[..., :-1]).mean()
  assert abs(both - (1 - rate) ** 2) < 0.02


def test_dropout_of_nothing_and_of_all():
  x = jnp.ones((2, 3))
  keys = {"dropout": jax.random.key(0)}
  apply = layers.Dropout(0.5).apply
  np.testing.assert_array_equal(apply({}, x, deterministic=True), x)
  for rate, want in ((0.0, 1), (1.0, 0)):
    found = layers.Dropout(rate).apply({}, x, deterministic=False, rngs=keys)
    np.testing.assert_array_equal(found, want)


def test_random_bits_are_of_every_word():
  bits = np.asarray(layers.random_bits(jax.random.key(3), (500, 70)))
  assert bits.shape == (500, 70)
  assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.12
  # No two columns are the same bit.
  correlation = np.corrcoef(bits.T)
  assert np.abs(correlation - np.eye(70)).max() < 0.25


def product_and_gradients(function, shape):
  x, kernel, slope = (
    jax.random.normal(jax.random.key(i), s)
    for i, s in enumerate([shape, (shape[-1], 3), (*shape[:-1], 3)])
  )
  y, backward = jax.vjp(function, x, kernel)
  return y, *backward(slope)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 5, 4)])
def test_a_product_is_the_matrix_product(x64, shape):
  found = product_and_gradients(layers.product, shape)
  want = product_and_gradients(lambda x, kernel: x @ kernel, shape)
  for one, other in zip(found, want, strict=True):
    assert one.shape == other.shape
    np.testing.assert_allclose(one, other, atol=1e-14)


def test_products_of_rows_are_of_the_compute_type():
  x, kernel = jnp.ones((2, 3, 4), jnp.bfloat16), jnp.ones((4, 5), jnp.bfloat16)
  y, backward = jax.vjp(layers.product, x, kernel)
  assert [z.dtype for z in (y, *backward(y))] == [jnp.bfloat16] * 3


def test_gradients_of_a_linear_map_transpose_nothing():
  layer = layers.linear(4, 5)
  x = jnp.ones((2, 3, 4))
  params = layer.init(jax.random.key(0), x)

  def loss(params, x):
    return (layer.apply(params, x) ** 2).sum()

  gradient = jax.jit(jax.grad(loss, argnums=(0, 1)))
  assert "stablehlo.transpose" not in gradient.lower(params, x).as_text()


def test_the_same_rows_are_added_to_every_video(x64):
  x, rows, slope = (
    jax.random.normal(jax.random.key(i), shape)
    for i, shape in enumerate([(3, 4, 5), (4, 5), (3, 4, 5)])
  )
  y, backward = jax.vjp(layers.add_rows, x, rows)
  np.testing.assert_array_equal(y, x + rows)
  found = backward(slope)
  np.testing.assert_array_equal(found[0], slope)
  np.testing.assert_allclose(found[1], slope.sum(0), atol=1e-14)
