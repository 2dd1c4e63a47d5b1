"""The memory of labels in a run's checkpoints."""

import base64
import gc
import json
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax import pseudo_labels
from adplg_jax.report.label_memory import read_labels
from adplg_jax.run.checkpoint import CheckpointError
from adplg_jax.run.workdir import read_config
from tests.runs import lines, state_at, tiny


def read(run, *, room=10**6, data_dir=None):
  config = read_config(run)
  if data_dir is not None:
    config.data_dir = str(data_dir)
  facts = json.loads((run / "data.json").read_text())
  return read_labels(run, config, fingerprint=facts["fingerprint"], room=room)


def levels(row):
  return np.frombuffer(base64.b64decode(row), np.uint8)


def test_the_labels_of_every_checkpoint_and_the_truth(whole, data_dir):
  found = read(whole)
  assert found["steps"] == [2, 4, 6, 8]
  assert found["left_out"] == 0
  assert len(found["keys"]) == 8
  memory = state_at(whole, tiny(data_dir), 8).memory
  full = 0
  for place, key in enumerate(found["keys"]):
    assert key["name"][-4:] == f"{place + 9:04d}"
    assert max(key["truth"]) > 0
    assert len(key["truth"]) == 8
    count = memory.count[place]
    window = memory.history[place, -count:]
    row = levels(key["rows"][-1])
    np.testing.assert_allclose(row & 127, 100 * window.mean(0), atol=0.51)
    hard = np.zeros(8, bool)
    if count == 3:
      settings = read_config(whole).pseudo_labels
      hard = pseudo_labels.denoise(
        jnp.asarray(window[None]),
        jnp.ones((1, 8), bool),
        mean_threshold=settings.mean_threshold,
        variance_threshold=settings.variance_threshold,
      ).hard[0]
      full += 1
    np.testing.assert_array_equal(row >= 128, hard)
  assert full


def test_metrics_have_the_quality_of_labels(whole):
  steps = [line for line in lines(whole) if "evaluation" not in line]
  for name in ("labels/precision", "labels/recall"):
    assert all(0 <= line[name] <= 1 for line in steps if name in line)
    assert sum(name in line for line in steps) > 4


def test_without_the_data_set_keys_have_no_names(whole, tmp_path):
  found = read(whole, data_dir=tmp_path)
  assert [key["name"] for key in found["keys"][:2]] == ["key 0", "key 1"]
  assert all(key["truth"] is None for key in found["keys"])
  assert found["keys"][0]["rows"] == read(whole)["keys"][0]["rows"]


def test_another_data_set_of_the_same_name_is_not_taken(whole):
  config = read_config(whole)
  found = read_labels(whole, config, fingerprint="another", room=10**6)
  assert found["keys"][0]["name"] == "key 0"


def test_what_does_not_fit_is_left_out(whole):
  found = read(whole, room=4 * 8 * 4 // 3 * 3)
  assert len(found["keys"]) == 3
  assert found["left_out"] == 5


# When a read of a damaged checkpoint fails, Orbax drops its others as they are.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_checkpoint_is_named(whole, tmp_path):
  run = tmp_path / "run"
  shutil.copytree(whole, run)
  (run / "checkpoints/8/state/manifest.ocdbt").unlink()
  with pytest.raises(CheckpointError, match="8 cannot be read"):
    read(run)
  gc.collect()  # Here, not in the next test.


def test_no_checkpoint(tmp_path, whole):
  shutil.copy(whole / "config.json", tmp_path)
  (tmp_path / "checkpoints").mkdir()
  found = read_labels(
    tmp_path, read_config(tmp_path), fingerprint="", room=10**6
  )
  assert found == {"steps": [], "keys": [], "left_out": 0}
