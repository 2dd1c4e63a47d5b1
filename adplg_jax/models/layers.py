"""Layers both branches share, with the program's initial distributions.

Torch's defaults: the weights and biases of a linear map or convolution are
uniform within 1 / sqrt(fan_in); docs/method.md, section 5.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Dtype = Any


def uniform_within(bound: float) -> nn.initializers.Initializer:
  """Initialiser: uniform on [-bound, bound)."""

  def init(key, shape, dtype=jnp.float32, out_sharding=None):
    del out_sharding
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  return init


class Linear(nn.Module):
  """Affine map [..., in] -> [..., features], started as torch's Linear is.

  Attributes:
    features: Output width.
    use_bias: Whether the map has a bias.
    xavier_normal: Start the weights Xavier normal, as the two classifiers do;
      the bias is uniform within 1 / sqrt(in) either way.
    dtype: Type of the computation.
    param_dtype: Type of the parameters.
  """

  features: int
  use_bias: bool = True
  xavier_normal: bool = False
  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
    """Applies the map."""
    within = uniform_within(x.shape[-1] ** -0.5)
    shape = (x.shape[-1], self.features)
    # Not flax' xavier_normal, which is cut off at two deviations.
    xavier = nn.initializers.normal((2 / sum(shape)) ** 0.5)
    start = xavier if self.xavier_normal else within
    kernel = self.param("kernel", start, shape, self.param_dtype)
    y = x.astype(self.dtype) @ kernel.astype(self.dtype)
    if self.use_bias:
      bias = self.param("bias", within, (self.features,), self.param_dtype)
      y = y + bias.astype(self.dtype)
    return y


class LayerNorm(nn.Module):
  """Layer normalisation with torch's epsilon 1e-5 and two-pass variance."""

  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Normalises the last axis."""
    width = (x.shape[-1],)
    scale = self.param("scale", nn.initializers.ones, width, self.param_dtype)
    bias = self.param("bias", nn.initializers.zeros, width, self.param_dtype)
    dtype = jnp.promote_types(self.dtype, jnp.float32)
    x = x.astype(dtype)
    x = x - x.mean(-1, keepdims=True)
    x = x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-5)
    return (x * scale.astype(dtype) + bias.astype(dtype)).astype(self.dtype)


class Classifier(nn.Module):
  """Linear, relu, dropout, Linear to one logit; its sigmoid is the score."""

  hidden_width: int
  dropout: float
  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: Float[Array, "*b d"], *, train: bool
  ) -> Float[Array, "*b"]:
    """Returns logits, one a row, in float32 or better."""
    types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
    hidden = Linear(
      self.hidden_width, xavier_normal=True, name="hidden", **types
    )
    x = nn.relu(hidden(x))
    x = nn.Dropout(self.dropout)(x, deterministic=not train)
    x = Linear(1, xavier_normal=True, name="score", **types)(x)
    return x[..., 0].astype(jnp.promote_types(self.dtype, jnp.float32))
