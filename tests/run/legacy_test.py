"""Runs of before configurations mirrored the models."""

import json

import pytest

from adplg_jax.run import legacy

OLD = {
  "seed": 3,
  "video": {"width": 8, "learning_rate": 0.1, "weight_decay": 0.2},
  "snippet": {
    "width": 16,
    "learning_rate": 0.3,
    "weight_decay": 0.4,
    "decay_factor": 0.5,
    "decay_every": 6,
  },
  "loss_weights": {"sparsity": 7.0, "snippet_classification": 1.0},
}


def test_old_configurations_are_translated():
  assert legacy.is_legacy(OLD)
  now = legacy.translate(OLD)
  assert not legacy.is_legacy(now)
  assert now == {
    "seed": 3,
    "video": {
      "model": {"width": 8},
      "optimizer": {"learning_rate": 0.1, "weight_decay": 0.2},
    },
    "snippet": {
      "model": {"width": 16},
      "optimizer": {
        "learning_rate": 0.3,
        "weight_decay": 0.4,
        "decay_factor": 0.5,
        "decay_every": 6,
      },
    },
    "loss_weights": {"sparsity": 7.0},
  }


def test_the_old_selection_is_read(tmp_path):
  assert legacy.read_selection(tmp_path) == ("", {})
  stored = {"chosen_by": "frame_auc", "values": {"4": 0.5, "8": 0.25}}
  (tmp_path / "selection.json").write_text(json.dumps(stored))
  values = {4: 0.5, 8: 0.25}
  assert legacy.read_selection(tmp_path) == ("frame_auc", values)


@pytest.mark.parametrize("text", ["", "[]", '{"values": {"x": 1}}'])
def test_a_damaged_old_selection_is_named(tmp_path, text):
  (tmp_path / "selection.json").write_text(text)
  with pytest.raises(ValueError, match=r"selection\.json is damaged.*Remove"):
    legacy.read_selection(tmp_path)
