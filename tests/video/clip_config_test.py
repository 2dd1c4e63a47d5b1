"""What config.json may say, and what is said of another."""

import json

import pytest

from adplg_jax.video.clip import Architecture
from adplg_jax.video.clip_config import read_architecture
from adplg_jax.video.weight_files import WeightsError
from tests.video.clip_folder import write_config


def test_sizes_of_an_image_tower(tmp_path):
  changes = {"image_size": 48, "patch_size": 8, "layer_norm_eps": 1e-6}
  assert read_architecture(write_config(tmp_path, **changes)) == Architecture(
    width=32,
    hidden=96,
    layers=2,
    heads=4,
    image=48,
    patch=8,
    epsilon=1e-6,
    features=24,
  )


def test_sizes_of_a_whole_clip(tmp_path):
  """Both towers are projected to the width that stands above them."""
  config = {
    "model_type": "clip",
    "projection_dim": 40,
    "text_config": {"hidden_size": 64, "projection_dim": 1},
    "vision_config": {
      "hidden_size": 128,
      "num_attention_heads": 8,
      "patch_size": 16,
      "projection_dim": 2,
    },
  }
  (tmp_path / "config.json").write_text(json.dumps(config))
  assert read_architecture(tmp_path) == Architecture(
    width=128, heads=8, features=40
  )


def test_what_is_left_out_is_what_transformers_takes(tmp_path):
  for fields in ({"model_type": "clip"}, {"model_type": "clip_vision_model"}):
    (tmp_path / "config.json").write_text(json.dumps(fields))
    # ViT-B/32, not 16.
    assert read_architecture(tmp_path) == Architecture(patch=32)


@pytest.mark.parametrize(
  ("changes", "said"),
  [
    (
      {"model_type": "siglip"},
      "model_type is 'siglip'; allowed: 'clip' or 'clip_vision_model'",
    ),
    ({"model_type": ...}, "model_type is None; allowed: 'clip' or"),
    ({"hidden_act": "gelu"}, "hidden_act is 'gelu'; allowed: 'quick_gelu'"),
    ({"num_channels": 4}, "num_channels is 4; allowed: 3"),
    ({"hidden_size": 0}, "hidden_size is 0; allowed: from 1 to 65536"),
    ({"patch_size": "16"}, "patch_size is '16'; allowed: from 1 to"),
    ({"num_hidden_layers": True}, "num_hidden_layers is True; allowed: from"),
    ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000; allowed"),
    ({"projection_dim": 1.5}, "projection_dim is 1.5; allowed: from 1 to"),
    ({"layer_norm_eps": -1e-5}, "layer_norm_eps is -1e-05; allowed: from 0"),
    ({"layer_norm_eps": "small"}, "layer_norm_eps is 'small'; allowed: from"),
    (
      {"num_attention_heads": 5},
      "num_attention_heads is 5; allowed: a divisor of hidden_size, 32",
    ),
    (
      {"patch_size": 300},
      "patch_size is 300; allowed: up to image_size, 224",
    ),
    (
      {"model_type": "clip", "vision_config": [1]},
      "vision_config is [1]; allowed: an object",
    ),
  ],
)
def test_fields_that_are_off_are_named(tmp_path, changes, said):
  with pytest.raises(WeightsError) as refusal:
    read_architecture(write_config(tmp_path, **changes))
  assert str(refusal.value).startswith(f"{tmp_path / 'config.json'}: {said}")


@pytest.mark.parametrize(
  ("content", "said"),
  [
    (None, "does not exist; the folder needs it beside its .safetensors"),
    (b"{", "is no JSON file (Expecting property name"),
    (b"\xff\xfe", "is no JSON file ("),
    (b"[]", "has list; an object is needed"),
  ],
)
def test_a_file_that_is_none_is_refused(tmp_path, content, said):
  path = tmp_path / "config.json"
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(WeightsError) as refusal:
    read_architecture(tmp_path)
  assert str(refusal.value).startswith(f"{path} {said}")
