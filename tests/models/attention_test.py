import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.models import attention

OFFICIAL = {"mask_padded_keys": False, "rotary_query_shift": True}
BANDED = jax.jit(
  functools.partial(attention.banded_attention, **OFFICIAL),
  static_argnames="window",
)
LENGTHS = (1, 2, 7, 37, 64, attention.DENSE, attention.DENSE + 1, 200, 333)


def naive_local(q, k, v, window, shift):
  """The banded form in NumPy, zero rows appended as the authors do."""
  t, heads, width = q.shape
  frequencies = attention.rotary_frequencies(width).astype(float)

  def turn(x, positions):
    angles = np.outer(positions, frequencies)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    a, b = np.split(x, 2, -1)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

  padded = -(-t // window) * window
  zeros = np.zeros((padded - t, heads, width))
  k, v = np.concatenate([k, zeros]), np.concatenate([v, zeros])
  q = turn(q * width**-0.5, np.arange(t) + shift)
  k = turn(k, np.arange(padded))
  logits = np.einsum("qhe,khe->hqk", q, k)
  seen = np.abs(np.arange(t)[:, None] - np.arange(padded)) <= window
  weights = np.where(seen, np.exp(logits), 0)
  weights /= weights.sum(-1, keepdims=True)
  return np.einsum("hqk,khe->qhe", weights, v)


def test_rotary_frequencies_are_torchs_to_the_bit():
  golden = np.load("tests/golden/rotary.npz")["inv_freq"]
  found = attention.rotary_frequencies(64)
  assert found.dtype == golden.dtype
  np.testing.assert_array_equal(found, golden)


@pytest.mark.parametrize(
  ("t", "window"),
  [(t, window) for t in LENGTHS for window in (2, 6)] + [(37, 8)],
)
def test_banded_attention_for_any_length_and_padding(x64, t, window):
  rng = np.random.default_rng(t)
  q, k, v = rng.normal(size=(3, t, 2, 8))
  expected = naive_local(q, k, v, window, shift=window)
  for padding in (0, 70):
    junk = rng.normal(size=(padding, 2, 8))
    parts = [np.concatenate([x, junk])[None] for x in (q, k, v)]
    found = BANDED(*map(jnp.asarray, parts), jnp.array([t]), window=window)
    np.testing.assert_allclose(found[0, :t], expected, atol=1e-13)
    assert np.isfinite(found).all()


def test_fixed_switches_change_what_they_say(x64):
  rng = np.random.default_rng(0)
  q, k, v = jnp.asarray(rng.normal(size=(3, 1, 5, 2, 8)))
  length = jnp.array([5])
  run = functools.partial(attention.banded_attention, **OFFICIAL)
  unshifted = run(q, k, v, length, window=4, rotary_query_shift=False)
  expected = naive_local(*(np.asarray(x[0]) for x in (q, k, v)), 4, shift=0)
  np.testing.assert_allclose(unshifted[0], expected, atol=1e-13)
  masked = run(q, k, v, length, window=4, mask_padded_keys=True)
  # A multiple of the window has no keys of zeros, so there both agree.
  np.testing.assert_allclose(
    run(q[:, :4], k[:, :4], v[:, :4], length - 1, window=4),
    run(
      q[:, :4], k[:, :4], v[:, :4], length - 1, window=4, mask_padded_keys=True
    ),
    atol=1e-14,
  )
  assert np.abs(masked - run(q, k, v, length, window=4)).max() > 1e-2


def test_full_attention_in_blocks_equals_one_product(x64, monkeypatch):
  rng = np.random.default_rng(0)
  q, k, v = jnp.asarray(rng.normal(size=(3, 2, 45, 2, 4)))
  lengths = jnp.array([45, 20])
  whole = attention.full_attention(q, k, v, lengths)
  logits = np.einsum("qhe,khe->hqk", q[1], k[1, :20]) / 2
  weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  expected = np.einsum("hqk,khe->qhe", weights, v[1, :20])
  np.testing.assert_allclose(whole[1], expected, atol=1e-13)
  monkeypatch.setattr(attention, "QUERY_BLOCK", 16)
  blocks = attention.full_attention(q, k, v, lengths)
  np.testing.assert_allclose(blocks, whole, atol=1e-14)


def test_diagonal_attention(x64):
  rng = np.random.default_rng(0)
  q, k = rng.normal(size=(2, 2, 6, 5))
  valid = np.ones((2, 6), bool)
  valid[1, 4:] = False
  scores = np.exp((q * k).sum(-1) / np.sqrt(5)) * valid
  expected = scores / scores.sum(-1, keepdims=True)
  found = attention.diagonal_attention(*map(jnp.asarray, (q, k, valid)))
  np.testing.assert_allclose(found, expected, atol=1e-15)


def test_diagonal_attention_makes_no_matrix():
  shape = jax.ShapeDtypeStruct((2, 999, 16), jnp.float32)
  valid = jax.ShapeDtypeStruct((2, 999), jnp.bool_)
  text = (
    jax.jit(attention.diagonal_attention).lower(shape, shape, valid).as_text()
  )
  assert "999x16" in text
  assert "999x999" not in text
