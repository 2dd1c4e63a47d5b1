"""CLIP's image tower, the vision transformer of Radford et al. (2021), RGB.

Layer normalisation before attention and before the two dense layers, a class
token, the quick GELU x sigmoid(1.702 x), a projection without bias.
"""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

# Of pixels from 0 to 1, for each of R, G and B.
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


class Architecture(NamedTuple):
  """Sizes of a tower; as they are here, ViT-B/16.

  Attributes:
    width: Channels of a token.
    hidden: Channels between the two dense layers.
    layers: Number of layers.
    heads: Of attention; they divide the width.
    image: Height and width of images [pixels].
    patch: Height and width of patches [pixels]; what is left over of an image
      at its right and bottom is not seen.
    epsilon: Of every layer normalisation.
    features: Number of features.
  """

  width: int = 768
  hidden: int = 3072
  layers: int = 12
  heads: int = 12
  image: int = 224
  patch: int = 16
  epsilon: float = 1e-5
  features: int = 512

  @property
  def tokens(self) -> int:
    """Patches, and the class token before them."""
    return (self.image // self.patch) ** 2 + 1


class Norm(nn.LayerNorm):
  """Layer normalisation; the variance is that of differences to the mean."""

  use_fast_variance: bool = False


class Layer(nn.Module):
  """Attention, then two dense layers, each added to what it was given.

  Attributes:
    sizes: See `Architecture`.
  """

  sizes: Architecture

  @nn.compact
  def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
    """Applies the layer."""
    width, heads = self.sizes.width, self.sizes.heads
    y = Norm(self.sizes.epsilon, name="norm1")(x)
    query, key, value = (
      nn.Dense(width, name=name)(y).reshape(*y.shape[:2], heads, -1)
      for name in ("query", "key", "value")
    )
    y = nn.dot_product_attention(query, key, value)
    x = x + nn.Dense(width, name="out")(y.reshape(x.shape))
    y = Norm(self.sizes.epsilon, name="norm2")(x)
    y = nn.Dense(self.sizes.hidden, name="dense1")(y)
    return x + nn.Dense(width, name="dense2")(y * nn.sigmoid(1.702 * y))


class Clip(nn.Module):
  """Features of images, whose pixels are `normalized`.

  Computed in the type of the images, which the variables must have, too.

  Attributes:
    sizes: See `Architecture`.
  """

  sizes: Architecture = Architecture()

  @nn.compact
  def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b d"]:
    """Features: the class token, normalised and projected."""
    width, patch = self.sizes.width, (self.sizes.patch,) * 2
    small, dtype = nn.initializers.normal(0.02), images.dtype
    patches = nn.Conv(
      width, patch, patch, padding="VALID", use_bias=False, name="patches"
    )(images)
    first = self.param("first", small, (width,), dtype)
    places = self.param("places", small, (self.sizes.tokens, width), dtype)
    tokens = patches.reshape(len(images), -1, width)
    first = jnp.broadcast_to(first, (len(images), 1, width))
    x = jnp.concatenate([first, tokens], axis=1) + places
    x = Norm(self.sizes.epsilon, name="norm_before")(x)
    for index in range(self.sizes.layers):
      x = Layer(self.sizes, name=f"layer{index}")(x)
    x = Norm(self.sizes.epsilon, name="norm_after")(x[:, 0])
    return nn.Dense(self.sizes.features, use_bias=False, name="projection")(x)


def normalized(pixels: UInt8[Array, "... 3"]) -> Float[Array, "... 3"]:
  """Pixels from 0 to 255 as CLIP takes them, in float32."""
  mean, deviation = jnp.float32(MEAN), jnp.float32(DEVIATION)
  return (pixels.astype(jnp.float32) / 255 - mean) / deviation
