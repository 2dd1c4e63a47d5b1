"""Configurations: files, arguments, overrides."""

import pytest

from adplg_jax.configs import synthetic
from adplg_jax.run import config


@pytest.mark.parametrize(
  ("name", "nearest"),
  [
    (
      "lr",
      "config.video.optimizer.learning_rate, "
      "config.snippet.optimizer.learning_rate",
    ),
    ("video.lr", "config.video.optimizer.learning_rate"),
    ("switches.ap", "config.switches.average_precision"),
    ("snippet.heads", "config.snippet.model.local_heads"),
    ("batchsize", "config.batch_size"),
  ],
)
def test_nearest_fields(name, nearest):
  with pytest.raises(ValueError, match=rf"Did you mean {nearest}"):
    config.check_fields([name], synthetic.get_config())
