"""CLIP's image tower against a PyTorch one of ours, from a folder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.video.clip import DEVIATION, MEAN, Architecture, Clip, normalized
from adplg_jax.video.clip_weights import load_weights
from tests.video import clip_folder

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from tests.video import torch_clip  # noqa: E402

# Another number of tokens than the folder's default, to be quick.
SIZES = {"image_size": 56}


def load(folder, config, model):
  """The weights of a reference, by way of a folder."""
  clip_folder.write_config(folder, **config)
  named = {n: x.numpy() for n, x in model.state_dict().items()}
  clip_folder.save(folder / "model.safetensors", named)
  return load_weights(folder)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
  model = torch_clip.random_clip(clip_folder.SMALL | SIZES)
  return load(tmp_path_factory.mktemp("clip"), SIZES, model)


@pytest.fixture(scope="module")
def ours(weights):
  """Features in float64."""
  with jax.enable_x64(True):
    return features(weights, images(), np.float64)


def images(size=56):
  """What is left over of an image beside its patches is not seen."""
  return np.random.default_rng(0).standard_normal((3, size, size, 3))


def features(weights, x, dtype):
  variables = jax.tree.map(lambda a: np.asarray(a, dtype), weights.variables)
  return np.asarray(jax.jit(Clip(weights.sizes).apply)(variables, dtype(x)))


def reference(x, changes=None, **options):
  config = clip_folder.SMALL | SIZES | (changes or {})
  model = torch_clip.random_clip(config, **options).double()
  with torch.inference_mode():
    return model(torch.tensor(x)).numpy()


def error(found, expected):
  """Largest difference relative to the largest value."""
  assert found.shape == expected.shape
  return np.abs(found - expected).max() / np.abs(expected).max()


def test_features_are_the_references(ours):
  assert ours.dtype == np.float64 and ours.shape == (3, 24)
  assert error(ours, reference(images())) < 1e-10


def test_features_in_float32(weights):
  found = features(weights, images(), np.float32)
  assert found.dtype == np.float32
  assert error(found, reference(images())) < 1e-4


@pytest.mark.parametrize(
  ("what", "changes", "options", "change", "least"),
  [
    ("exact GELU", {}, {"exact": True}, lambda x: x, 1e-3),
    ("no norm first", {}, {"pre_norm": False}, lambda x: x, 1e-2),
    ("epsilon", {"layer_norm_eps": 1e-6}, {}, lambda x: x, 1e-7),
    ("heads", {"num_attention_heads": 8}, {}, lambda x: x, 1e-3),
    ("BGR", {}, {}, lambda x: x[..., ::-1].copy(), 1e-2),
    ("x and y", {}, {}, lambda x: x.transpose(0, 2, 1, 3).copy(), 1e-2),
  ],
)
def test_another_network_is_told_apart(
  ours, what, changes, options, change, least
):
  """What the comparison above must notice."""
  wrong = error(ours, reference(change(images()), changes, **options))
  assert wrong > least, what


def test_epsilon_heads_and_features_are_the_folders(tmp_path):
  config = SIZES | {
    "layer_norm_eps": 1e-2,
    "num_attention_heads": 2,
    "patch_size": 8,
    "projection_dim": 7,
  }
  model = torch_clip.random_clip(clip_folder.SMALL | config)
  weights = load(tmp_path, config, model)
  with jax.enable_x64(True):
    found = features(weights, images(), np.float64)
  assert error(found, reference(images(), config)) < 1e-10


def test_bfloat16_images_have_features_in_bfloat16(weights):
  half = jax.tree.map(lambda x: jnp.asarray(x, jnp.bfloat16), weights.variables)
  out = jax.eval_shape(
    Clip(weights.sizes).apply,
    half,
    jax.ShapeDtypeStruct((1, 56, 56, 3), jnp.bfloat16),
  )
  assert out.dtype == jnp.bfloat16


def test_variables_that_it_makes_are_those_of_a_folder(weights):
  made = jax.eval_shape(
    Clip(weights.sizes).init, jax.random.key(0), jnp.zeros((1, 56, 56, 3))
  )
  shapes = jax.tree.map(lambda x: x.shape, weights.variables)
  assert jax.tree.map(lambda x: x.shape, made) == shapes


def test_sizes_are_those_of_vit_b_16():
  sizes = Architecture()
  assert sizes.tokens == 197
  made = jax.eval_shape(
    Clip(sizes).init, jax.random.key(0), jnp.zeros((1, 224, 224, 3))
  )
  # The original's image tower.
  assert sum(x.size for x in jax.tree.leaves(made)) == 86_192_640


def test_pixels_are_normalized_by_channel():
  pixels = np.array([[[0, 0, 0], [255, 255, 255], [1, 2, 3]]], np.uint8)
  found = np.asarray(normalized(jnp.asarray(pixels)))
  expected = (pixels / 255 - MEAN) / DEVIATION
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, expected, atol=1e-6)
  # By hand: black's red, white's blue.
  np.testing.assert_allclose(found[0, 0, 0], -1.7922626, atol=1e-6)
  np.testing.assert_allclose(found[0, 1, 2], 2.1458969, atol=1e-6)


@pytest.mark.slow
def test_features_at_full_size(tmp_path):
  model = torch_clip.random_clip(torch_clip.FULL)
  weights = load(tmp_path, torch_clip.FULL, model)
  assert weights.sizes == Architecture()
  x = images(224)[:2].astype(np.float32)
  with torch.inference_mode():
    expected = model(torch.tensor(x)).numpy()
  assert error(features(weights, x, np.float32), expected) < 1e-4
