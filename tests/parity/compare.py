"""The package against the PyTorch reference: the same run, and how far apart.

Every measurement returns errors by name, relative to the quantity's largest
value in the reference.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from ml_collections import ConfigDict

from adplg_jax import (
  convert,
  losses,
  pseudo_labels,
  train_state,
  train_step,
)
from adplg_jax import method as method_lib
from adplg_jax.configs import base
from tests.parity import golden, torch_reference
from tests.parity.torch_reference import Options, Reference

Errors = dict[str, float]

SMALL = Options(
  feature_width=32,
  width=32,
  attention_width=16,
  classifier_width=8,
  local_heads=2,
  local_head_width=8,
  global_heads=2,
  global_head_width=8,
  feed_forward_width=24,
  max_snippets=400,
  dropout=0.0,
  block_dropout=0.0,
  warm_up=20,
  video_learning_rate=1e-3,
  decay_every=7,
)
FULL = Options(dropout=0.0, block_dropout=0.0, warm_up=1, decay_every=1)
# Rates, loss weights and shapes: what config.video and config.snippet call
# otherwise than Options does.
_VIDEO = ("width", "attention_width", "classifier_width", "dropout")
_SNIPPET = (
  "width",
  "windows",
  "local_heads",
  "local_head_width",
  "num_blocks",
  "global_heads",
  "global_head_width",
  "feed_forward_width",
  "classifier_width",
  "dropout",
  "block_dropout",
  "max_snippets",
  "decay_factor",
  "decay_every",
  "weight_decay",
)
_LABELS = ("history_length", "mean_threshold", "variance_threshold")


def config_of(options: Options, precision: str, segments: int) -> ConfigDict:
  """The package's config of the reference's options."""
  config = base.get_config()
  config.precision = precision
  config.num_segments = segments
  config.warm_up_steps = options.warm_up
  for part, names in (
    (config.video, (*_VIDEO, "weight_decay")),
    (config.snippet, _SNIPPET),
    (config.pseudo_labels, _LABELS),
    (config.loss_weights, tuple(config.loss_weights)),
  ):
    for name in names:
      part[name] = getattr(options, name)
  config.video.learning_rate = options.video_learning_rate
  config.snippet.learning_rate = options.snippet_learning_rate
  return config


def relative(found: Any, expected: Any) -> float:
  """Largest difference, relative to the largest expected value."""
  found, expected = np.asarray(found, float), np.asarray(expected, float)
  if found.shape != expected.shape:
    raise ValueError(f"shapes {found.shape} and {expected.shape} differ")
  worst, largest = abs(found - expected).max(), abs(expected).max()
  return float(worst / largest if largest else worst)


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
    self.video_entries = convert.video_entries(projected=projected)
    self.snippet_entries = convert.snippet_entries(
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
      params = convert.params_from_torch(entries, weights)
      params = jax.tree.map(self.to_jax, params)
      optimizer = getattr(self.method, f"{name}_optimizer")
      branches[name] = train_state.BranchState(params, optimizer.init(params))
    memory = pseudo_labels.init_memory(
      self.num_keys,
      self.method.history_length,
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


def _video_outputs(pair: Pair, params, normal, anomalous, lengths) -> dict:
  """The package's outputs by the reference's names, [b, ..] each."""
  out = pair.method.video_branch.apply(
    {"params": params}, normal, anomalous, lengths, lengths
  )
  logits = jnp.stack([out.normal_logits, out.anomalous_logits], 1)
  return {
    "scores_v": jax.nn.sigmoid(logits)[:, :, None],
    "a_att": out.anomalous_attention,
    "a_n_att": out.cross_attention,
    "fused": jnp.stack([out.normal_fused, out.anomalous_fused], 1),
    "a_feats": out.anomalous_fused,
    "a_n_feats": out.cross_fused,
    "n_feats": out.normal_fused,
  }


def forward_video(pair: Pair, rows: int, lengths: Sequence[int]) -> Errors:
  """Videos padded to `rows`, against each without its padding."""
  batch = make_batch(
    f"video {rows}", (len(lengths), rows, pair.options.feature_width), 1
  )
  with pair.scope():
    outputs = jax.jit(functools.partial(_video_outputs, pair))(
      pair.state.video.params,
      pair.to_jax(batch.normal),
      pair.to_jax(batch.anomalous),
      jnp.asarray(lengths),
    )
  errors: Errors = {}
  for i, t in enumerate(lengths):
    with torch.no_grad():
      expected = pair.reference.video(
        pair.to_torch(batch.normal[i : i + 1, :t]),
        pair.to_torch(batch.anomalous[i : i + 1, :t]),
      )
    for name, values in outputs.items():
      own = np.asarray(values[i])
      own = own[:t] if name.endswith("att") else own
      theirs = expected[name].numpy().reshape(own.shape)
      errors[f"{name} T={t} of {rows}"] = relative(own, theirs)
  return errors


def snippet_scores(
  pair: Pair, model: Any, x: np.ndarray, lengths: Sequence[int]
) -> np.ndarray:
  """The package's scores [b, t], by a snippet branch of any compute type."""

  def score(params, x, lengths):
    return jax.nn.sigmoid(model.apply({"params": params}, x, lengths))

  with pair.scope():
    scores = jax.jit(score)(
      pair.state.snippet.params, pair.to_jax(x), jnp.asarray(lengths)
    )
  return np.asarray(scores)


