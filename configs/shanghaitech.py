"""ShanghaiTech, frame AUC. I3D features (1024).

python -m adplg_jax.main --config=shanghaitech --workdir=runs/sht
"""

from typing import Any

from adplg_jax.configs import base


def get_config(argument: str = "") -> Any:
  variant, preset = base.parse_argument(argument, "features", "i3d")
  config = base.get_config(preset, history_key="crop")
  config.data.builder = "shanghaitech"
  config.data.variant = variant
  config.data.normalize = base.normalize(variant)
  config.pseudo_labels.history_length = 4
  config.pseudo_labels.mean_threshold = 0.2
  return config
