"""The backbone of a profile, with its weights."""

from pathlib import Path
from typing import Any

import jax

from adplg_jax.video import i3d_weights
from adplg_jax.video.classifier import classifier_of
from adplg_jax.video.extraction import Backbone
from adplg_jax.video.i3d import I3D
from adplg_jax.video.profiles import Profile


def load_backbone(profile: Profile, weights: Path | None = None) -> Backbone:
  """Loads a backbone.

  Args:
    profile: Says which.
    weights: The file of its weights; None for those that come with the extra
      `video`.

  Returns:
    The backbone.

  Raises:
    ValueError: The profile is known for weights that do not come with the
      package.
    WeightsError: The file cannot be used.
  """
  if weights is None and profile.own_weights:
    raise ValueError(
      f"--profile {profile.name} needs --weights FILE: it is known for I3D "
      "weights that do not come with this package (docs/extraction.md)."
    )
  loaded = i3d_weights.load_weights(weights)
  # Flax tells of more types than are returned here.
  apply: Any = I3D(epsilon=profile.epsilon).apply
  return Backbone(
    apply,
    jax.device_put(loaded.variables),
    loaded.sha256,
    classifier_of(loaded.variables, has_logits=loaded.has_logits),
  )
