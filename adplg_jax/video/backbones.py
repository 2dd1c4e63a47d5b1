"""The backbone of a profile, with its weights."""

from pathlib import Path
from typing import Any

import jax
from jaxtyping import Array, Float, UInt8

from adplg_jax.video import clip, clip_weights, i3d, i3d_weights
from adplg_jax.video.classifier import classifier_of
from adplg_jax.video.extraction import Backbone
from adplg_jax.video.profiles import CROP, Profile
from adplg_jax.video.weight_files import WeightsError

_NEEDED = {
  "i3d": "FILE: it is known for I3D weights that do not come with this package",
  "clip": "DIR: a folder with config.json and model.safetensors of CLIP "
  "ViT-B/16, such as openai/clip-vit-base-patch16",
}


def load_backbone(profile: Profile, weights: Path | None = None) -> Backbone:
  """Loads a backbone.

  Args:
    profile: Says which.
    weights: The file of its weights, of CLIP the folder; None for those that
      come with the extra `video`.

  Returns:
    The backbone.

  Raises:
    ValueError: The profile is known for weights that do not come with the
      package.
    WeightsError: They cannot be used.
  """
  if weights is None and profile.own_weights:
    raise ValueError(
      f"--profile {profile.name} needs --weights {_NEEDED[profile.backbone]} "
      "(docs/extraction.md)."
    )
  if profile.backbone == "clip" and weights is not None:
    return _clip(weights)
  return _i3d(profile.epsilon, weights)


def _i3d(epsilon: float, weights: Path | None) -> Backbone:
  """I3D; it sees all frames of a clip at once."""
  loaded = i3d_weights.load_weights(weights)
  model = i3d.I3D(epsilon=epsilon)

  def features(variables: Any, clips: UInt8[Array, "b t h w 3"]) -> Any:
    return model.apply(variables, i3d.scaled(clips))

  return Backbone(
    features,
    jax.device_put(loaded.variables),
    loaded.sha256,
    classifier_of(loaded.variables, has_logits=loaded.has_logits),
  )


def _clip(weights: Path) -> Backbone:
  """CLIP; features of a clip are the mean of those of its frames.

  Raises:
    WeightsError: See `clip_weights`; or they are for images of another size.
  """
  loaded = clip_weights.load_weights(weights)
  if loaded.sizes.image != CROP:
    raise WeightsError(
      f"{weights} is for images of {loaded.sizes.image} pixels; allowed: "
      f"image_size {CROP}, as crops have it."
    )
  model = clip.Clip(loaded.sizes)

  def features(variables: Any, clips: UInt8[Array, "b t h w 3"]) -> Any:
    images = clip.normalized(clips.reshape(-1, *clips.shape[2:]))
    each: Any = model.apply(variables, images)
    of_clips: Float[Array, "b t d"] = each.reshape(*clips.shape[:2], -1)
    return of_clips.mean(axis=1)

  return Backbone(features, jax.device_put(loaded.variables), loaded.sha256)
