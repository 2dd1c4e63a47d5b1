"""Your own features, prepared from a manifest (docs/own_features.md).

python -m adplg_jax.prepare folder --name NAME --manifest manifest.csv
python -m adplg_jax.main --config=folder:NAME --workdir=runs/NAME
"""

from typing import Any

from adplg_jax.configs import base


def get_config(argument: str = "") -> Any:
  variant, preset = base.parse_argument(argument, "name", "")
  config = base.get_config(preset, history_key="video")
  config.data.builder = "folder"
  config.data.variant = variant
  config.data.normalize = base.OWN_NORMALIZE
  return config
