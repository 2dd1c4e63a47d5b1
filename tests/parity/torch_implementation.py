"""The PyTorch reference, as the replay drives it."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from tests.parity import golden, torch_reference
from tests.parity.protocol import StepResult
from tests.parity.torch_reference import Options, Reference

_LOSSES = {
  "cost_v": "video_branch",
  "loss_cls_s": "snippet_classification",
  "triplet": "separation",
  "loss_cls_v": "video_classification",
  "cosine": "dissimilarity",
}
_OPTIONS = {
  "warm_up": "warm_up",
  "video_learning_rate": "lr_v",
  "snippet_learning_rate": "lr_s",
  "weight_decay": "weight_decay",
  "decay_factor": "sch_gamma_s",
  "decay_every": "sch_step_s",
  "num_blocks": "layer_ts",
  "history_length": "pl_his_num",
  "mean_threshold": "thre_pesudo_a",
  "variance_threshold": "thre_var_a",
  "video_classification": "ls_v_w",
  "separation": "ls_tri_w",
  "dissimilarity": "ls_cos_w",
  "smoothness": "ls_sm_w",
  "sparsity": "ls_sp_w",
  "snippet_classification": "ls_s_w",
}


def fill(branch: torch.nn.Module, seed: int) -> None:
  """Sets every parameter by the golden recipe."""
  with torch.no_grad():
    for name, parameter in branch.named_parameters():
      values = golden.weight(name, tuple(parameter.shape), seed)
      parameter.copy_(torch.from_numpy(values))


def trained_weights(branch: torch.nn.Module) -> dict[str, np.ndarray]:
  """The parameters that training uses."""
  return {
    name: parameter.detach().numpy().copy()
    for name, parameter in branch.named_parameters()
    if not torch_reference.UNUSED.match(name)
  }


class TorchImplementation:
  """See `protocol.Implementation`."""

  def __init__(self, precision: str, seed: int):
    self._seed = seed
    self._options = Options(dropout=0.0, block_dropout=0.0)
    self._type = getattr(torch, precision)

  def video_forward(
    self, normal: np.ndarray, anomalous: np.ndarray
  ) -> dict[str, np.ndarray]:
    branch = torch_reference.VideoBranch(self._options).to(self._type)
    fill(branch, self._seed)
    with torch.no_grad():
      found = branch(
        torch.as_tensor(normal, dtype=self._type),
        torch.as_tensor(anomalous, dtype=self._type),
      )
    return {name: value.numpy() for name, value in found.items()}

  @functools.cached_property
  def _snippet_branch(self) -> torch_reference.SnippetBranch:
    branch = torch_reference.SnippetBranch(self._options).to(self._type)
    fill(branch, self._seed)
    return branch

  def snippet_forward(self, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
      features = torch.as_tensor(x, dtype=self._type)
      return self._snippet_branch(features).numpy()

  def train(self, trajectory: golden.Trajectory) -> Iterator[StepResult]:
    reference = Reference(self._training_options(trajectory.config), self._type)
    fill(reference.video, self._seed)
    fill(reference.snippet, self._seed)
    for inputs in trajectory.steps(self._seed):
      found = reference.step(inputs.normal, inputs.anomalous, inputs.keys)
      yield StepResult(
        losses={name: found[own] for name, own in _LOSSES.items()},
        smooth=found["smoothness"],
        sparsity=found["sparsity"],
        labels=found["labels"].numpy(),
        hard=found["hard"].numpy(),
        weights=lambda: {
          "v": trained_weights(reference.video),
          "s": trained_weights(reference.snippet),
        },
        history=lambda: {
          key: torch.stack(entries).numpy()
          for key, entries in reference.memory.history.items()
        },
      )

  def _training_options(self, options: Mapping[str, Any]) -> Options:
    return dataclasses.replace(
      self._options,
      windows=tuple(options[f"law{i}"] for i in range(1, 5)),
      **{name: options[theirs] for name, theirs in _OPTIONS.items()},
    )
