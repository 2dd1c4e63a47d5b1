"""A trained model from its checkpoints alone."""

import shutil

import jax
import numpy as np
import pytest

from adplg_jax.run.load_model import load_model
from adplg_jax.run.workdir import WorkdirError
from tests.runs import select, state_at, tiny


@pytest.fixture
def run(whole, tmp_path):
  """A run whose best checkpoint is not its last."""
  copy = shutil.copytree(whole, tmp_path / "run")
  select(copy, 4)
  return copy


@pytest.mark.parametrize(
  ("which", "step"), [("best", 4), ("last", 8), ("6", 6)]
)
def test_parameters_of_the_checkpoint_that_is_asked_for(
  run, data_dir, which, step
):
  config = tiny(data_dir)
  model = load_model(run, which)
  assert model.step == step
  state = state_at(run, config, step)
  expected = {"video": state.video.params, "snippet": state.snippet.params}
  jax.tree.map(np.testing.assert_array_equal, model.params, expected)
  assert model.config.warm_up_steps == config.warm_up_steps
  assert model.feature_width == 16
  assert len(model.categories) > 0
  assert (model.selection is None) == (step == 6)


def test_a_checkpoint_is_a_model_without_its_run(run):
  (run / "config.json").unlink()
  model = load_model(run / "checkpoints" / "6")
  assert model.step == 6
  assert model.config.snippet.model.windows == (2, 4)


def test_what_is_no_run_is_named(tmp_path):
  with pytest.raises(WorkdirError, match="not the workdir of a run, nor one"):
    load_model(tmp_path)
