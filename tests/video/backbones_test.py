"""The backbone of a profile: its epsilon, its weights, their hash."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.video import backbones, i3d, i3d_weights
from adplg_jax.video.i3d import I3D
from adplg_jax.video.i3d_weights import Weights
from adplg_jax.video.profiles import PROFILES
from adplg_jax.video.weight_files import WeightsError
from tests.video import clip_folder

SHA256 = "ef" * 32


@pytest.fixture
def asked(monkeypatch):
  """What files of weights are asked for; theirs are of numbers 1."""
  found = []

  def load_weights(path):
    found.append(path)
    return Weights({"params": {"kernel": jnp.ones(3)}}, SHA256, "test", False)

  monkeypatch.setattr(i3d_weights, "load_weights", load_weights)
  return found


@pytest.mark.parametrize(
  ("profile", "epsilon"),
  [("kinetics-scratch", 1e-3), ("rocng", 1e-3), ("urdmu", 1e-5)],
)
def test_a_profile_has_its_epsilon_and_weights(
  tmp_path, asked, profile, epsilon, monkeypatch
):
  made = []
  monkeypatch.setattr(
    i3d, "I3D", lambda **fields: made.append(fields) or I3D(**fields)
  )
  file = tmp_path / "weights.npz"
  backbone = backbones.load_backbone(PROFILES[profile], file)
  assert made == [{"epsilon": epsilon}] and asked == [file]
  assert backbone.sha256 == SHA256
  (leaf,) = jax.tree.leaves(backbone.variables)
  assert isinstance(leaf, jax.Array) and leaf.tolist() == [1, 1, 1]


def test_only_the_default_profile_comes_with_weights(asked):
  backbones.load_backbone(PROFILES["kinetics-scratch"])
  assert asked == [None]
  for name, needed in (
    ("rocng", "FILE: it is known for I3D weights"),
    ("urdmu", "FILE: it is known for I3D weights"),
    ("vadclip", "DIR: a folder with config.json and model.safetensors of CLIP"),
  ):
    with pytest.raises(
      ValueError, match=f"--profile {name} needs --weights {needed}"
    ):
      backbones.load_backbone(PROFILES[name])
  assert asked == [None]


def test_i3d_sees_pixels_from_minus_1_to_1(asked, monkeypatch):
  seen = []

  class Model:
    def __init__(self, **fields):
      pass

    def apply(self, variables, clips):
      seen.append(np.asarray(clips))

  monkeypatch.setattr(i3d, "I3D", Model)
  backbone = backbones.load_backbone(PROFILES["kinetics-scratch"])
  pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 1, 16, 16, 3)
  backbone.apply(None, jnp.asarray(pixels))
  np.testing.assert_allclose(seen[0], pixels / 127.5 - 1, atol=1e-6)
  assert seen[0].min() == -1 and seen[0].max() == 1


def test_i3d_computes_features_of_clips():
  model = I3D()
  clip = jax.ShapeDtypeStruct((2, 16, 224, 224, 3), jnp.float32)
  variables = jax.eval_shape(model.init, jax.random.key(0), clip)
  assert jax.eval_shape(model.apply, variables, clip).shape == (2, 1024)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  return clip_folder.write(tmp_path_factory.mktemp("clip"))


def test_clip_averages_the_frames_it_sees(folder):
  backbone = backbones.load_backbone(PROFILES["vadclip"], folder)
  rng = np.random.default_rng(0)
  clips = rng.integers(0, 256, (2, 3, 224, 224, 3), np.uint8)
  apply = jax.jit(backbone.apply)
  whole = apply(backbone.variables, clips)
  assert whole.shape == (2, 24) and whole.dtype == np.float32
  single = [apply(backbone.variables, clips[:, i : i + 1]) for i in range(3)]
  np.testing.assert_allclose(whole, np.mean(single, 0), atol=1e-5)
  assert np.abs(single[0] - whole).max() > 1e-2
  assert np.abs(whole[0] - whole[1]).max() > 1e-2


def test_clip_of_another_image_size_is_refused(tmp_path):
  folder = clip_folder.write(tmp_path, image_size=240)
  with pytest.raises(WeightsError, match=r"images of 240 pixels; allowed: ima"):
    backbones.load_backbone(PROFILES["vadclip"], folder)
