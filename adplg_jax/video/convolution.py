"""Convolution and pooling of clips, in the forms that XLA runs best on a CPU.

Padding is TensorFlow's SAME. What each form gives is in docs/performance.md.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Clips = Float[Array, "b t h w c"]
Kernel = Float[Array, "kt kh kw c d"]


def conv3d(
  x: Clips, kernel: Kernel, strides: Sequence[int] = (1, 1, 1)
) -> Float[Array, "b u v w2 d"]:
  """Cross-correlation with SAME padding.

  Args:
    x: Clips.
    kernel: Taps in time, height and width, from channels c to d.
    strides: In time, height and width.

  Returns:
    Clips of the size divided by the strides, rounded up.
  """
  strides = tuple(strides)
  if kernel.shape[:3] == strides == (1, 1, 1):
    rows = x.reshape(-1, x.shape[-1]) @ kernel[0, 0, 0]
    return rows.reshape(*x.shape[:-1], -1)
  if kernel.shape[0] == 3 and strides[0] == 1:
    cpu = frames_in_pairs
  else:
    cpu = taps_as_channels
  return lax.platform_dependent(
    x,
    kernel,
    cpu=lambda x, kernel: cpu(x, kernel, strides),
    default=lambda x, kernel: library(x, kernel, strides),
  )


def max_pool(
  x: Clips, window: Sequence[int], strides: Sequence[int]
) -> Float[Array, "b u v w2 c"]:
  """Maximum over windows with SAME padding, an axis at a time.

  Args:
    x: Clips; padding is minus infinity.
    window: Size in time, height and width.
    strides: In time, height and width.

  Returns:
    Clips of the size divided by the strides, rounded up.
  """
  for axis, (size, stride) in enumerate(zip(window, strides, strict=True), 1):
    if size > 1 or stride > 1:
      sizes, steps = [1] * x.ndim, [1] * x.ndim
      sizes[axis], steps[axis] = size, stride
      x = lax.reduce_window(x, -jnp.inf, lax.max, sizes, steps, "SAME")
  return x


def library(x, kernel, strides):
  """One 3-D convolution."""
  return lax.conv_general_dilated(
    x,
    kernel,
    strides,
    "SAME",
    dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
  )


def frames_in_pairs(x, kernel, strides):
  """Three taps in time, as four 2-D convolutions for two frames, not six.

  Minimal filtering F(2, 3) of Winograd, along time alone. Frames y0 and y1 of
  x0 to x3 are

    m0 = k0 (x0 - x2)                 y0 = m0 + m1 + m2
    m1 = (k0 + k1 + k2) (x1 + x2) / 2 y1 = m1 - m2 - m3
    m2 = (k0 - k1 + k2) (x2 - x1) / 2
    m3 = k2 (x1 - x3)
  """
  frames = x.shape[1]
  pairs = -(-frames // 2)
  x = _pad_time(x, 1, 2 * pairs - frames + 1)
  x0, x1, x2, x3 = (x[:, i : i + 2 * pairs - 1 : 2] for i in range(4))
  k0, k1, k2 = kernel
  strides = strides[1:]
  m0 = _conv2d(x0 - x2, k0, strides)
  m1 = _conv2d(x1 + x2, (k0 + k1 + k2) / 2, strides)
  m2 = _conv2d(x2 - x1, (k0 - k1 + k2) / 2, strides)
  m3 = _conv2d(x1 - x3, k2, strides)
  y = jnp.stack([m0 + m1 + m2, m1 - m2 - m3], axis=2)
  return y.reshape(y.shape[0], -1, *y.shape[3:])[:, :frames]


def taps_as_channels(x, kernel, strides):
  """Taps in time side by side as channels of one 2-D convolution."""
  taps, stride = kernel.shape[0], strides[0]
  frames = -(-x.shape[1] // stride)
  (low, high), *_ = lax.padtype_to_pads(
    x.shape[1:2], (taps,), (stride,), "SAME"
  )
  x = _pad_time(x, low, high)
  last = stride * (frames - 1) + 1
  x = jnp.concatenate([x[:, i : i + last : stride] for i in range(taps)], -1)
  kernel = kernel.transpose(1, 2, 0, 3, 4)
  kernel = kernel.reshape(*kernel.shape[:2], -1, kernel.shape[-1])
  return _conv2d(x, kernel, strides[1:])


def _pad_time(x: jax.Array, low: int, high: int) -> jax.Array:
  return jnp.pad(x, ((0, 0), (low, high), (0, 0), (0, 0), (0, 0)))


def _conv2d(x, kernel, strides):
  """Convolves every frame."""
  y = lax.conv_general_dilated(
    x.reshape(-1, *x.shape[2:]),
    kernel,
    strides,
    "SAME",
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )
  return y.reshape(*x.shape[:2], *y.shape[1:])
