"""The threshold that a run's own evaluation found best."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

# Folders of a run that have metrics of its own test split.
_RESULTS = ("results/selected", "results/last")


class Threshold(NamedTuple):
  """A threshold of snippet scores.

  Attributes:
    value: Scores from it on are anomalous.
    origin: Where it comes from, in words.
  """

  value: float
  origin: str


def best_f1_threshold(
  workdir: Path, config: Any, step: int
) -> Threshold | None:
  """The threshold with the best F1 over the frames of a run's test split.

  Args:
    workdir: The run's folder.
    config: Its configuration.
    step: Of the checkpoint that scores.

  Returns:
    None where that checkpoint was not evaluated, or F1 was not defined.

  Raises:
    ValueError: The run's metrics are damaged.
  """
  for folder in _RESULTS:
    file = workdir / folder / "metrics.json"
    if not file.is_file():
      continue
    try:
      results = json.loads(file.read_text("utf-8"))
      own, best = results["step"] == step, results["best_f1"]
      if own and best is not None:
        data = f"{config.data.builder}/{config.data.variant}"
        return Threshold(
          float(best["threshold"]),
          f"best F1, {best['f1']:.3f}, over the frames of the test split of "
          f"{data}, checkpoint of step {step}",
        )
    except (ValueError, KeyError, TypeError) as error:
      raise ValueError(
        f"{file} is damaged ({error!r}); write it again with python -m "
        "adplg_jax.main, or name a threshold with --threshold."
      ) from error
  return None


def quantile_threshold(
  scores: list[Float[np.ndarray, "_"]], quantile: float
) -> Threshold:
  """The threshold that a share of all snippets scored together is below.

  Args:
    scores: Of each video.
    quantile: That share, from 0 to 1.

  Returns:
    The threshold; infinite where there is no video.
  """
  value = np.quantile(np.concatenate(scores), quantile) if scores else np.inf
  return Threshold(
    float(value),
    f"quantile {quantile:g} of the snippets scored here, so {1 - quantile:.1%} "
    "of them are above it, whatever they show",
  )
