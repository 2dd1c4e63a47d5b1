"""Folders of a small CLIP with random weights, by their public names."""

import json

import numpy as np
import pytest

from adplg_jax.video.clip_config import read_architecture
from adplg_jax.video.clip_weights import entries

SMALL = {
  "hidden_size": 32,
  "intermediate_size": 96,
  "num_hidden_layers": 2,
  "num_attention_heads": 4,
  "image_size": 224,
  "patch_size": 16,
  "hidden_act": "quick_gelu",
  "layer_norm_eps": 1e-5,
  "projection_dim": 24,
}


def write_config(folder, **changes):
  """config.json of an image tower; a change to ... leaves its field out."""
  fields = {"model_type": "clip_vision_model", **SMALL, **changes}
  fields = {name: x for name, x in fields.items() if x is not ...}
  folder.mkdir(parents=True, exist_ok=True)
  (folder / "config.json").write_text(json.dumps(fields))
  return folder


def tensors(folder, seed=0):
  """Tensors that fit a folder's config.json."""
  rng = np.random.default_rng(seed)
  return {
    entry.theirs: (
      rng.standard_normal(entry.shape) / np.prod(entry.shape[1:]) ** 0.5
      + ("norm" in entry.theirs and entry.theirs.endswith(".weight"))
    ).astype(np.float32)
    for entry in entries(read_architecture(folder))
  }


def save(path, named):
  """A safetensors file."""
  pytest.importorskip("safetensors.numpy").save_file(named, path)


def write(folder, seed=0, **changes):
  """A folder that can be used."""
  write_config(folder, **changes)
  save(folder / "model.safetensors", tensors(folder, seed))
  return folder
