"""Layers that both branches share, initialised as in the authors' program.

PyTorch's defaults: the weights and biases of a linear map or convolution are
uniform within 1 / sqrt(fan_in); docs/method.md, section 5.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

Dtype = Any

# Uniform within 1 / sqrt(fan_in), whose variance is 1 / (3 fan_in).
FAN_IN_UNIFORM = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
# Not flax's xavier_normal, which is truncated at two deviations.
XAVIER_NORMAL = nn.initializers.variance_scaling(1, "fan_avg", "normal")


def bias_init(fan_in: int) -> nn.initializers.Initializer:
  """Initialiser of a bias: uniform within 1 / sqrt(fan_in)."""
  bound = fan_in**-0.5

  def init(key, shape, dtype=jnp.float32, out_sharding=None):
    del out_sharding
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  return init


@jax.custom_vjp
def product(
  x: Float[Array, "*b d"], kernel: Float[Array, "d e"]
) -> Float[Array, "*b e"]:
  """Each row of x times a kernel.

  With a gradient of its own: JAX's writes that of the kernel as a transposed
  product of transposed rows, for which XLA copies them on a CPU; it then takes
  twice as long (docs/performance.md).
  """
  return (_rows(x) @ kernel).reshape(*x.shape[:-1], -1)


def _rows(x: Float[Array, "*b d"]) -> Float[Array, "n d"]:
  return x.reshape(-1, x.shape[-1])


def _product_forward(x, kernel):
  return product(x, kernel), (x, kernel)


def _product_backward(saved, gradient):
  x, kernel = saved
  rows = _rows(gradient)
  x_gradient = jax.lax.dot_general(rows, kernel, (((1,), (1,)), ((), ())))
  kernel_gradient = jax.lax.dot_general(
    _rows(x), rows, (((0,), (0,)), ((), ()))
  )
  return x_gradient.reshape(x.shape), kernel_gradient


product.defvjp(_product_forward, _product_backward)


@jax.custom_vjp
def add_rows(
  x: Float[Array, "b t d"], rows: Float[Array, "t d"]
) -> Float[Array, "b t d"]:
  """Adds the same rows to every video.

  With a gradient of its own, a product with ones: XLA fuses the sum of JAX's
  with the zeros that a table's other rows get, and computes it for all of them
  (docs/performance.md).
  """
  return x + rows


def _add_rows_forward(x, rows):
  return add_rows(x, rows), None


def _add_rows_backward(saved, gradient):
  del saved
  videos, *shape = gradient.shape
  total = jnp.ones((1, videos), gradient.dtype) @ gradient.reshape(videos, -1)
  return gradient, total.reshape(shape)


add_rows.defvjp(_add_rows_forward, _add_rows_backward)


def _dense_product(x, kernel, dimension_numbers, precision=None):
  """`product`, called as `nn.Dense` calls `lax.dot_general`."""
  del dimension_numbers, precision
  return product(x, kernel)


def linear(
  fan_in: int,
  features: int,
  *,
  kernel_init: nn.initializers.Initializer = FAN_IN_UNIFORM,
  **options: Any,
) -> nn.Dense:
  """An affine map [..., fan_in] -> [..., features], as PyTorch's Linear.

  Args:
    fan_in: Input width.
    features: Output width.
    kernel_init: Initialiser of the weights.
    **options: Further attributes of `nn.Dense`.

  Returns:
    The module.
  """
  return nn.Dense(
    features,
    kernel_init=kernel_init,
    bias_init=bias_init(fan_in),
    dot_general=_dense_product,
    **options,
  )


class LayerNorm(nn.Module):
  """Layer normalisation with PyTorch's epsilon and two-pass variance.

  As `nn.LayerNorm`, whose values it has; that one multiplies by the scale
  before it does by the features, and its gradient takes 1.5 times as long on a
  CPU (docs/performance.md).

  Attributes:
    dtype: Type of the result; statistics are float32 or better.
    param_dtype: Type of the parameters.
  """

  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Each row less its mean, over its deviation, scaled and shifted."""
    shape = x.shape[-1:]
    scale = self.param("scale", nn.initializers.ones, shape, self.param_dtype)
    bias = self.param("bias", nn.initializers.zeros, shape, self.param_dtype)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    y = centred * jax.lax.rsqrt(variance + 1e-5) * scale + bias
    return y.astype(self.dtype)


def gelu(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
  """The exact GELU, x Phi(x).

  By erf, as PyTorch has it: XLA computes `jax.nn.gelu`'s erfc, which differs
  in the last digits of large negative numbers, several times as slowly on a
  CPU (docs/performance.md).
  """
  return 0.5 * x * (1 + jax.lax.erf(x * np.sqrt(0.5).astype(x.dtype)))


class Dropout(nn.Module):
  """Drops values at a rate and scales the others by 1 / (1 - rate).

  Attributes:
    rate: Share of the values that are dropped; one random bit a value where it
      is a half.
  """

  rate: float

  @nn.compact
  def __call__(
    self, x: Float[Array, "*b d"], *, deterministic: bool
  ) -> Float[Array, "*b d"]:
    """Draws from the stream "dropout", unless it is deterministic."""
    if deterministic or self.rate == 0:
      return x
    if self.rate == 1:
      return jnp.zeros_like(x)
    key = self.make_rng("dropout")
    if self.rate == 0.5:
      keep = random_bits(key, x.shape)
    else:
      keep = jax.random.bernoulli(key, 1 - self.rate, x.shape)
    scale = np.asarray(1 / (1 - self.rate), x.dtype)
    return jnp.where(keep, x * scale, 0)


def random_bits(key: jax.Array, shape: tuple[int, ...]) -> Bool[Array, "..."]:
  """Independent fair bits, 32 from each random word.

  Args:
    key: A key.
    shape: Of the result.
  """
  *rows, width = shape
  words = jax.random.bits(key, (*rows, -(-width // 32)), jnp.uint32)
  bits = (words[..., None] >> np.arange(32, dtype=np.uint32)) & 1
  return bits.reshape(*rows, -1)[..., :width] != 0


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
    """Returns one logit per row, in float32 or better."""
    options = {
      "kernel_init": XAVIER_NORMAL,
      "dtype": self.dtype,
      "param_dtype": self.param_dtype,
    }
    hidden = linear(x.shape[-1], self.hidden_width, name="hidden", **options)
    x = nn.relu(hidden(x))
    x = Dropout(self.dropout)(x, deterministic=not train)
    x = linear(self.hidden_width, 1, name="score", **options)(x)
    return x[..., 0].astype(jnp.promote_types(self.dtype, jnp.float32))
