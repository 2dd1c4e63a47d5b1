"""Snippet branch: multi-scale temporal feature interaction and classifier.

Source: docs/method.md, section 4.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from adplg_jax.models.attention import (
  banded_attention,
  full_attention,
  valid_rows,
)
from adplg_jax.models.layers import (
  FAN_IN_UNIFORM,
  Classifier,
  Dropout,
  Dtype,
  LayerNorm,
  add_rows,
  bias_init,
  gelu,
  linear,
  product,
)


def _heads(x: Float[Array, "b t f"], heads: int) -> tuple[Array, Array, Array]:
  """Splits a joint projection into query, key, value [b, t, heads, e]."""
  query, key, value = (
    part.reshape(*part.shape[:-1], heads, -1) for part in jnp.split(x, 3, -1)
  )
  return query, key, value


def _shares(width: int, count: int) -> list[int]:
  """A width in so many shares; the first take what is left over."""
  return [width // count + (place < width % count) for place in range(count)]


class LocalBlock(nn.Module):
  """One temporal scale: position, banded attention, map to a narrower width.

  Attributes:
    window: How many snippets each way a snippet sees.
    heads: Number of attention heads.
    head_width: Channels a head.
    out_width: Width of the result.
    max_snippets: Rows of the learned position table.
    mask_padded_keys: See `attention.banded_attention`.
    rotary_query_shift: See `attention.banded_attention`.
    dtype: Type of the computation.
    param_dtype: Type of the parameters.
  """

  window: int
  heads: int
  head_width: int
  out_width: int
  max_snippets: int
  mask_padded_keys: bool
  rotary_query_shift: bool
  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: Float[Array, "b t d"], lengths: Int[Array, "b"]
  ) -> Float[Array, "b t o"]:
    """Lets every snippet look at its neighbours within the window."""
    types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
    _, t, width = x.shape
    inner = self.heads * self.head_width
    position = self.param(
      "position",
      nn.initializers.normal(1.0),
      (self.max_snippets, width),
      self.param_dtype,
    )
    x = add_rows(x, jnp.asarray(position[:t], self.dtype))
    y = LayerNorm(name="norm", **types)(x)
    y = linear(width, 3 * inner, name="qkv", use_bias=False, **types)(y)
    y = banded_attention(
      *_heads(y, self.heads),
      lengths,
      window=self.window,
      mask_padded_keys=self.mask_padded_keys,
      rotary_query_shift=self.rotary_query_shift,
    ).reshape(*x.shape[:2], inner)
    x = x + linear(inner, width, name="out", use_bias=False, **types)(y)
    x = LayerNorm(name="output_norm", **types)(x)
    reduce = linear(
      width, self.out_width, name="reduce", use_bias=False, **types
    )
    return reduce(x)


class GlobalBlock(nn.Module):
  """Pre-norm transformer block over all snippets of a video.

  Attributes:
    heads: Number of attention heads.
    head_width: Channels a head.
    feed_forward_width: Hidden width of the feed-forward part.
    dropout: Rate after the attention and after both feed-forward maps.
    dtype: Type of the computation.
    param_dtype: Type of the parameters.
  """

  heads: int
  head_width: int
  feed_forward_width: int
  dropout: float
  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: Float[Array, "b t d"], lengths: Int[Array, "b"], *, train: bool
  ) -> Float[Array, "b t d"]:
    """X + attention(norm(x)), then x + feed-forward(norm(x))."""
    types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
    width = x.shape[-1]
    inner = self.heads * self.head_width

    def dropout(y: Array) -> Array:
      return Dropout(self.dropout)(y, deterministic=not train)

    y = LayerNorm(name="attention_norm", **types)(x)
    y = linear(width, 3 * inner, name="qkv", use_bias=False, **types)(y)
    y = full_attention(*_heads(y, self.heads), lengths)
    y = y.reshape(*x.shape[:2], inner)
    x = x + dropout(linear(inner, width, name="out", **types)(y))
    y = LayerNorm(name="feed_forward_norm", **types)(x)
    hidden = self.feed_forward_width
    y = linear(width, hidden, name="feed_forward_hidden", **types)(y)
    y = dropout(gelu(y))
    y = linear(hidden, width, name="feed_forward_out", **types)(y)
    return x + dropout(y)


class TemporalConvolution(nn.Module):
  """Convolution of width 3 over time, same padding, [.., in] -> [.., out]."""

  features: int
  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b t i"]) -> Float[Array, "b t o"]:
    """Convolves; rows outside the video count as zeros."""
    fan_in = 3 * x.shape[-1]
    shape = (3, x.shape[-1], self.features)
    kernel = self.param("kernel", FAN_IN_UNIFORM, shape, self.param_dtype)
    bias = self.param(
      "bias", bias_init(fan_in), (self.features,), self.param_dtype
    )
    x = jnp.pad(x.astype(self.dtype), ((0, 0), (1, 1), (0, 0)))
    # One product [t, 3 in] x [3 in, out] is what the devices do best.
    x = jnp.concatenate([x[:, :-2], x[:, 1:-1], x[:, 2:]], axis=-1)
    kernel = kernel.reshape(fan_in, self.features)
    kernel = jnp.asarray(kernel, self.dtype)
    return product(x, kernel) + jnp.asarray(bias, self.dtype)


class SnippetBranch(nn.Module):
  """Scores every snippet of a video from its neighbours and from all others.

  Attributes:
    width: Model width; features of another width pass one Linear first.
    windows: Window of each local block; their outputs are concatenated, in
      equal shares of the width (the first ones are wider by 1 where that
      leaves a remainder).
    local_heads: Heads of a local block.
    local_head_width: Channels a head of a local block.
    num_blocks: Number of global transformer blocks.
    global_heads: Heads of a global block.
    global_head_width: Channels a head of a global block.
    feed_forward_width: Hidden width of a global block's feed-forward part.
    classifier_width: Hidden width of the snippet classifier.
    dropout: Dropout rate in the classifier.
    block_dropout: Dropout rate in the global blocks.
    max_snippets: Longest video, rows of the position tables.
    mask_padded_keys: See `attention.banded_attention`.
    rotary_query_shift: See `attention.banded_attention`.
    dtype: Type of the computation.
    param_dtype: Type of the parameters.
  """

  width: int
  windows: Sequence[int]
  local_heads: int
  local_head_width: int
  num_blocks: int
  global_heads: int
  global_head_width: int
  feed_forward_width: int
  classifier_width: int
  dropout: float
  block_dropout: float
  max_snippets: int
  mask_padded_keys: bool
  rotary_query_shift: bool
  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self,
    features: Float[Array, "b t d"],
    lengths: Int[Array, "b"],
    *,
    train: bool = False,
  ) -> Float[Array, "b t"]:
    """Returns a logit for each snippet, independent of the padding.

    Args:
      features: Snippet features, rows beyond a length are padding.
      lengths: True number of snippets of each video.
      train: Whether dropout acts; it draws from the stream "dropout".

    Raises:
      ValueError: More snippets than the position tables have rows, or fewer
        channels than windows.
    """
    t = features.shape[1]
    if t > self.max_snippets:
      raise ValueError(
        f"{t} snippets are more than the {self.max_snippets} rows of the "
        "position tables; raise max_snippets (and train again) or cut the "
        "video."
      )
    if self.width < len(self.windows):
      raise ValueError(
        f"width {self.width} must be at least the number of windows, "
        f"{len(self.windows)}."
      )
    types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
    x = features.astype(self.dtype)
    if x.shape[-1] != self.width:
      x = linear(x.shape[-1], self.width, name="input", **types)(x)
    x = jnp.where(valid_rows(lengths, t)[:, :, None], x, 0)
    x = nn.relu(TemporalConvolution(self.width, name="embedding", **types)(x))
    scales = [
      LocalBlock(
        window=window,
        heads=self.local_heads,
        head_width=self.local_head_width,
        out_width=out_width,
        max_snippets=self.max_snippets,
        mask_padded_keys=self.mask_padded_keys,
        rotary_query_shift=self.rotary_query_shift,
        name=f"local_{window}",
        **types,
      )
      for window, out_width in zip(
        self.windows, _shares(self.width, len(self.windows)), strict=True
      )
    ]
    x = jnp.concatenate([scale(x, lengths) for scale in scales], axis=-1)
    for i in range(self.num_blocks):
      block = GlobalBlock(
        heads=self.global_heads,
        head_width=self.global_head_width,
        feed_forward_width=self.feed_forward_width,
        dropout=self.block_dropout,
        name=f"block_{i}",
        **types,
      )
      x = block(x, lengths, train=train)
    classifier = Classifier(
      self.classifier_width, self.dropout, name="classifier", **types
    )
    return classifier(x, train=train)
