"""Every form of the convolution and the pooling, against XLA's own."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.video import convolution
from adplg_jax.video.convolution import conv3d, max_pool

SIZES = [
  ((2, 4, 6, 8, 3), (1, 1, 1), (1, 1, 1)),
  ((2, 1, 5, 7, 3), (3, 3, 3), (1, 1, 1)),
  ((1, 2, 6, 6, 2), (3, 3, 3), (1, 1, 1)),
  ((1, 7, 5, 4, 2), (3, 3, 3), (1, 1, 1)),
  ((2, 3, 5, 8, 2), (3, 3, 3), (1, 2, 2)),
  ((1, 5, 5, 4, 2), (3, 3, 3), (2, 2, 2)),
  ((1, 5, 6, 4, 2), (1, 1, 1), (2, 2, 2)),
  ((2, 16, 12, 11, 3), (7, 7, 7), (2, 2, 2)),
  ((1, 9, 11, 12, 3), (7, 7, 7), (2, 2, 2)),
  ((1, 1, 3, 2, 3), (7, 7, 7), (2, 2, 2)),
]


def arrays(shape, window, channels=4):
  rng = np.random.default_rng(0)
  kernel = rng.standard_normal((*window, shape[-1], channels))
  return rng.standard_normal(shape), kernel


@pytest.mark.parametrize(("shape", "window", "strides"), SIZES)
def test_a_convolution_is_the_librarys(shape, window, strides, x64):
  del x64
  x, kernel = arrays(shape, window)
  expected = convolution.library(x, kernel, strides)
  found = jax.jit(conv3d, static_argnums=2)(x, kernel, strides)
  assert found.shape == expected.shape
  np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
  ("window", "strides", "on_cpu"),
  [
    ((3, 3, 3), (1, 1, 1), 4),
    ((7, 7, 7), (2, 2, 2), 1),
    ((1,) * 3,) * 2 + (0,),
  ],
)
def test_only_a_cpu_gets_forms_of_its_own(window, strides, on_cpu):
  """2-D convolutions, and rows times a kernel; others get a 3-D one."""
  x, kernel = arrays((1, 4, 5, 6, 3), window)
  traced = jax.jit(conv3d, static_argnums=2).trace(x, kernel, strides)

  def convolutions(platform):
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    return re.findall(r"stablehlo.convolution.* -> tensor<(\w+)x", text)

  assert len(convolutions("cpu")) == on_cpu
  assert all(shape.count("x") == 3 for shape in convolutions("cpu"))
  other = convolutions("cuda")
  assert [shape.count("x") for shape in other] == [4] * (on_cpu > 0)


@pytest.mark.parametrize(
  ("shape", "window", "strides"),
  [
    ((2, 4, 6, 8, 3), (1, 3, 3), (1, 2, 2)),
    ((1, 5, 7, 9, 2), (3, 3, 3), (1, 1, 1)),
    ((1, 5, 7, 8, 2), (3, 3, 3), (2, 2, 2)),
    ((1, 5, 6, 7, 2), (2, 2, 2), (2, 2, 2)),
    ((1, 1, 1, 1, 2), (1, 1, 1), (2, 2, 2)),
  ],
)
def test_a_maximum_is_the_librarys(shape, window, strides):
  """Negative values, too: padding is minus infinity."""
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.standard_normal(shape), jnp.float32) - 5
  expected = nn.max_pool(x, window, strides, "SAME")
  np.testing.assert_array_equal(max_pool(x, window, strides), expected)