def forward_snippet(pair: Pair, rows: int, lengths: Sequence[int]) -> Errors:
  """Videos padded to `rows`, against each without its padding."""
  shape = (len(lengths), rows, pair.options.feature_width)
  x = golden.features(f"snippet {rows}", shape, 0)
  scores = snippet_scores(pair, pair.method.snippet_branch, x, lengths)
  errors: Errors = {}
  for i, t in enumerate(lengths):
    with torch.no_grad():
      expected = pair.reference.snippet(pair.to_torch(x[i : i + 1, :t]))
    name = f"scores T={t} of {rows}"
    errors[name] = relative(scores[i, :t], expected[0])
  return errors


def _torch_video_losses(
  pair: Pair, batch: Batch
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
  output = pair.reference.video(
    pair.to_torch(batch.normal), pair.to_torch(batch.anomalous)
  )
  parts = torch_reference.video_losses(output)
  total = sum(getattr(pair.options, n) * v for n, v in parts.items())
  return torch.as_tensor(total), parts


def _torch_snippet_loss(pair: Pair, batch: Batch) -> torch.Tensor:
  scores = pair.reference.snippet(
    pair.to_torch(np.concatenate([batch.normal, batch.anomalous]))
  )
  zeros = np.zeros_like(batch.labels)
  return torch_reference.snippet_loss(
    scores,
    pair.to_torch(np.concatenate([zeros, batch.labels])),
    torch.as_tensor(np.concatenate([zeros > 0, batch.hard])),
  )


def losses_and_gradients(pair: Pair, batch: Batch) -> tuple[Errors, Errors]:
  """Every loss by its name; the gradient of every parameter by its name."""
  method = pair.method
  with pair.scope():
    own = pair.jax_batch(batch)
    lengths = own["normal"]["length"]
    zeros = np.zeros_like(batch.labels)
    x = pair.to_jax(np.concatenate([batch.normal, batch.anomalous]))
    labels = pair.to_jax(np.concatenate([zeros, batch.labels]))
    hard = jnp.asarray(np.concatenate([zeros > 0, batch.hard]))

    def video_loss(params):
      output = method.video_branch.apply(
        {"params": params},
        own["normal"]["features"],
        own["anomalous"]["features"],
        lengths,
        lengths,
      )
      return train_step.video_losses(output, method)

    def snippet_loss(params):
      logits = method.snippet_branch.apply(
        {"params": params}, x, jnp.concatenate([lengths, lengths])
      )
      return losses.snippet_classification(logits, labels, hard)

    (_, parts), video = jax.jit(
      jax.value_and_grad(video_loss, has_aux=True)
    )(pair.state.video.params)
    loss, snippet = jax.jit(jax.value_and_grad(snippet_loss))(
      pair.state.snippet.params
    )
  total, expected = _torch_video_losses(pair, batch)
  expected_loss = _torch_snippet_loss(pair, batch)
  errors = {n: relative(parts[n], v.item()) for n, v in expected.items()}
  errors["snippet_classification"] = relative(loss, expected_loss.item())
  for module in (pair.reference.video, pair.reference.snippet):
    module.zero_grad()
  (total + expected_loss).backward()
  gradients = {
    **_gradient_errors(pair.video_entries, video, pair.reference.video),
    **_gradient_errors(pair.snippet_entries, snippet, pair.reference.snippet),
  }
  return errors, gradients


def _gradient_errors(
  entries: list[convert.Entry], gradient: Any, module: torch.nn.Module
) -> Errors:
  own = convert.params_to_torch(entries, gradient)
  theirs = {
    name: parameter.grad.numpy()
    for name, parameter in module.named_parameters()
    if parameter.grad is not None
  }
  if set(own) != set(theirs):
    raise ValueError(f"gradients of {set(own) ^ set(theirs)} on one side only")
  return {name: relative(own[name], theirs[name]) for name in theirs}


def train(pair: Pair, steps: int, batch_size: int) -> Errors:
  """Trains both; losses and labels on the way, all state at the end."""
  shape = (batch_size, pair.method.num_segments, pair.options.feature_width)
  with pair.scope():
    update = jax.jit(
      functools.partial(train_step.train_step, method=pair.method, seed=0),
      donate_argnames="state",
    )
  found, expected = [], []
  for number in range(steps):
    batch = make_batch(f"step {number}", shape, pair.num_keys)
    with pair.scope():
      pair.state, metrics = update(pair.state, pair.jax_batch(batch))
    theirs = pair.reference.step(batch.normal, batch.anomalous, batch.keys)
    hard = theirs.pop("hard")
    labels = torch.where(hard, 0, theirs.pop("labels"))
    found.append(
      [metrics[f"loss/{name}"] for name in theirs]
      + [metrics["labels/hard"], metrics["labels/mean"]]
    )
    expected.append(
      [*theirs.values(), hard.double().mean().item(), labels.mean().item()]
    )
  names = [*theirs, "hard labels", "mean label"]
  columns = zip(names, np.array(found).T, np.array(expected).T, strict=True)
  return {n: relative(f, e) for n, f, e in columns} | _state_errors(pair)


def _state_errors(pair: Pair) -> Errors:
  """Parameters, both moments of Adam, and the memory."""
  errors = _memory_errors(pair)
  for branch, entries in (
    ("video", pair.video_entries),
    ("snippet", pair.snippet_entries),
  ):
    own = getattr(pair.state, branch)
    adam = own.opt_state[1]
    optimizer = getattr(pair.reference, f"{branch}_optimizer")
    kept = dict(getattr(pair.reference, branch).named_parameters())
    for kind, tree, theirs in (
      ("parameter", own.params, lambda p: p.detach()),
      ("first moment", adam.mu, lambda p: optimizer.state[p]["exp_avg"]),
      ("second moment", adam.nu, lambda p: optimizer.state[p]["exp_avg_sq"]),
    ):
      for name, values in convert.params_to_torch(entries, tree).items():
        errors[f"{kind} {name}"] = relative(values, theirs(kept[name]))
  return errors


def _memory_errors(pair: Pair) -> Errors:
  history = pair.reference.memory.history
  count = np.asarray(pair.state.memory.count)
  expected = [len(history.get(key, [])) for key in range(pair.num_keys)]
  if list(count) != expected:
    raise ValueError(f"memory holds {list(count)} entries, not {expected}")
  errors = {}
  for key, entries in history.items():
    own = np.asarray(pair.state.memory.history[key])[-len(entries) :]
    errors[f"memory {key}"] = relative(own, torch.stack(entries))
  return errors
