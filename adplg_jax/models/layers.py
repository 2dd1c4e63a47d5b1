"""Layers that both branches share, initialised as in the authors' program.

PyTorch's defaults: the weights and biases of a linear map or convolution are
uniform within 1 / sqrt(fan_in); docs/method.md, section 5.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

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
    features, kernel_init=kernel_init, bias_init=bias_init(fan_in), **options
  )


def layer_norm(**options: Any) -> nn.LayerNorm:
  """Layer normalisation with PyTorch's epsilon and two-pass variance.

  Args:
    **options: Further attributes of `nn.LayerNorm`.

  Returns:
    The module.
  """
  return nn.LayerNorm(epsilon=1e-5, use_fast_variance=False, **options)


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
    x = nn.Dropout(self.dropout)(x, deterministic=not train)
    x = linear(self.hidden_width, 1, name="score", **options)(x)
    return x[..., 0].astype(jnp.promote_types(self.dtype, jnp.float32))
