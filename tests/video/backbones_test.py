"""The backbone of a profile: its epsilon, its weights, their hash."""

import jax
import jax.numpy as jnp
import pytest

from adplg_jax.video import backbones, i3d_weights
from adplg_jax.video.i3d import I3D
from adplg_jax.video.i3d_weights import Weights
from adplg_jax.video.profiles import PROFILES

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
    backbones, "I3D", lambda **fields: made.append(fields) or I3D(**fields)
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
  for name in ("rocng", "urdmu"):
    with pytest.raises(ValueError, match=f"--profile {name} needs --weights"):
      backbones.load_backbone(PROFILES[name])
  assert asked == [None]


def test_it_computes_features_of_clips():
  model = I3D()
  clip = jax.ShapeDtypeStruct((2, 16, 224, 224, 3), jnp.float32)
  variables = jax.eval_shape(model.init, jax.random.key(0), clip)
  assert jax.eval_shape(model.apply, variables, clip).shape == (2, 1024)
