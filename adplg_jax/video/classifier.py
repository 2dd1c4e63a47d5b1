"""What a snippet looks like to the classifier that its backbone was."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from adplg_jax.video.kinetics import CLASSES

# Classes that are named of a snippet.
_NAMED = 3


class Classifier(NamedTuple):
  """The last layer of I3D: classes of Kinetics-400.

  Attributes:
    kernel: [d, 400].
    bias: [400].
  """

  kernel: Float[np.ndarray, "d k"]
  bias: Float[np.ndarray, "k"]

  def likely(
    self, features: Float[np.ndarray, "c t d"]
  ) -> tuple[tuple[tuple[str, float], ...], ...]:
    """The most likely classes of each snippet.

    Args:
      features: Of its crops; their probabilities are averaged.

    Returns:
      Of each snippet three names with their probabilities, the highest first.
    """
    logits = features @ self.kernel + self.bias
    logits = np.exp(logits - logits.max(-1, keepdims=True))
    shares = (logits / logits.sum(-1, keepdims=True)).mean(0)
    best = np.argsort(-shares, axis=-1, kind="stable")[:, :_NAMED]
    return tuple(
      tuple((CLASSES[index], float(row[index])) for index in own)
      for row, own in zip(shares, best, strict=True)
    )


def classifier_of(variables: Any, *, has_logits: bool) -> Classifier | None:
  """The classifier of weights; None without logits, or of other classes.

  Args:
    variables: Of `I3D`.
    has_logits: Whether those of the logits are there.
  """
  if not has_logits:
    return None
  layer = variables["params"]["Logits"]
  if layer["kernel"].shape[-1] != len(CLASSES):
    return None
  return Classifier(np.asarray(layer["kernel"]), np.asarray(layer["bias"]))
