"""UCF-Crime, frame AUC. Argument: i3d (1024, default) | clip (512).

python -m adplg_jax.main --config=ucf_crime:i3d --workdir=runs/ucf
"""

from typing import Any

from adplg_jax.configs import base


def get_config(argument: str = "") -> Any:
  variant, preset = base.parse_argument(argument, "features", "i3d")
  config = base.get_config(preset, history_key="video")
  config.data.builder = "ucf_crime"
  config.data.variant = variant
  config.data.normalize = base.normalize(variant)
  return config
