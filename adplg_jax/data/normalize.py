"""Features of any scale, brought to the scale that training expects.

`config.data.normalize` says how; the numbers are those of the training split
that a model was trained on, are kept in its checkpoints, and are applied to
everything that is scored with it. Source: docs/method.md, section 1.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

KINDS = ("none", "rms", "standardize")
# A channel whose deviation is below this share of its mean is constant but for
# rounding, which must not be blown up.
_CONSTANT = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Normalization:
  """What is done with every snippet: (x - offset) / scale.

  Attributes:
    kind: none | rms | standardize.
    offset: A float32 number, or one for each channel [d].
    scale: Likewise.
  """

  kind: str
  offset: Any
  scale: Any

  def apply(
    self, features: Float[np.ndarray, "*n d"]
  ) -> Float[np.ndarray, "*n d"]:
    """Normalised features, float32; the same array for kind none."""
    if self.kind == "none":
      return features
    return (features.astype(np.float32) - self.offset) / self.scale

  def apply_to_example(self, example: dict[str, Any]) -> dict[str, Any]:
    """An example with normalised features; rows of padding stay zero."""
    features, length = example["features"], int(example["length"])
    normalised = self.apply(features)
    if length < len(features) and self.kind != "none":
      normalised[length:] = 0
    return example | {"features": normalised}

  def to_json(self) -> dict[str, Any]:
    """As a checkpoint keeps it."""
    return {
      "kind": self.kind,
      "offset": self.offset.tolist(),
      "scale": self.scale.tolist(),
    }


# Features as they are.
NONE = Normalization("none", np.float32(0), np.float32(1))


def from_json(stored: Mapping[str, Any] | None) -> Normalization:
  """What a checkpoint keeps; none for one of before there were any."""
  if not stored:
    return NONE
  offset, scale = (np.float32(stored[part]) for part in ("offset", "scale"))
  return Normalization(stored["kind"], offset, scale)


def from_statistics(
  kind: str, statistics: Mapping[str, Any] | None, name: str
) -> Normalization:
  """The normalisation of a data set's training split.

  Args:
    kind: none | rms | standardize.
    statistics: Of the data set; None where it was prepared before they were
      measured.
    name: Of the data set, for messages.

  Returns:
    The normalisation. Channels without spread keep their scale.

  Raises:
    ValueError: Another kind, or there are no statistics.
  """
  if kind not in KINDS:
    raise ValueError(
      f"config.data.normalize is {kind!r}; allowed: {' | '.join(KINDS)}."
    )
  if kind == "none":
    return NONE
  if statistics is None:
    raise ValueError(
      f"config.data.normalize is {kind!r}, but {name} was prepared before "
      "preparation measured its features. Prepare it again with --overwrite, "
      "or use its features as they are: --config.data.normalize=none."
    )
  if kind == "rms":
    scale = np.float32(statistics["rms"] or 1)
    return Normalization(kind, np.float32(0), scale)
  mean, deviation = (
    np.asarray(statistics[part]) for part in ("mean", "deviation")
  )
  spread = deviation > _CONSTANT * np.abs(mean)
  scale = np.where(spread, deviation, 1)
  return Normalization(kind, np.float32(mean), np.float32(scale))
