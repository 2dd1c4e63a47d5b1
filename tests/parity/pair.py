"""A run of the PyTorch reference, and the package started with its weights."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from ml_collections import ConfigDict

from adplg_jax import method as method_lib
from adplg_jax import pseudo_labels, train_state, train_step
from adplg_jax.configs import base
from adplg_jax.interop import torch_names
from tests.parity import golden
from tests.parity.torch_reference import Options, Reference

# Learning rates have another name there, one for each branch; what the
# reference cannot leave out is there by default.
_NOT_OPTIONS = {"learning_rate", "cross_attention", "synchronous"}

SMALL = Options(
  feature_width=32,
  width=32,
  attention_width=16,
  classifier_width=8,
  windows=(2, 6),
  local_heads=2,
  local_head_width=8,
  num_blocks=1,
  global_heads=2,
  global_head_width=8,
  feed_forward_width=24,
  max_snippets=400,
  dropout=0.0,
  block_dropout=0.0,
  warm_up=20,
  video_learning_rate=1e-3,
  decay_every=7,
  video_classification=0.9,
  separation=1.2,
  dissimilarity=0.8,
  smoothness=1.5,
  sparsity=0.7,
)
FULL = Options(dropout=0.0, block_dropout=0.0, warm_up=1, decay_every=1)


def config_of(options: Options, precision: str, segments: int) -> ConfigDict:
  """The package's config of the reference's options."""
  config = base.get_config()
  config.precision = precision
  config.num_segments = segments
  config.warm_up_steps = options.warm_up
  for part in (
    config.video.model,
    config.video.optimizer,
    config.snippet.model,
    config.snippet.optimizer,
    config.pseudo_labels,
    config.loss_weights,
  ):
    for name in set(part) - _NOT_OPTIONS:
      part[name] = getattr(options, name)
  config.video.optimizer.learning_rate = options.video_learning_rate
  config.snippet.optimizer.learning_rate = options.snippet_learning_rate
  return config


@dataclasses.dataclass
class Batch:
  """Pairs of videos, their memory keys and labels made up for the loss."""

  normal: np.ndarray
  anomalous: np.ndarray
  keys: np.ndarray
  labels: np.ndarray
  hard: np.ndarray


def make_batch(name: str, shape: tuple[int, int, int], num_keys: int) -> Batch:
  """A batch of that name: always the same."""
  rng = np.random.RandomState(len(name) + sum(name.encode()))
  labels = rng.uniform(size=shape[:2])
  labels[::2] = labels[::2] > 0.6
  anomalous = golden.features(f"anomalous {name}", shape, 0)
  anomalous[:, : shape[1] // 4] += 0.4
  return Batch(
    normal=golden.features(f"normal {name}", shape, 0),
    anomalous=anomalous,
    keys=rng.randint(num_keys, size=shape[0]).astype(np.int32),
    labels=labels,
    hard=rng.uniform(size=shape[:2]) < 0.3,
  )


class Pair:
  """A reference, and the package started with its weights.

  Attributes:
    reference: The run in PyTorch.
    method: The package's method, with the same settings.
    state: The package's state.
  """

  def __init__(
    self, options: Options, precision: str, *, segments: int, num_keys: int = 3
  ):
    self.options = options
    self.num_keys = num_keys
    self._precision = precision
    torch.manual_seed(0)
    self.reference = Reference(options, getattr(torch, precision))
    self.method = method_lib.from_config(
      config_of(options, precision, segments),
      feature_width=options.feature_width,
      num_keys=num_keys,
    )
    projected = options.feature_width != options.width
    self.video_entries = torch_names.video_entries(projected=projected)
    self.snippet_entries = torch_names.snippet_entries(
      windows=options.windows,
      num_blocks=options.num_blocks,
      projected=projected,
    )
    with self.scope():
      self.state = self._state()

  @contextlib.contextmanager
  def scope(self) -> Iterator[None]:
    """The pair's precision."""
    with (
      jax.enable_x64(self._precision == "float64"),
      jax.default_matmul_precision("highest"),
    ):
      yield

  def to_jax(self, x: Any) -> jax.Array:
    """In the precision of the pair."""
    return jnp.asarray(np.asarray(x), self._precision)

  def to_torch(self, x: Any) -> torch.Tensor:
    """In the precision of the pair."""
    return torch.as_tensor(np.asarray(x), dtype=self.reference.dtype)

  def _state(self) -> train_state.TrainState:
    branches = {}
    for name, entries in (
      ("video", self.video_entries),
      ("snippet", self.snippet_entries),
    ):
      weights = {
        name: tensor.numpy().copy()
        for name, tensor in getattr(self.reference, name).state_dict().items()
      }
      params = torch_names.params_from_torch(entries, weights)
      params = jax.tree.map(self.to_jax, params)
      optimizer = getattr(self.method, f"{name}_optimizer")
      branches[name] = train_state.BranchState(params, optimizer.init(params))
    memory = pseudo_labels.init_memory(
      self.num_keys,
      self.method.pseudo_labels.history_length,
      self.method.num_segments,
      self._precision,
    )
    return train_state.TrainState(
      step=jnp.zeros((), jnp.int32), memory=memory, **branches
    )

  def jax_batch(self, batch: Batch) -> train_step.Batch:
    """The batch as the training step takes it."""
    lengths = jnp.full(len(batch.keys), batch.normal.shape[1], jnp.int32)
    return {
      "normal": {"features": self.to_jax(batch.normal), "length": lengths},
      "anomalous": {
        "features": self.to_jax(batch.anomalous),
        "length": lengths,
        "key": jnp.asarray(batch.keys),
      },
    }
