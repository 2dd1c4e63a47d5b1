"""A model from a run or a checkpoint, without any data set."""

import json
import shutil

import jax
import numpy as np
import pytest

from adplg_jax.data import store
from adplg_jax.run import load_model
from adplg_jax.run.checkpoint import Checkpointer, CheckpointError
from adplg_jax.run.load_model import model_meta
from adplg_jax.run.workdir import WorkdirError, read_config
from tests.runs import state_at, tiny

# When a read of a damaged checkpoint fails, Orbax drops its others as they are.
pytestmark = pytest.mark.filterwarnings(
  "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def no_data(whole, data_dir):
  """The data sets are somewhere else for a while."""
  del whole  # made before, from them
  elsewhere = data_dir.with_name("elsewhere")
  data_dir.rename(elsewhere)
  yield
  elsewhere.rename(data_dir)


@pytest.fixture
def steps(whole):
  checkpoints = Checkpointer(whole / "checkpoints", read_only=True)
  found = {which: checkpoints.find_step(which) for which in ("best", "last")}
  return found | {str(step): step for step in checkpoints.steps()}


def assert_same_params(model, state):
  for name in ("video", "snippet"):
    jax.tree.map(
      np.testing.assert_array_equal,
      model.params[name],
      getattr(state, name).params,
    )


@pytest.mark.usefixtures("no_data")
def test_a_model_of_a_run(whole, steps):
  checkpoints = Checkpointer(whole / "checkpoints", read_only=True)
  for which, step in steps.items():
    model = load_model.load_model(whole, which)
    assert model.step == step
    assert model.config == read_config(whole)
    assert model.selection == checkpoints.selection(step)
  assert len(steps) > 3
  assert load_model.load_model(str(whole)).step == steps["best"]
  assert load_model.load_model(whole, steps["last"]).step == steps["last"]


def test_its_checkpoints_are_closed(whole, monkeypatch):
  closed = []
  monkeypatch.setattr(
    Checkpointer, "close", lambda self: closed.append(self.directory)
  )
  load_model.load_model(whole)
  assert closed == [whole / "checkpoints"]


@pytest.mark.usefixtures("no_data")
def test_a_model_of_a_checkpoint_alone(whole, steps, tmp_path):
  """Without the run's config.json: a folder of checkpoints was moved."""
  moved = shutil.copytree(whole / "checkpoints", tmp_path / "kept")
  for step in set(steps.values()):
    model = load_model.load_model(moved / str(step), "ignored")
    assert model.step == step
    assert model.config == read_config(whole)


def test_facts_are_the_runs(whole, data_dir):
  metadata = store.open_dataset(str(data_dir), "synthetic", "tiny", 8).metadata
  model = load_model.load_model(whole)
  assert model.feature_width == metadata.feature_width == 16
  assert model.categories == metadata.categories != ()
  assert model.config.to_dict() == tiny(data_dir).to_dict()
  assert isinstance(model.config.snippet.model.windows, tuple)
  assert model.selection.chosen_by == "frame_auc on the test split"


def test_parameters_are_those_restored_for_training(whole, data_dir, steps):
  for step in set(steps.values()):
    state = state_at(whole, tiny(data_dir), step)
    assert_same_params(load_model.load_model(whole, str(step)), state)


def test_parameters_are_put_where_they_are_wanted(whole):
  model = load_model.load_model(whole)
  for leaf in jax.tree.leaves(model.params):
    assert leaf.devices() == {jax.local_devices()[0]}
  mesh = jax.make_mesh((1,), ("data",))
  place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  model = load_model.load_model(whole, sharding=place)
  assert {x.sharding for x in jax.tree.leaves(model.params)} == {place}


def test_a_configuration_of_ones_own_is_kept(whole, data_dir):
  """As in an evaluation, which may change how videos are scored."""
  config = tiny(data_dir, **{"evaluation.batch_snippets": 64})
  checkpoints = Checkpointer(whole / "checkpoints", read_only=True)
  model = load_model.from_checkpoint(checkpoints, 8, config)
  assert model.config is config


def test_meta_is_what_json_keeps():
  config = tiny("/data")
  meta = model_meta(config, 16, ("Arson", "Fight"))
  stored = json.loads(json.dumps(meta))
  assert stored["feature_width"] == 16
  assert stored["categories"] == ["Arson", "Fight"]
  assert stored["config"]["data_dir"] == "/data"
  assert stored["kind"] == ""


@pytest.mark.parametrize("name", ["", "results", "checkpoints", "none"])
def test_what_is_neither_is_refused(whole, name):
  path = whole / name if name else whole.parent
  said = f"{path} has no config.json: it is not the workdir of a run, nor one"
  with pytest.raises(WorkdirError, match=said):
    load_model.load_model(path)


def test_a_step_that_is_not_there_is_refused(whole, tmp_path):
  with pytest.raises(CheckpointError, match=r"'7'; allowed: best, last, or"):
    load_model.load_model(whole, "7")
  (tmp_path / "7").mkdir()
  with pytest.raises(CheckpointError, match=rf"{tmp_path}"):
    load_model.load_model(tmp_path / "7")


def change(text, old, new):
  assert old in text
  return text.replace(old, new)


@pytest.mark.parametrize(
  ("file", "damage", "said"),
  [
    ("state/_METADATA", lambda text: text[:-9], "8 cannot be read: "),
    ("meta/metadata", lambda text: text[:-9], "8 cannot be read: "),
    (
      "meta/metadata",
      lambda text: change(text, '"feature_width": 16', '"feature_width": 17'),
      "8 is damaged: its meta data do not have the checksum",
    ),
    ("metrics/metrics", lambda text: text[:-9], "metrics is damaged"),
  ],
)
def test_a_damaged_checkpoint_is_refused(whole, tmp_path, file, damage, said):
  run = shutil.copytree(whole, tmp_path / "run")
  damaged = run / "checkpoints" / "8" / file
  damaged.write_text(damage(damaged.read_text()))
  with pytest.raises(CheckpointError, match=said):
    load_model.load_model(run, "last")
