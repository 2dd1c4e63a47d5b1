"""One training step: both branches and the memory, a pure function.

Source: docs/method.md, section 5.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Shaped

from adplg_jax import losses, pseudo_labels
from adplg_jax.method import Method
from adplg_jax.models.attention import valid_rows
from adplg_jax.models.video_branch import VideoBranchOutput
from adplg_jax.run import sharding
from adplg_jax.train_state import BranchState, TrainState

Batch = dict[str, dict[str, Array]]
Metrics = dict[str, Float[Array, ""]]

# Metrics that are NaN where a batch does not define them.
PARTIAL_METRICS = ("labels/precision", "labels/recall")


def train_step(
  state: TrainState, batch: Batch, *, method: Method, seed: Any
) -> tuple[TrainState, Metrics]:
  """Updates the video branch and the memory, after warm-up the snippet branch.

  Labels come from the forward pass before the video branch's update.

  Args:
    state: The state before the step.
    batch: {"normal": {"features" [b n d], "length" [b]}, "anomalous":
      {"features" [b n d], "length" [b], "key" [b]}}; pairs are at the same
      place. The anomalous videos may have their "truth" [b n], which is
      compared with their labels and has no other effect.
    method: Models, optimisers, settings.
    seed: The run's seed; dropout is a function of it and of the step.

  Returns:
    The state after the step, and its metrics.
  """
  step = state.step + 1
  streams = dropout_streams(seed, step)
  batch = _prepare(batch, method)

  anomalous = batch["anomalous"]
  valid = valid_rows(anomalous["length"], method.num_segments)
  video, output, metrics = _video_update(
    state.video, batch, valid, method, streams["video"]
  )
  raw = pseudo_labels.min_max(output.anomalous_attention, valid)
  memory, labels = _pseudo_labels(
    state.memory,
    *sharding.replicate((anomalous["key"], raw, valid)),
    step=step,
    method=method,
  )
  snippet, snippet_metrics = jax.lax.cond(
    step > method.warm_up_steps,
    lambda snippet: _snippet_update(
      snippet, batch, labels, method, streams["snippet"]
    ),
    lambda snippet: (snippet, _no_snippet_metrics(video)),
    state.snippet,
  )
  metrics |= snippet_metrics
  metrics["labels/hard"] = labels.hard.mean()
  metrics["labels/mean"] = jnp.where(labels.hard, 0, labels.labels).mean()
  if "truth" in anomalous:
    found = pseudo_labels.quality(
      labels,
      sharding.replicate(anomalous["truth"]),
      mean_threshold=method.pseudo_labels.mean_threshold,
    )
    metrics |= {f"labels/{k}": v for k, v in found._asdict().items()}
  return TrainState(step, video, snippet, memory), metrics


def _pseudo_labels(
  memory: pseudo_labels.Memory,
  keys: Int[Array, "b"],
  raw: Float[Array, "b n"],
  valid: Bool[Array, "b n"],
  *,
  step: Any,
  method: Method,
) -> tuple[pseudo_labels.Memory, pseudo_labels.PseudoLabels]:
  """The labels of a step, and the memory after it.

  They follow the attention in every step, or stay those of the warm-up.
  """
  thresholds = {
    "mean_threshold": method.pseudo_labels.mean_threshold,
    "variance_threshold": method.pseudo_labels.variance_threshold,
  }

  def follow(memory):
    return pseudo_labels.update(memory, keys, raw, valid, **thresholds)

  def stay(memory):
    labels = pseudo_labels.remembered(memory, keys, valid, **thresholds)
    return memory, labels

  if method.pseudo_labels.synchronous:
    return follow(memory)
  return jax.lax.cond(step > method.warm_up_steps, stay, follow, memory)


def dropout_streams(seed: Any, step: Any) -> dict[str, jax.Array]:
  """Keys of the dropout of both branches, functions of (seed, step)."""
  stream = jax.random.fold_in(jax.random.key(seed), step)
  return dict(zip(("video", "snippet"), jax.random.split(stream), strict=True))


def _prepare(batch: Batch, method: Method) -> Batch:
  """Parameter type for the features; full lengths when padding counts."""

  def prepare(part: dict[str, Array]) -> dict[str, Array]:
    length = part["length"]
    if not method.switches.mask_zero_rows:
      length = jnp.full_like(length, method.num_segments)
    features = part["features"].astype(method.video_branch.param_dtype)
    return part | {"features": features, "length": length}

  return {name: prepare(part) for name, part in batch.items()}


def video_losses(
  output: VideoBranchOutput, valid: Bool[Array, "b n"], method: Method
) -> tuple[Float[Array, ""], Metrics]:
  """The weighted sum of the video branch's losses, and each by its name.

  Args:
    output: Of the video branch.
    valid: Snippets of the anomalous videos that are not padding.
    method: Weights and switches.

  Returns:
    The sum, and the parts without their weights; those over the cross attention
    are 0 in a branch without it.
  """
  switches = method.switches
  classification = losses.video_classification(
    output.normal_logits, output.anomalous_logits, bce=switches.bce
  )
  separation = dissimilarity = jnp.zeros_like(classification)
  if output.cross_fused is not None:
    separation = losses.separation(
      output.normal_fused, output.cross_fused, output.anomalous_fused
    )
  if output.cross_attention is not None:
    dissimilarity = losses.dissimilarity(
      output.anomalous_attention, output.cross_attention
    )
  parts = {
    "video_classification": classification,
    "separation": separation,
    "dissimilarity": dissimilarity,
    "smoothness": losses.smoothness(
      output.anomalous_attention, valid, axis=switches.smooth_axis
    ),
    "sparsity": losses.sparsity(output.anomalous_attention, valid),
  }
  total = sum(method.loss_weights[name] * loss for name, loss in parts.items())
  return jnp.asarray(total), parts


def _video_update(
  branch: BranchState,
  batch: Batch,
  valid: Bool[Array, "b n"],
  method: Method,
  stream: jax.Array,
) -> tuple[BranchState, VideoBranchOutput, Metrics]:
  """Forward, losses and update of the video branch."""

  def loss(params):
    output: Any = method.video_branch.apply(
      {"params": params},
      batch["normal"]["features"],
      batch["anomalous"]["features"],
      batch["normal"]["length"],
      batch["anomalous"]["length"],
      train=True,
      rngs={"dropout": stream},
    )
    total, parts = video_losses(output, valid, method)
    return total, (output, parts)

  (total, (output, parts)), gradient = jax.value_and_grad(loss, has_aux=True)(
    branch.params
  )
  metrics = {f"loss/{name}": value for name, value in parts.items()}
  metrics["loss/video_branch"] = total
  metrics["gradient_norm/video_branch"] = optax.tree.norm(gradient)
  return _apply(branch, gradient, method.video_optimizer), output, metrics


def interleave(
  normal: Shaped[Array, "b ..."], anomalous: Shaped[Array, "b ..."]
) -> Shaped[Array, "2*b ..."]:
  """Pairs as rows of the snippet branch: normal 0, anomalous 0, normal 1, ...

  This keeps b divided over the devices as it was.
  """
  pairs = jnp.stack([normal, anomalous], axis=1)
  return pairs.reshape(-1, *pairs.shape[2:])


def _snippet_update(
  branch: BranchState,
  batch: Batch,
  labels: pseudo_labels.PseudoLabels,
  method: Method,
  stream: jax.Array,
) -> tuple[BranchState, Metrics]:
  """Forward, loss and update of the snippet branch on the same batch."""
  normal, anomalous = batch["normal"], batch["anomalous"]
  x = interleave(normal["features"], anomalous["features"])
  lengths = interleave(normal["length"], anomalous["length"])
  target = interleave(jnp.zeros_like(labels.labels), labels.labels)
  padding = ~valid_rows(normal["length"], method.num_segments)
  ignored = interleave(padding, labels.hard)

  def loss(params):
    logits: Any = method.snippet_branch.apply(
      {"params": params}, x, lengths, train=True, rngs={"dropout": stream}
    )
    return losses.snippet_classification(
      logits,
      target,
      ignored,
      bce=method.switches.bce,
      drop_zero_losses=method.switches.drop_zero_losses,
    )

  value, gradient = jax.value_and_grad(loss)(branch.params)
  metrics = {
    "loss/snippet_classification": value,
    "gradient_norm/snippet_branch": optax.tree.norm(gradient),
  }
  return _apply(branch, gradient, method.snippet_optimizer), metrics


def _no_snippet_metrics(video: BranchState) -> Metrics:
  """What the snippet branch reports in the warm-up: zeros of its type."""
  zero = jnp.zeros((), jax.tree.leaves(video.params)[0].dtype)
  return {
    "loss/snippet_classification": zero,
    "gradient_norm/snippet_branch": zero,
  }


def _apply(
  branch: BranchState, gradient: Any, optimizer: optax.GradientTransformation
) -> BranchState:
  """One update of the optimiser."""
  updates, opt_state = optimizer.update(
    gradient, branch.opt_state, branch.params
  )
  return BranchState(optax.apply_updates(branch.params, updates), opt_state)
