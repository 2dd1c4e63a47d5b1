"""XD-Violence, frame AP. Argument: i3d_vggish (1152, default) | i3d | clip.

python -m adplg_jax.main --config=xd_violence --workdir=runs/xd
"""

from typing import Any

from adplg_jax.configs import base


def get_config(argument: str = "") -> Any:
  variant, preset = base.parse_argument(argument, "features", "i3d_vggish")
  config = base.get_config(preset, history_key="crop")
  config.data.builder = "xd_violence"
  config.data.variant = variant
  config.data.normalize = base.normalize(variant)
  config.warm_up_steps = 1_500
  config.pseudo_labels.history_length = 5
  config.pseudo_labels.mean_threshold = 0.15
  config.pseudo_labels.variance_threshold = 0.5
  config.selection.metric = "frame_ap"
  return config
