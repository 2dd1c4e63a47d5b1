import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax import losses


def random(*shape, seed=0):
  return jnp.asarray(np.random.default_rng(seed).random(shape))


def test_binary_cross_entropy_value_and_gradient(x64):
  s = jnp.array([0.3, 0.9, 1.0, 0.0, 1.0])
  y = jnp.array([1.0, 0.25, 0.0, 1.0, 1.0])
  expected = [
    -np.log(0.3),
    -(0.25 * np.log(0.9) + 0.75 * np.log(0.1)),
    100,
    100,
    0,
  ]
  np.testing.assert_allclose(losses.binary_cross_entropy(s, y), expected)
  slope = jax.vmap(jax.grad(losses.binary_cross_entropy))(s, y)
  np.testing.assert_allclose(slope, [-0.7 / 0.21, 0.65 / 0.09, 1e12, -1e12, 0])


@pytest.mark.parametrize(
  ("logit", "slope"), [(-27.0, -1.0), (-30.0, None), (40.0, 0.0)]
)
def test_saturated_snippets_learn_little(x64, logit, slope):
  label = jnp.asarray(0.0 if logit > 0 else 1.0)

  def loss(z, bce):
    return losses.logit_cross_entropy(z, label, bce=bce)

  found = jax.grad(loss)(jnp.asarray(logit), "probabilities")
  if slope is None:  # s (1 - s) / 1e-12 of the way
    slope = -np.exp(logit) / 1e-12
  np.testing.assert_allclose(found, slope, rtol=1e-6)
  stable = jax.grad(loss)(jnp.asarray(logit), "logits")
  np.testing.assert_allclose(abs(stable), 1, rtol=1e-6)


def test_both_cross_entropies_agree_where_neither_saturates(x64):
  z = jnp.linspace(-8, 8, 33)
  y = random(33)
  both = [
    losses.logit_cross_entropy(z, y, bce=bce)
    for bce in ("probabilities", "logits")
  ]
  np.testing.assert_allclose(*both, rtol=1e-9)


def test_video_classification(x64):
  normal, anomalous = jnp.array([0.5, -1.0]), jnp.array([2.0, 0.1])
  expected = np.mean([np.log1p(np.exp(z)) for z in (0.5, -1.0, -2.0, -0.1)])
  for bce in ("probabilities", "logits"):
    found = losses.video_classification(normal, anomalous, bce=bce)
    np.testing.assert_allclose(found, expected)


def test_separation(x64):
  normal, cross, anomalous = (random(4, 6, seed=i) for i in range(3))
  near = np.linalg.norm(normal - cross + 1e-6, axis=1)
  far = np.linalg.norm(normal - anomalous + 1e-6, axis=1)
  for margin in (1.0, 0.05):
    np.testing.assert_allclose(
      losses.separation(normal, cross, anomalous, margin=margin),
      np.maximum(near - far + margin, 0).mean(),
    )
  gradient = jax.grad(losses.separation)(normal, normal - 1e-6 + 1e-6, normal)
  assert np.isfinite(gradient).all()


def test_dissimilarity(x64):
  a, b = random(3, 5), random(3, 5, seed=1)
  norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
  np.testing.assert_allclose(
    losses.dissimilarity(a, b), ((a * b).sum(1) / norms).mean()
  )
  zero = jnp.zeros((2, 5))
  gradient = jax.grad(losses.dissimilarity)(zero, random(2, 5))
  assert np.isfinite(gradient).all()


@pytest.mark.parametrize("axis", ["batch", "time"])
def test_smoothness(x64, axis):
  a = random(4, 6)
  steps = a[1:] - a[:-1] if axis == "batch" else a[:, 1:] - a[:, :-1]
  every = jnp.ones(a.shape, bool)
  np.testing.assert_allclose(
    losses.smoothness(a, every, axis=axis), (steps**2).sum()
  )
  np.testing.assert_allclose(
    losses.smoothness(a[:1], every[:1], axis="batch"),
    0,
    err_msg="one video has no neighbour",
  )


@pytest.mark.parametrize("axis", ["batch", "time"])
def test_padding_is_no_neighbour(x64, axis):
  """Constant attention on 3 and 5 of 6 snippets is as smooth as can be."""
  valid = jnp.arange(6) < jnp.array([3, 5])[:, None]
  constant = jnp.where(valid, 0.2, 0.0)
  assert losses.smoothness(constant, valid, axis=axis) == 0
  assert losses.smoothness(constant, jnp.ones((2, 6), bool), axis=axis) > 0.03
  # Sparsity is a mean over the snippets that any video has.
  want = (3 * np.sqrt(2) * 0.2 + 2 * 0.2) / 5
  np.testing.assert_allclose(losses.sparsity(constant, valid), want)


def test_sparsity(x64):
  a = random(4, 6)
  np.testing.assert_allclose(
    losses.sparsity(a, jnp.ones(a.shape, bool)),
    np.linalg.norm(a, axis=0).mean(),
  )
  gradient = jax.grad(losses.sparsity)(
    jnp.zeros((2, 3)), jnp.ones((2, 3), bool)
  )
  np.testing.assert_array_equal(gradient, 0)


def test_snippet_classification_leaves_out_what_must_not_count(x64):
  logits = jnp.array([[0.3, -1.0, 50.0, 2.0]])
  labels = jnp.array([[1.0, 0.0, 1.0, 0.0]])
  ignored = jnp.array([[False, False, False, True]])
  counted = [np.log1p(np.exp(-0.3)), np.log1p(np.exp(-1.0))]
  run = functools.partial(losses.snippet_classification, bce="probabilities")
  dropped = run(logits, labels, ignored, drop_zero_losses=True)
  np.testing.assert_allclose(dropped, np.mean(counted))
  kept = run(logits, labels, ignored, drop_zero_losses=False)
  np.testing.assert_allclose(kept, np.sum(counted) / 3)


def test_snippet_classification_of_nothing_is_zero_with_zero_gradient():
  logits = jnp.array([[0.3, -1.0]])
  loss = functools.partial(
    losses.snippet_classification, bce="probabilities", drop_zero_losses=True
  )
  value, gradient = jax.value_and_grad(loss)(
    logits, jnp.ones((1, 2)), jnp.ones((1, 2), bool)
  )
  assert value == 0
  np.testing.assert_array_equal(gradient, 0)
