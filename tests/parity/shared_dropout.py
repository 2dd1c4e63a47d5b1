"""The package's dropout masks, handed to the PyTorch reference.

Two generators never draw the same masks. With the same masks both programs must
walk the same path, dropout on, to the last digit.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import linen as nn

from adplg_jax import train_state, train_step
from adplg_jax.method import Method
from adplg_jax.models.layers import Dropout
from tests.parity.pair import Batch, Pair

Masks = dict[str, jax.Array]


class GivenDropout(torch.nn.Module):
  """Dropout with a mask that is set before each step.

  Attributes:
    mask: 1 where a value is kept.
  """

  def __init__(self, rate: float):
    super().__init__()
    self.rate = rate
    self.mask: torch.Tensor | None = None

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """Drops, and scales what is kept."""
    if self.mask is None or self.mask.shape != x.shape:
      raise ValueError(f"no mask of shape {tuple(x.shape)} was given")
    mask, self.mask = self.mask, None
    return x * mask / (1 - self.rate)


class SharedDropout:
  """Lets a pair's reference drop what the package drops."""

  def __init__(self, pair: Pair, seed: int):
    """Replaces the reference's dropouts.

    Args:
      pair: Both programs.
      seed: The run's seed.
    """
    self._pair = pair
    self._masks = jax.jit(functools.partial(_masks, pair.method, seed))
    self._dropouts: dict[str, GivenDropout] = {}
    for branch in (pair.reference.video, pair.reference.snippet):
      for name, module in list(branch.named_modules()):
        if isinstance(module, torch.nn.Dropout) and module.p:
          self._dropouts[name] = GivenDropout(module.p)
          branch.set_submodule(name, self._dropouts[name])

  def give(self, batch: Batch) -> None:
    """Sets the masks that the package's next step will draw.

    Args:
      batch: What that step will see.
    """
    pair = self._pair
    with pair.scope():
      masks = self._masks(pair.state, pair.jax_batch(batch))
    if set(masks) != set(self._dropouts):
      raise ValueError(f"{set(masks) ^ set(self._dropouts)} on one side only")
    for name, mask in masks.items():
      self._dropouts[name].mask = pair.to_torch(np.array(mask))


def _masks(
  method: Method,
  seed: int,
  state: train_state.TrainState,
  batch: train_step.Batch,
) -> Masks:
  """Masks of a step by the names of the reference's dropouts."""
  streams = train_step.dropout_streams(seed, state.step + 1)
  normal, anomalous = batch["normal"], batch["anomalous"]
  video = _passed(
    method.video_branch,
    state.video.params,
    normal["features"],
    anomalous["features"],
    normal["length"],
    anomalous["length"],
    stream=streams["video"],
  )
  snippet = _passed(
    method.snippet_branch,
    state.snippet.params,
    train_step.interleave(normal["features"], anomalous["features"]),
    train_step.interleave(normal["length"], anomalous["length"]),
    stream=streams["snippet"],
  )
  # The video classifier is called for normal and anomalous videos, one by one.
  calls = video["classifier"]["Dropout_0"]["__call__"]
  masks = {"classifier_v.2": jnp.concatenate(calls) != 0}
  names = {"classifier_s.2": ("classifier", "Dropout_0")}
  for number in range(method.snippet_branch.num_blocks):
    ours, theirs = f"block_{number}", f"selfatt.layers.{number}"
    names[f"{theirs}.0.fn.to_out.1"] = (ours, "Dropout_0")
    names[f"{theirs}.1.fn.net.2"] = (ours, "Dropout_1")
    names[f"{theirs}.1.fn.net.4"] = (ours, "Dropout_2")
  for theirs, (module, dropout) in names.items():
    (passed,) = snippet[module][dropout]["__call__"]
    masks[theirs] = jnp.concatenate([passed[::2], passed[1::2]]) != 0
  return masks


def _passed(
  model: nn.Module, params: Any, *inputs: jax.Array, stream: jax.Array
) -> dict[str, Any]:
  """What each Dropout of a branch lets through, by its module.

  A 0 is taken for dropped; a value that was 0 before has no gradient either.
  """
  _, captured = model.apply(
    {"params": params},
    *inputs,
    train=True,
    rngs={"dropout": stream},
    capture_intermediates=lambda module, _: isinstance(module, Dropout),
    mutable=["intermediates"],
  )
  return captured["intermediates"]
