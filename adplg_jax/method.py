"""The method, ready to run: models, optimisers and settings from a config.

The one place between the run's ConfigDict and the pure functions, which get
this small frozen object instead.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import optax
from ml_collections import FrozenConfigDict

from adplg_jax import optimizer
from adplg_jax.models.snippet_branch import SnippetBranch
from adplg_jax.models.video_branch import VideoBranch

_COMPUTE_TYPES = {
  "float32": jnp.float32,
  "bfloat16": jnp.bfloat16,
  "float64": jnp.float64,
}


# Part of a configuration, frozen.
Settings = Any


@dataclasses.dataclass(frozen=True)
class Method:
  """Everything that a step needs apart from state and batch.

  Attributes:
    video_branch: Model of the video branch.
    snippet_branch: Model of the snippet branch.
    video_optimizer: Optimiser of the video branch.
    snippet_optimizer: Optimiser of the snippet branch.
    loss_weights: Weights of the video branch's losses, by their names.
    pseudo_labels: history_length (H), mean_threshold, variance_threshold,
      synchronous.
    switches: Quirks of the authors' program; docs/method.md, section 8.
    num_segments: N.
    feature_width: D.
    num_keys: K, keys of the pseudo-label memory.
    warm_up_steps: Steps in which the snippet branch is not trained.
  """

  video_branch: VideoBranch
  snippet_branch: SnippetBranch
  video_optimizer: optax.GradientTransformation
  snippet_optimizer: optax.GradientTransformation
  loss_weights: Settings
  pseudo_labels: Settings
  switches: Settings
  num_segments: int
  feature_width: int
  num_keys: int
  warm_up_steps: int


def from_config(config: Any, *, feature_width: int, num_keys: int) -> Method:
  """Builds the method a config describes.

  Args:
    config: The run's configuration; see configs/base.py for every field.
    feature_width: D of the data set.
    num_keys: K of the data set, for the history key chosen.

  Returns:
    The method.
  """
  types = {
    "dtype": _COMPUTE_TYPES[config.precision],
    "param_dtype": (
      jnp.float64 if config.precision == "float64" else jnp.float32
    ),
  }
  switches = config.switches
  return Method(
    video_branch=VideoBranch(**config.video.model, **types),
    snippet_branch=SnippetBranch(
      **config.snippet.model,
      mask_padded_keys=switches.mask_padded_keys,
      rotary_query_shift=switches.rotary_query_shift,
      **types,
    ),
    video_optimizer=optimizer.adam_with_l2(**config.video.optimizer),
    snippet_optimizer=optimizer.adam_with_l2(
      **config.snippet.optimizer,
      decayed_positions=(
        None if switches.decay_unseen_positions else config.num_segments
      ),
    ),
    loss_weights=FrozenConfigDict(config.loss_weights),
    pseudo_labels=FrozenConfigDict(config.pseudo_labels),
    switches=FrozenConfigDict(switches),
    num_segments=config.num_segments,
    feature_width=feature_width,
    num_keys=num_keys,
    warm_up_steps=config.warm_up_steps,
  )
