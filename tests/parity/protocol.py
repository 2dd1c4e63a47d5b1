"""What the replay asks of an implementation of the method."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from tests.parity.golden import Trajectory


class StepResult(NamedTuple):
  """A training step.

  Attributes:
    losses: By the names of the authors' program.
    smooth: Smoothness.
    sparsity: Sparsity.
    labels: Pseudo-labels used [b, n]; what hard ones hold does not matter.
    hard: Hard snippets [b, n].
    weights: Gives {"v" | "s": {torch name: array in torch's layout}}.
    history: Gives the memory, {key: [<= h, n]}, oldest first.
  """

  losses: dict[str, float]
  smooth: float
  sparsity: float
  labels: np.ndarray
  hard: np.ndarray
  weights: Callable[[], dict[str, dict[str, np.ndarray]]]
  history: Callable[[], dict[int, np.ndarray]]


class Implementation(Protocol):
  """The method, with weights by the golden recipe."""

  def video_forward(
    self, normal: np.ndarray, anomalous: np.ndarray
  ) -> dict[str, np.ndarray]:
    """The video branch's outputs by their golden names."""
    ...

  def snippet_forward(self, x: np.ndarray) -> np.ndarray:
    """Snippet scores [c, t] of features [c, t, d]."""
    ...

  def train(self, trajectory: Trajectory) -> Iterator[StepResult]:
    """Trains along a trajectory; a result is good until the next is asked."""
    ...
