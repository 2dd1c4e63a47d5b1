"""What the config.json of a folder says of CLIP's image tower."""

import json
from pathlib import Path
from typing import Any

from adplg_jax.video.clip import Architecture
from adplg_jax.video.weight_files import WeightsError

CONFIG = "config.json"
# What a file leaves out is what the library transformers takes for it.
_DEFAULTS = {
  "hidden_size": 768,
  "intermediate_size": 3072,
  "num_hidden_layers": 12,
  "num_attention_heads": 12,
  "image_size": 224,
  "patch_size": 32,
}
_FEATURES = 512
_EPSILON = 1e-5
_LARGEST = 2**16
# Fields of which one value alone is computed here, left out or not.
_FIXED = {"hidden_act": "quick_gelu", "num_channels": 3}


def read_architecture(folder: Path) -> Architecture:
  """Sizes of the image tower.

  Args:
    folder: Its config.json is of a whole CLIP or of its image tower.

  Returns:
    The sizes.

  Raises:
    WeightsError: It cannot be read, or is of another network; names the field.
  """
  path = folder / CONFIG
  config = _read(path)
  kind = config.get("model_type")
  if kind == "clip":
    tower = config.get("vision_config", {})
    _check(isinstance(tower, dict), path, "vision_config", tower, "an object")
  else:
    tower = config
    known = kind == "clip_vision_model"
    _check(known, path, "model_type", kind, "'clip' or 'clip_vision_model'")
  for field, value in _FIXED.items():
    found = tower.get(field, value)
    _check(found == value, path, field, found, repr(value))
  sizes = [_number(path, tower, *field) for field in _DEFAULTS.items()]
  epsilon = tower.get("layer_norm_eps", _EPSILON)
  positive = isinstance(epsilon, float) and 0 < epsilon < 1
  _check(positive, path, "layer_norm_eps", epsilon, "from 0 to 1")
  # A whole CLIP's is the one that both of its towers are projected to.
  features = _number(path, config, "projection_dim", _FEATURES)
  found = Architecture(*sizes, epsilon=epsilon, features=features)
  _check(
    found.width % found.heads == 0,
    path,
    "num_attention_heads",
    found.heads,
    f"a divisor of hidden_size, {found.width}",
  )
  _check(
    found.patch <= found.image,
    path,
    "patch_size",
    found.patch,
    f"up to image_size, {found.image}",
  )
  return found


def _read(path: Path) -> dict[str, Any]:
  """The object of a JSON file.

  Raises:
    WeightsError: There is none.
  """
  try:
    config = json.loads(path.read_bytes())
  except FileNotFoundError as error:
    raise WeightsError(
      f"{path} does not exist; the folder needs it beside its .safetensors."
    ) from error
  except ValueError as error:
    raise WeightsError(f"{path} is no JSON file ({error}).") from error
  if not isinstance(config, dict):
    raise WeightsError(
      f"{path} has {type(config).__name__}; an object is needed."
    )
  return config


def _number(path: Path, config: dict[str, Any], field: str, usual: int) -> int:
  number = config.get(field, usual)
  allowed = type(number) is int and 1 <= number <= _LARGEST
  _check(allowed, path, field, number, f"from 1 to {_LARGEST}")
  return number


def _check(
  good: bool, path: Path, field: str, value: Any, allowed: str
) -> None:
  if not good:
    raise WeightsError(f"{path}: {field} is {value!r}; allowed: {allowed}.")
