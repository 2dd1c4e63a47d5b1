"""Where a threshold comes from."""

import json
import shutil

import numpy as np
import pytest

from adplg_jax.run.workdir import read_config
from adplg_jax.scoring.threshold import best_f1_threshold, quantile_threshold


def test_it_is_that_of_the_checkpoint_that_scores(whole, tmp_path):
  run = shutil.copytree(whole, tmp_path / "run")
  config = read_config(run)
  for step, (folder, value) in enumerate(
    {"selected": 0.25, "last": 0.75}.items()
  ):
    file = run / "results" / folder / "metrics.json"
    results = json.loads(file.read_text())
    best = results["best_f1"] | {"threshold": value, "f1": 0.5}
    file.write_text(json.dumps({**results, "step": step, "best_f1": best}))
    found = best_f1_threshold(run, config, step)
    assert found.value == value
    assert found.origin == (
      "best F1, 0.500, over the frames of the test split of synthetic/tiny, "
      f"checkpoint of step {step}"
    )
  assert best_f1_threshold(run, config, 7) is None
  assert best_f1_threshold(tmp_path, config, 0) is None


def test_no_f1_gives_none_and_damage_is_named(whole, tmp_path):
  run = shutil.copytree(whole, tmp_path / "run")
  config = read_config(run)
  file = run / "results/selected/metrics.json"
  results = json.loads(file.read_text())
  shutil.rmtree(run / "results/last")
  file.write_text(json.dumps({**results, "step": 8, "best_f1": None}))
  assert best_f1_threshold(run, config, 8) is None
  file.write_text("{")
  with pytest.raises(ValueError, match=r"metrics\.json is damaged"):
    best_f1_threshold(run, config, 8)


def test_a_quantile_is_over_all_videos():
  found = quantile_threshold([np.arange(50.0), np.arange(50.0, 101.0)], 0.95)
  assert found.value == 95
  assert "quantile 0.95" in found.origin and "5.0% of them" in found.origin
  assert quantile_threshold([], 0.95).value == np.inf
