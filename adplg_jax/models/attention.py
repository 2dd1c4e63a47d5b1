"""The three attentions of the method: diagonal, banded and full.

Arrays alone, no parameters. Soft-max runs in float32 or better for any
compute type. Source: docs/method.md, sections 2 and 4.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

# Up to DENSE snippets one masked T x T product is the fast form of banded
# attention; beyond it, blocks of BLOCK queries with a halo of one window.
DENSE = 128
BLOCK = 64
# Full attention of more snippets than this runs over blocks of its queries, so
# that memory grows with T and not with its square.
QUERY_BLOCK = 1024


def valid_rows(lengths: Int[Array, "b"], rows: Any) -> Bool[Array, "b rows"]:
  """Marks the rows below each length: what is not padding.

  Args:
    lengths: Of each video.
    rows: An int, or a size without a value where a program is exported.
  """
  return jnp.arange(rows) < lengths[:, None]


def diagonal_attention(
  query: Float[Array, "b n a"],
  key: Float[Array, "b n a"],
  valid: Bool[Array, "b n"],
) -> Float[Array, "b n"]:
  """Attention of each snippet's query on the same snippet's key.

  One dot product per snippet, soft-max over the video's snippets
  (docs/method.md, section 2).

  Args:
    query: Queries; of the normal video for the cross attention.
    key: Keys, paired with the queries by place.
    valid: Snippets that exist; the others get weight 0.

  Returns:
    Weights that sum to 1 over n.
  """
  dtype = jnp.promote_types(query.dtype, jnp.float32)
  scores = jnp.einsum("bna,bna->bn", query, key, preferred_element_type=dtype)
  scores = scores / np.sqrt(query.shape[-1]).astype(dtype)
  return jax.nn.softmax(scores, axis=-1, where=valid)


def rotary_frequencies(width: int) -> np.ndarray:
  """Inverse frequencies 10000^(-2j / width), j < width / 2, as torch rounds.

  float32 values: the power is taken exactly and rounded, then inverted in
  float32 (docs/method.md, section 4; tests/golden/rotary.npz).
  """
  exponent = (np.arange(0, width, 2) / width).astype(np.float32)
  power = (10000.0 ** exponent.astype(np.float64)).astype(np.float32)
  return np.float32(1) / power


def rotate(
  x: Float[Array, "*b t h e"], positions: Int[np.ndarray, "t"]
) -> Float[Array, "*b t h e"]:
  """Rotary embedding on two halves of the channels (not interleaved)."""
  angles = np.outer(positions, rotary_frequencies(x.shape[-1]).astype(float))
  cos, sin = (
    jnp.asarray(f(angles), x.dtype)[:, None, :] for f in (np.cos, np.sin)
  )
  first, second = jnp.split(x, 2, axis=-1)
  return jnp.concatenate(
    [first * cos - second * sin, second * cos + first * sin], axis=-1
  )


def _with_halo(
  x: Float[Array, "b m s h e"], halo: int
) -> Float[Array, "b m k h e"]:
  """Adds to each block the `halo` rows before and after it, zeros outside."""
  size = x.shape[2]
  before = jnp.pad(x[:, :-1, size - halo :], ((0, 0), (1, 0)) + ((0, 0),) * 3)
  after = jnp.pad(x[:, 1:, :halo], ((0, 0), (0, 1)) + ((0, 0),) * 3)
  return jnp.concatenate([before, x, after], axis=2)


def _zero_keys(
  lengths: Int[Array, "b"], positions: Int[Array, "*m"], window: int
) -> Int[Array, "b *m"]:
  """How many keys of zeros each query sees after the end of its video.

  The authors' program pads a video to a multiple of the window after the
  projections and does not mask what it added, so those rows (score 0, value 0)
  take soft-max weight (docs/method.md, section 4).
  """
  lengths = lengths.reshape(-1, *[1] * positions.ndim)
  padded = -(-lengths // window) * window
  last = jnp.minimum(positions + window, padded - 1)
  return jnp.maximum(last - lengths + 1, 0)


def banded_attention(
  query: Float[Array, "b t h e"],
  key: Float[Array, "b t h e"],
  value: Float[Array, "b t h e"],
  lengths: Int[Array, "b"],
  *,
  window: int,
  mask_padded_keys: bool,
  rotary_query_shift: bool,
) -> Float[Array, "b t h e"]:
  """Local attention: snippet t sees the snippets j with |t - j| <= window.

  The authors' windowed local attention as one band (docs/method.md, section
  4). Rotary positions are counted within a block: only differences matter, and
  small angles stay exact in float32 for a video of any length.

  Args:
    query: Queries, not yet scaled nor rotated.
    key: Keys.
    value: Values.
    lengths: True number of snippets of each video; rows beyond it are padding
      and change nothing.
    window: The window w.
    mask_padded_keys: Leave out the keys of zeros, which the authors' program
      keeps.
    rotary_query_shift: Rotate queries by one window more than their position,
      as the authors' program does.

  Returns:
    Attended values; rows beyond a length are meaningless, but finite.
  """
  batch, t, heads, width = query.shape
  dtype = jnp.promote_types(query.dtype, jnp.float32)
  # An exported program takes any number of snippets, which has no value here.
  dense = isinstance(t, int) and t <= DENSE
  size, halo = (t, 0) if dense else (BLOCK, window)
  blocks = -(-t // size)

  def cut(x: Array) -> Array:
    x = jnp.pad(x, ((0, 0), (0, blocks * size - t), (0, 0), (0, 0)))
    return x.reshape(batch, blocks, size, heads, width)

  query_place = np.arange(size) + halo
  key_place = np.arange(size + 2 * halo)
  shift = window if rotary_query_shift else 0
  query = rotate(cut(query) * width**-0.5, query_place + shift)
  key = rotate(_with_halo(cut(key), halo), key_place)
  value = _with_halo(cut(value), halo)
  logits = jnp.einsum(
    "bmqhe,bmkhe->bmhqk", query, key, preferred_element_type=dtype
  )

  start = jnp.arange(blocks)[:, None] * size
  place = start + key_place - halo
  exists = (place >= 0) & (place < lengths[:, None, None])
  band = np.abs(query_place[:, None] - key_place) <= window
  seen = exists[:, :, None, None, :] & band
  logits = jnp.where(seen, logits, jnp.finfo(dtype).min)
  if mask_padded_keys:
    weights = jax.nn.softmax(logits, axis=-1)
  else:
    zeros = _zero_keys(lengths, start + np.arange(size), window)
    weights = _softmax_with_zeros(logits, zeros[:, :, None, :, None])
  out = jnp.einsum("bmhqk,bmkhe->bmqhe", weights.astype(value.dtype), value)
  return out.reshape(batch, blocks * size, heads, width)[:, :t]


def _softmax_with_zeros(
  logits: Float[Array, "*b q k"], zeros: Int[Array, "..."]
) -> Float[Array, "*b q k"]:
  """Soft-max over the last axis and over so many more logits of 0.

  Args:
    logits: The logits.
    zeros: Their number, an axis of 1 in place of k, broadcast to the others.
  """
  highest = logits.max(-1, keepdims=True)
  highest = jnp.where(zeros > 0, jnp.maximum(highest, 0), highest)
  highest = jax.lax.stop_gradient(highest)
  weights = jnp.exp(logits - highest)
  # Where there are zeros, the highest is at least 0.
  of_zeros = zeros * jnp.exp(-jnp.maximum(highest, 0))
  return weights / (weights.sum(-1, keepdims=True) + of_zeros)


def full_attention(
  query: Float[Array, "b t h e"],
  key: Float[Array, "b t h e"],
  value: Float[Array, "b t h e"],
  lengths: Int[Array, "b"],
) -> Float[Array, "b t h e"]:
  """Attention of every snippet on every snippet of its video, scale e^-1/2.

  Args:
    query: Queries, not yet scaled.
    key: Keys.
    value: Values.
    lengths: True number of snippets of each video.

  Returns:
    Attended values; rows beyond a length are meaningless, but finite.
  """
  batch, t, heads, width = query.shape
  dtype = jnp.promote_types(query.dtype, jnp.float32)
  seen = valid_rows(lengths, t)[:, None, None, :]

  def attend(query: Float[Array, "b q h e"]) -> Float[Array, "b q h e"]:
    logits = jnp.einsum(
      "bqhe,bkhe->bhqk", query, key, preferred_element_type=dtype
    )
    logits = jnp.where(seen, logits * width**-0.5, jnp.finfo(dtype).min)
    weights = jax.nn.softmax(logits, axis=-1).astype(value.dtype)
    return jnp.einsum("bhqk,bkhe->bqhe", weights, value)

  if isinstance(t, int) and t <= 2 * QUERY_BLOCK:
    return attend(query)
  blocks = -(-t // QUERY_BLOCK)
  query = jnp.pad(
    query, ((0, 0), (0, blocks * QUERY_BLOCK - t), (0, 0), (0, 0))
  )
  query = query.reshape(batch, blocks, QUERY_BLOCK, heads, width)
  out = jax.lax.map(attend, jnp.moveaxis(query, 1, 0))
  return jnp.moveaxis(out, 0, 1).reshape(batch, -1, heads, width)[:, :t]
