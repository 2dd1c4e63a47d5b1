"""Values that no run could use."""

import pytest

from adplg_jax.configs import base, folder
from adplg_jax.run.config_checks import check_batch_size, check_config


@pytest.mark.parametrize(
  ("field", "value", "allowed"),
  [
    ("video.optimizer.learning_rate", float("inf"), "a finite number"),
    ("loss_weights.sparsity", float("nan"), "a finite number"),
    ("precision", "float16", "float32 | bfloat16 | float64"),
    ("pseudo_labels.history_length", 0, "1 or more"),
    ("snippet.model.dropout", 1.0, "not including, 1"),
    ("switches.bce", "hinge", "probabilities | logits"),
    ("snippet.model.width", 3, "at least the number of windows, 4"),
    ("snippet.model.num_blocks", -1, "0 or more"),
    ("pseudo_labels.variance_threshold", 1.1, "from 0 to 1"),
    ("snippet.model.windows", [2, 2], "different whole numbers"),
    ("snippet.model.windows", [], "one or more different whole numbers"),
    ("snippet.model.windows", [0, 2], "whole numbers above 0"),
    ("snippet.model.windows", [2, 2.5], "whole numbers"),
    ("snippet.model.windows", ["(2,four)"], "whole numbers"),
    ("snippet.model.local_head_width", 7, "even numbers"),
    ("batch_size", 0, "1 or more"),
    ("video.optimizer.learning_rate", -1.0, "above 0"),
    ("selection.validation_share", 1.0, "below 1"),
  ],
)
def test_impossible_values_are_refused(field, value, allowed):
  config = base.get_config()
  config.data.builder, config.data.variant = "folder", "x"
  config.update_from_flattened_dict({field: value})
  with pytest.raises(ValueError) as error:
    check_config(config)
  assert f"config.{field} is {value!r}" in str(error.value)
  assert allowed in str(error.value)


def test_labels_of_a_warm_up_need_one():
  config = base.get_config()
  config.data.builder, config.data.variant = "folder", "x"
  config.pseudo_labels.synchronous = False
  check_config(config)
  config.warm_up_steps = 0
  with pytest.raises(
    ValueError, match=r"synchronous is False, but config\.warm_up_steps is 0"
  ):
    check_config(config)


def test_folder_without_a_name_is_refused():
  with pytest.raises(ValueError, match="--config=folder:NAME"):
    check_config(folder.get_config())


@pytest.mark.parametrize(
  ("batch_size", "devices", "hint"), [(30, 8, "24 or 32"), (2, 4, "4")]
)
def test_a_batch_that_devices_cannot_share(batch_size, devices, hint):
  with pytest.raises(
    ValueError,
    match=rf"is {batch_size}, which {devices} devices .* use {hint}\.",
  ):
    check_batch_size(batch_size, devices=devices, normal=99, anomalous=99)


def test_a_batch_that_the_data_cannot_fill():
  check_batch_size(8, devices=2, normal=8, anomalous=8)
  with pytest.raises(ValueError, match="8, but there are only 7 anomalous"):
    check_batch_size(8, devices=2, normal=8, anomalous=7)
