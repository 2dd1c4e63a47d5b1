"""I3D against a PyTorch one of ours, at every end point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.video.i3d import END_POINTS, I3D, pooled
from adplg_jax.video.i3d_weights import load_weights

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from tests.video import torch_i3d  # noqa: E402

# Odd and even, of every remainder that strides of 2 leave on the way down.
SIZES = [(1, 9, 33, 47), (2, 16, 48, 34)]


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
  path = tmp_path_factory.mktemp("i3d") / "random.pt"
  torch.save(torch_i3d.random_i3d().state_dict(), path)
  return load_weights(path).variables


@pytest.fixture(scope="module")
def ours(variables):
  """End points in float64, by size; each is computed once."""
  found = {}

  def end_points(size):
    if size not in found:
      with jax.enable_x64(True):
        found[size] = apply(variables, clips(size), np.float64)
    return found[size]

  return end_points


def clips(size):
  rng = np.random.default_rng(0)
  return rng.uniform(-1, 1, (*size, 3))


def apply(variables, x, dtype):
  cast = jax.tree.map(lambda a: np.asarray(a, dtype), variables)
  run = jax.jit(lambda v, x: I3D().apply(v, x, method="end_points"))
  return jax.tree.map(np.asarray, run(cast, x.astype(dtype)))


def reference(x, **options):
  """End points of the PyTorch one, in float64."""
  model = torch_i3d.random_i3d(**options).double()
  with torch.inference_mode():
    points = model.end_points(torch.tensor(x))
  return {name: point.numpy() for name, point in points.items()}


def errors(found, expected):
  """Largest difference of each end point, relative to its largest value."""
  assert tuple(expected) == END_POINTS
  # JAX sorts names.
  assert sorted(found) == sorted(END_POINTS)
  for name, point in expected.items():
    assert found[name].shape == point.shape, name
  return {
    name: np.abs(found[name] - point).max() / np.abs(point).max()
    for name, point in expected.items()
  }


@pytest.mark.parametrize("size", SIZES)
def test_every_end_point_is_the_references(ours, size):
  found = ours(size)
  for name, error in errors(found, reference(clips(size))).items():
    assert error < 1e-10, name


def test_every_end_point_in_float32(variables):
  x = clips(SIZES[0])
  found = apply(variables, x, np.float32)
  for name, error in errors(found, reference(x)).items():
    assert found[name].dtype == np.float32
    assert error < 1e-4, name


@pytest.mark.parametrize(
  ("what", "options", "change"),
  [
    ("padding", {"symmetric": True}, lambda x: x),
    ("epsilon", {"epsilon": 1e-5}, lambda x: x),
    ("BGR", {}, lambda x: x[..., ::-1].copy()),
    ("range", {}, lambda x: (x + 1) / 2),
  ],
)
def test_another_network_is_told_apart(ours, what, options, change):
  """What the comparison above must notice."""
  size = SIZES[1]
  expected = reference(change(clips(size)), **options)
  wrong = errors(ours(size), expected)
  assert wrong["Conv3d_1a_7x7"] > 1e-5, what
  assert wrong["Mixed_5c"] > 1e-3, what


def test_features_are_means_of_windows():
  """Frames in the middle are in two windows, so they count twice."""
  rng = np.random.default_rng(0)
  x = rng.standard_normal((2, 3, 8, 7, 5)).astype(np.float32)
  windows = torch.nn.functional.avg_pool3d(
    torch.tensor(x).permute(0, 4, 1, 2, 3), (2, 7, 7), stride=1
  )
  expected = windows.mean((2, 3, 4)).numpy()
  np.testing.assert_allclose(pooled(jnp.asarray(x)), expected, atol=1e-6)
  assert np.abs(x.mean((1, 2, 3)) - expected).max() > 1e-2


@pytest.mark.parametrize("shape", [(1, 1, 7, 7, 3), (1, 2, 6, 7, 3)])
def test_a_clip_that_is_too_small_is_refused(shape):
  with pytest.raises(ValueError, match=r"at least 9 frames of 193 x 193"):
    pooled(jnp.zeros(shape))


def test_the_smallest_clip_has_features_and_logits(variables):
  """Shapes alone; the values are those of the parts above."""
  for name, channels in (("__call__", 1024), ("classify", 400)):
    out = jax.eval_shape(
      lambda v, x, name=name: I3D().apply(v, x, method=name),
      variables,
      jax.ShapeDtypeStruct((2, 9, 193, 193, 3), jnp.float32),
    )
    assert out.shape == (2, channels)


def test_bfloat16_clips_have_features_in_float32(variables):
  half = jax.tree.map(lambda x: jnp.asarray(x, jnp.bfloat16), variables)
  clip = jax.ShapeDtypeStruct((1, 16, 224, 224, 3), jnp.bfloat16)
  points = jax.eval_shape(
    lambda v, x: I3D().apply(v, x, method="end_points"), half, clip
  )
  assert {point.dtype for point in points.values()} == {jnp.dtype("bfloat16")}
  assert jax.eval_shape(I3D().apply, half, clip).dtype == np.float32


def test_logits_are_linear_in_the_features(variables):
  features = np.random.default_rng(0).random((3, 1024), np.float32)
  found = I3D().apply(variables, jnp.asarray(features), method="logits")
  layer = torch_i3d.random_i3d().logits.conv3d
  with torch.inference_mode():
    expected = layer(torch.tensor(features)[..., None, None, None])
  np.testing.assert_allclose(found, expected[..., 0, 0, 0], atol=1e-5)


@pytest.mark.slow
def test_features_and_logits_at_full_size(variables):
  x = clips((1, 16, 224, 224)).astype(np.float32)
  found = jax.jit(
    lambda v, x: (I3D().apply(v, x), I3D().apply(v, x, method="classify"))
  )(variables, x)
  with torch.inference_mode():
    expected = torch_i3d.random_i3d()(torch.tensor(x))
  for one, other in zip(found, expected, strict=True):
    scale = np.abs(other.numpy()).max()
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * scale)
