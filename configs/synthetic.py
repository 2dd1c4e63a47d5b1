"""Synthetic videos that the package makes itself; small, for two CPU cores.

python -m adplg_jax.main --workdir=runs/synthetic
"""

from typing import Any

from adplg_jax.configs import base


def get_config(argument: str = "") -> Any:
  variant, preset = base.parse_argument(argument, "variant", "small")
  config = base.get_config(preset, history_key="video")
  config.data.builder = "synthetic"
  config.data.variant = variant
  config.batch_size = 16
  config.num_segments = 32
  config.total_steps = 800
  config.warm_up_steps = 150
  config.video.model.width = 64
  config.video.model.attention_width = 64
  config.video.optimizer.learning_rate = 1e-3
  config.snippet.model.width = 64
  config.snippet.model.local_heads = 2
  config.snippet.model.local_head_width = 16
  config.snippet.model.global_heads = 2
  config.snippet.model.global_head_width = 32
  config.snippet.model.feed_forward_width = 64
  config.snippet.model.max_snippets = 512
  config.evaluation.every_steps = 200
  config.checkpoint.every_steps = 200
  return config
