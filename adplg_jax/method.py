"""The method, ready to run: models, optimisers and thresholds from a config.

The one place between the run's ConfigDict and the pure functions, which get
this small frozen object instead.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import optax

from adplg_jax import optimizer
from adplg_jax.models.snippet_branch import SnippetBranch
from adplg_jax.models.video_branch import VideoBranch

_COMPUTE_TYPES = {
  "float32": jnp.float32,
  "bfloat16": jnp.bfloat16,
  "float64": jnp.float64,
}


@dataclasses.dataclass(frozen=True)
class LossWeights:
  """Weight of each loss; docs/method.md, sections 2 and 4."""

  video_classification: float = 1.0
  separation: float = 1.0
  dissimilarity: float = 1.0
  smoothness: float = 1.0
  sparsity: float = 1.0
  snippet_classification: float = 1.0


@dataclasses.dataclass(frozen=True)
class Method:
  """All that a step needs beside state and batch.

  Attributes:
    video_branch: Model of the video branch.
    snippet_branch: Model of the snippet branch.
    video_optimizer: Optimiser of the video branch.
    snippet_optimizer: Optimiser of the snippet branch.
    loss_weights: Weights of the losses.
    num_segments: N.
    feature_width: D.
    num_keys: K, keys of the pseudo-label memory.
    history_length: H, entries a key.
    mean_threshold: tau_m.
    variance_threshold: tau_v.
    warm_up_steps: Steps in which the snippet branch rests.
    smooth_axis: "batch" or "time".
    bce: "probabilities" or "logits".
    mask_zero_rows: Keep the padding of short CLIP crops out of everything.
    drop_zero_losses: Leave snippet losses of exactly 0 out of their mean.
  """

  video_branch: VideoBranch
  snippet_branch: SnippetBranch
  video_optimizer: optax.GradientTransformation
  snippet_optimizer: optax.GradientTransformation
  loss_weights: LossWeights
  num_segments: int
  feature_width: int
  num_keys: int
  history_length: int
  mean_threshold: float
  variance_threshold: float
  warm_up_steps: int
  smooth_axis: str
  bce: str
  mask_zero_rows: bool
  drop_zero_losses: bool


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
  video, snippet = config.video, config.snippet
  switches, labels = config.switches, config.pseudo_labels
  seen = None if switches.decay_unseen_positions else config.num_segments
  return Method(
    video_branch=VideoBranch(
      width=video.width,
      attention_width=video.attention_width,
      classifier_width=video.classifier_width,
      dropout=video.dropout,
      **types,
    ),
    snippet_branch=SnippetBranch(
      width=snippet.width,
      windows=tuple(snippet.windows),
      local_heads=snippet.local_heads,
      local_head_width=snippet.local_head_width,
      num_blocks=snippet.num_blocks,
      global_heads=snippet.global_heads,
      global_head_width=snippet.global_head_width,
      feed_forward_width=snippet.feed_forward_width,
      classifier_width=snippet.classifier_width,
      dropout=snippet.dropout,
      block_dropout=snippet.block_dropout,
      max_snippets=snippet.max_snippets,
      mask_padded_keys=switches.mask_padded_keys,
      rotary_query_shift=switches.rotary_query_shift,
      **types,
    ),
    video_optimizer=optimizer.adam_with_l2(
      video.learning_rate, video.weight_decay
    ),
    snippet_optimizer=optimizer.adam_with_l2(
      optimizer.step_decay(
        snippet.learning_rate, snippet.decay_factor, snippet.decay_every
      ),
      snippet.weight_decay,
      seen,
    ),
    loss_weights=LossWeights(**config.loss_weights),
    num_segments=config.num_segments,
    feature_width=feature_width,
    num_keys=num_keys,
    history_length=labels.history_length,
    mean_threshold=labels.mean_threshold,
    variance_threshold=labels.variance_threshold,
    warm_up_steps=config.warm_up_steps,
    smooth_axis=switches.smooth_axis,
    bce=switches.bce,
    mask_zero_rows=switches.mask_zero_rows,
    drop_zero_losses=switches.drop_zero_losses,
  )
