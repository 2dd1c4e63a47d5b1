"""I3D, the inflated Inception network of Carreira and Zisserman (2017), RGB.

Convolution with TensorFlow's SAME padding and no bias, batch normalisation
without scale, ReLU: equal to the original at every end point.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from adplg_jax.video.convolution import Clips, conv3d, max_pool

FEATURES = 1024
END_POINTS = (
  "Conv3d_1a_7x7",
  "MaxPool3d_2a_3x3",
  "Conv3d_2b_1x1",
  "Conv3d_2c_3x3",
  "MaxPool3d_3a_3x3",
  "Mixed_3b",
  "Mixed_3c",
  "MaxPool3d_4a_3x3",
  "Mixed_4b",
  "Mixed_4c",
  "Mixed_4d",
  "Mixed_4e",
  "Mixed_4f",
  "MaxPool3d_5a_2x2",
  "Mixed_5b",
  "Mixed_5c",
)
# Channels, size of the kernel, stride.
UNITS = {
  "Conv3d_1a_7x7": (64, 7, 2),
  "Conv3d_2b_1x1": (64, 1, 1),
  "Conv3d_2c_3x3": (192, 3, 1),
}
# Window, strides.
POOLS = {
  "MaxPool3d_2a_3x3": ((1, 3, 3), (1, 2, 2)),
  "MaxPool3d_3a_3x3": ((1, 3, 3), (1, 2, 2)),
  "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
  "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
}
# Channels of b0, b1a, b1b, b2a, b2b, b3b: four branches, a 1x1x1 unit of the
# input, 3x3x3 units after 1x1x1 ones, and a 1x1x1 unit after a max-pool.
MIXED = {
  "Mixed_3b": (64, 96, 128, 16, 32, 32),
  "Mixed_3c": (128, 128, 192, 32, 96, 64),
  "Mixed_4b": (192, 96, 208, 16, 48, 64),
  "Mixed_4c": (160, 112, 224, 24, 64, 64),
  "Mixed_4d": (128, 128, 256, 24, 64, 64),
  "Mixed_4e": (112, 144, 288, 32, 64, 64),
  "Mixed_4f": (256, 160, 320, 32, 128, 128),
  "Mixed_5b": (256, 160, 320, 32, 128, 128),
  "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


class Unit(nn.Module):
  """Convolution, batch normalisation by stored statistics, ReLU.

  Attributes:
    channels: Of the result.
    size: Of the kernel, in time, height and width.
    stride: In time, height and width.
    epsilon: Added to the variance.
  """

  channels: int
  size: int = 1
  stride: int = 1
  epsilon: float = 1e-3

  @nn.compact
  def __call__(self, x: Clips) -> Float[Array, "b u v w2 d"]:
    """Applies the unit."""
    shape = (self.channels,)
    kernel = self.param(
      "kernel",
      nn.initializers.lecun_normal(),
      (*[self.size] * 3, x.shape[-1], self.channels),
      x.dtype,
    )
    bias = self.param("bias", nn.initializers.zeros, shape, x.dtype)
    mean = self.variable("batch_stats", "mean", jnp.zeros, shape, x.dtype).value
    var = self.variable("batch_stats", "var", jnp.ones, shape, x.dtype).value
    y = conv3d(x, kernel, [self.stride] * 3)
    return nn.relu((y - mean) * jax.lax.rsqrt(var + self.epsilon) + bias)


class Mixed(nn.Module):
  """Four branches, their channels one after the other.

  Attributes:
    channels: See `MIXED`.
    epsilon: Added to the variance.
  """

  channels: tuple[int, ...]
  epsilon: float = 1e-3

  @nn.compact
  def __call__(self, x: Clips) -> Float[Array, "b t h w d"]:
    """Applies the branches."""
    unit = partial(Unit, epsilon=self.epsilon)
    c0, c1a, c1b, c2a, c2b, c3b = self.channels
    b0 = unit(c0, name="b0")(x)
    b1 = unit(c1b, 3, name="b1b")(unit(c1a, name="b1a")(x))
    b2 = unit(c2b, 3, name="b2b")(unit(c2a, name="b2a")(x))
    b3 = unit(c3b, name="b3b")(max_pool(x, (3, 3, 3), (1, 1, 1)))
    return jnp.concatenate([b0, b1, b2, b3], axis=-1)


class I3D(nn.Module):
  """Features of clips [b, t, h, w, RGB] whose pixels are from -1 to 1.

  Computed in the type of the clips, which the variables must have, too.

  Attributes:
    epsilon: Of every batch normalisation; the original's is 1e-3, a much copied
      port's 1e-5.
    num_classes: Number of logits.
  """

  epsilon: float = 1e-3
  num_classes: int = 400

  def setup(self):
    """Makes the layers, whose parameters have the end points' names."""
    for name, sizes in UNITS.items():
      setattr(self, name, Unit(*sizes, self.epsilon))
    for name, channels in MIXED.items():
      setattr(self, name, Mixed(channels, self.epsilon))
    self.Logits = nn.Dense(self.num_classes)

  def __call__(
    self, clips: Float[Array, "b t h w 3"]
  ) -> Float[Array, "b 1024"]:
    """Features: the last end point, averaged."""
    *_, last = self.end_points(clips).values()
    return pooled(last)

  def end_points(
    self, clips: Float[Array, "b t h w 3"]
  ) -> dict[str, jax.Array]:
    """What every layer makes, in their order, by the original's names."""
    points, x = {}, clips
    for name in END_POINTS:
      pool = POOLS.get(name)
      x = max_pool(x, *pool) if pool else getattr(self, name)(x)
      points[name] = x
    return points

  def logits(self, features: Float[Array, "b 1024"]) -> Float[Array, "b k"]:
    """Logits of features: the original's, as averaging and they are linear."""
    return self.Logits(features)

  def classify(self, clips: Float[Array, "b t h w 3"]) -> Float[Array, "b k"]:
    """Logits of clips."""
    return self.logits(self(clips))


def scaled(
  pixels: UInt8[Array, "b t h w 3"],
) -> Float[Array, "b t h w 3"]:
  """Pixels from 0 to 255 as numbers from -1 to 1, in float32."""
  return pixels.astype(jnp.float32) * 2 / 255 - 1


def pooled(x: Float[Array, "b t h w d"]) -> Float[Array, "b d"]:
  """Mean of the means over windows of 2 x 7 x 7, in float32 or better.

  Raises:
    ValueError: It is smaller than a window.
  """
  if x.shape[1] < 2 or min(x.shape[2:4]) < 7:
    raise ValueError(
      f"The last end point has shape {x.shape}; its windows are of 2 x 7 x 7. "
      "Use clips of at least 9 frames of 193 x 193 pixels."
    )
  x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
  return nn.avg_pool(x, (2, 7, 7)).mean((1, 2, 3))
