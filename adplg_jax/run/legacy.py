"""Runs of earlier versions.

Those from before configurations mirrored the models are read, not continued:
their config.json has model and optimiser fields side by side, and their
checkpoints/selection.json says which checkpoint was selected. Later ones lack
at most fields that were added since.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Fields that were added since, each with the value that changes nothing.
_ADDED = {
  "data": {"normalize": "none", "resident": "off"},
  "pseudo_labels": {"synchronous": True},
  "seeds": 1,
  "steps_per_dispatch": 1,
  "video": {"model": {"cross_attention": True}},
}
_OPTIMIZER = ("learning_rate", "weight_decay", "decay_factor", "decay_every")


def upgrade(config: Mapping[str, Any]) -> dict[str, Any]:
  """A stored configuration of any version with all present fields."""
  return _complete(
    translate(config) if is_legacy(config) else dict(config), _ADDED
  )


def _complete(
  config: dict[str, Any], added: Mapping[str, Any]
) -> dict[str, Any]:
  """A configuration with those added fields that it does not have."""
  found = dict(added) | config
  for name, inner in added.items():
    if isinstance(inner, Mapping):
      found[name] = _complete(config[name], inner)
  return found


def is_legacy(config: Mapping[str, Any]) -> bool:
  """Whether a configuration has the old layout."""
  return "width" in config.get("video", {})


def translate(config: Mapping[str, Any]) -> dict[str, Any]:
  """A configuration of the old layout in the present one.

  A weight on the snippet branch's only loss is dropped: it changes no score.
  """
  translated = dict(config)
  for branch in ("video", "snippet"):
    fields = config[branch]
    translated[branch] = {
      "model": {k: v for k, v in fields.items() if k not in _OPTIMIZER},
      "optimizer": {k: v for k, v in fields.items() if k in _OPTIMIZER},
    }
  weights = dict(config["loss_weights"])
  weights.pop("snippet_classification", None)
  return translated | {"loss_weights": weights}


def read_selection(checkpoints: Path) -> tuple[str, dict[int, float]]:
  """What an old run's checkpoints were selected by, and each one's value.

  Raises:
    ValueError: The file is damaged.
  """
  file = checkpoints / "selection.json"
  if not file.exists():
    return "", {}
  try:
    stored = json.loads(file.read_text("utf-8"))
    values = {int(step): float(v) for step, v in stored["values"].items()}
    return stored["chosen_by"], values
  except (ValueError, AttributeError, KeyError, TypeError) as error:
    raise ValueError(
      f"{file} is damaged ({error}). Remove it: the last checkpoint is then "
      "the selected one."
    ) from error
