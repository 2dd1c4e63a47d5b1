"""How far the package is from the PyTorch reference.

Every measurement returns errors by name, relative to the quantity's largest
value in the reference.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from adplg_jax import losses, train_step
from adplg_jax.interop import torch_names
from tests.parity import golden, torch_reference
from tests.parity.pair import Batch, Pair, make_batch
from tests.parity.shared_dropout import SharedDropout

Errors = dict[str, float]

# Lengths of videos by the rows they are padded to: up to 128 rows the banded
# attention is dense, beyond it runs in blocks. A video of all rows has none.
LENGTHS = {
  37: (37,),
  128: (1, 2, 3, 5, 8, 13, 16, 31, 47, 64, 65, 97, 100, 127, 128),
  400: (1, 2, 7, 64, 129, 200, 333, 399, 400),
}


def relative(found: Any, expected: Any) -> float:
  """Largest difference, relative to the largest expected value."""
  found, expected = np.asarray(found, float), np.asarray(expected, float)
  if found.shape != expected.shape:
    raise ValueError(f"shapes {found.shape} and {expected.shape} differ")
  worst, largest = abs(found - expected).max(), abs(expected).max()
  return float(worst / largest if largest else worst)


def video_outputs(
  pair: Pair, model: Any, batch: Batch, lengths: Sequence[int]
) -> dict[str, np.ndarray]:
  """A video branch's outputs [b, ..] by the reference's names."""

  def run(params, normal, anomalous, lengths):
    out = model.apply({"params": params}, normal, anomalous, lengths, lengths)
    logits = jnp.stack([out.normal_logits, out.anomalous_logits], 1)
    return {
      "scores_v": jax.nn.sigmoid(logits),
      "a_att": out.anomalous_attention,
      "a_n_att": out.cross_attention,
      "fused": jnp.stack([out.normal_fused, out.anomalous_fused], 1),
      "a_feats": out.anomalous_fused,
      "a_n_feats": out.cross_fused,
      "n_feats": out.normal_fused,
    }

  with pair.scope():
    outputs = jax.jit(run)(
      pair.state.video.params,
      pair.to_jax(batch.normal),
      pair.to_jax(batch.anomalous),
      jnp.asarray(lengths),
    )
  return {name: np.asarray(values) for name, values in outputs.items()}


def forward_video(
  pair: Pair, rows: int, lengths: Sequence[int], **types: Any
) -> Errors:
  """Videos padded to `rows`, against each without its padding."""
  shape = (len(lengths), rows, pair.options.feature_width)
  batch = make_batch(f"video {rows}", shape, 1)
  model = pair.method.video_branch.clone(**types)
  outputs = video_outputs(pair, model, batch, lengths)
  errors: Errors = {}
  for i, t in enumerate(lengths):
    with torch.no_grad():
      expected = pair.reference.video(
        pair.to_torch(batch.normal[i : i + 1, :t]),
        pair.to_torch(batch.anomalous[i : i + 1, :t]),
      )
    for name, values in outputs.items():
      own = values[i, :t] if name.endswith("att") else values[i]
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


def forward_snippet(
  pair: Pair, rows: int, lengths: Sequence[int], **types: Any
) -> Errors:
  """Videos padded to `rows`, against each without its padding."""
  shape = (len(lengths), rows, pair.options.feature_width)
  x = golden.features(f"snippet {rows}", shape, 0)
  model = pair.method.snippet_branch.clone(**types)
  scores = snippet_scores(pair, model, x, lengths)
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
      valid = jnp.ones(output.anomalous_attention.shape, bool)
      return train_step.video_losses(output, valid, method)

    def snippet_loss(params):
      logits = method.snippet_branch.apply(
        {"params": params}, x, jnp.concatenate([lengths, lengths])
      )
      return losses.snippet_classification(
        logits, labels, hard, bce="probabilities", drop_zero_losses=True
      )

    (_, parts), video = jax.jit(jax.value_and_grad(video_loss, has_aux=True))(
      pair.state.video.params
    )
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
  entries: list[torch_names.Entry], gradient: Any, module: torch.nn.Module
) -> Errors:
  own = torch_names.params_to_torch(entries, gradient)
  theirs = {
    name: parameter.grad.numpy()
    for name, parameter in module.named_parameters()
    if parameter.grad is not None
  }
  if set(own) != set(theirs):
    raise ValueError(f"gradients of {set(own) ^ set(theirs)} on one side only")
  return {name: relative(own[name], theirs[name]) for name in theirs}


def train(pair: Pair, steps: int, batch_size: int) -> Errors:
  """Trains both; losses and labels on the way, all state at the end.

  Where dropout is on, the reference drops what the package drops.
  """
  shape = (batch_size, pair.method.num_segments, pair.options.feature_width)
  with pair.scope():
    update = jax.jit(
      functools.partial(train_step.train_step, method=pair.method, seed=0),
      donate_argnames="state",
    )
  dropout = SharedDropout(pair, seed=0) if pair.options.dropout else None
  found, expected = [], []
  for number in range(steps):
    batch = make_batch(f"step {number}", shape, pair.num_keys)
    if dropout is not None:
      dropout.give(batch)
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
  found, expected = {}, {}
  for branch, entries in (
    ("video", pair.video_entries),
    ("snippet", pair.snippet_entries),
  ):
    own = getattr(pair.state, branch)
    adam = own.opt_state[1]
    moments = getattr(pair.reference, f"{branch}_optimizer").state
    for name, theirs in getattr(pair.reference, branch).named_parameters():
      if torch_reference.UNUSED.match(name):
        continue
      expected[f"parameter {name}"] = theirs.detach()
      expected[f"first moment {name}"] = moments[theirs]["exp_avg"]
      expected[f"second moment {name}"] = moments[theirs]["exp_avg_sq"]
    for kind, tree in (
      ("parameter", own.params),
      ("first moment", adam.mu),
      ("second moment", adam.nu),
    ):
      for name, values in torch_names.params_to_torch(entries, tree).items():
        found[f"{kind} {name}"] = values
  if set(found) != set(expected):
    raise ValueError(f"{set(found) ^ set(expected)} on one side only")
  for name, values in found.items():
    errors[name] = relative(values, expected[name])
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
