"""Runs of before: evaluated, loaded and converted, but not continued."""

import json
import shutil

import jax
import numpy as np
import pytest

from adplg_jax import evaluate, main
from adplg_jax.configs import base
from adplg_jax.run import checkpoint, legacy
from adplg_jax.run.checkpoint import Checkpointer, CheckpointError
from adplg_jax.run.load_model import _feature_width, load_model
from adplg_jax.run.workdir import Workdir, WorkdirError, read_config
from tests.old_runs import CHOSEN_BY, make_old, old_config
from tests.runs import tiny

# A read that fails leaves Orbax's other parts to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
  "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def steps(whole):
  """The steps that have a checkpoint; the first is chosen, the last is not."""
  return Checkpointer(whole / "checkpoints", read_only=True).steps()


@pytest.fixture
def old(whole, steps, tmp_path):
  # Step 3 was evaluated, but its checkpoint was not kept.
  values = {3: 0.2, steps[0]: 0.9, steps[-1]: 0.5}
  return make_old(whole, tmp_path / "old", values)


def test_fields_of_the_old_layout():
  config = base.get_config().to_dict()
  stored = old_config(config)
  # As the version before wrote them.
  assert sorted(stored["video"]) == [
    "attention_width",
    "classifier_width",
    "dropout",
    "learning_rate",
    "weight_decay",
    "width",
  ]
  assert stored["snippet"]["decay_every"] == 4000
  assert legacy.is_legacy(stored)
  assert not legacy.is_legacy(config)
  assert legacy.upgrade(stored) == json.loads(json.dumps(config))
  # What was given is left as it was.
  assert stored["loss_weights"]["snippet_classification"] == 1.0
  assert "model" not in stored["video"]


def test_fields_without_branches_are_not_of_the_old_layout():
  assert not legacy.is_legacy({})


def test_its_configuration_is_read_in_the_present_layout(old, data_dir):
  assert read_config(old).to_dict() == tiny(data_dir).to_dict()


def test_its_model_is_loaded(old, whole, steps):
  for path in (old, old / "checkpoints" / str(steps[0])):
    model = load_model(path, "best")
    there = load_model(whole, str(steps[0]))
    assert model.step == there.step == steps[0]
    assert model.config == there.config
    assert model.feature_width == there.feature_width == 16
    assert model.categories == ()  # they were not noted
    assert model.selection == (0.9, CHOSEN_BY)
    jax.tree.map(np.testing.assert_array_equal, model.params, there.params)
  assert load_model(old, "last").step == steps[-1]


def test_the_width_of_projected_features_is_found():
  kernel = np.zeros((20, 8))
  convolution = {"kernel": np.zeros((3, 8, 8))}
  projected = {"input": {"kernel": kernel}, "embedding": convolution}
  assert _feature_width({"snippet": projected}) == 20
  assert _feature_width({"snippet": {"embedding": convolution}}) == 8


def test_it_is_evaluated_with_the_selected_checkpoint(
  old, whole, steps, tmp_path
):
  outcome = evaluate.evaluate_workdir(old, output=tmp_path / "results")
  assert (outcome.selected.step, outcome.last.step) == (steps[0], steps[-1])
  assert outcome.chosen_by == CHOSEN_BY
  said = json.loads((tmp_path / "results" / "selection.json").read_text())
  assert said["chosen_by"] == CHOSEN_BY
  now = evaluate.evaluate_workdir(whole, str(steps[0]), output=tmp_path / "now")
  assert outcome.selected.results == now.last.results


def test_it_is_converted(old, whole, steps, tmp_path):
  torch = pytest.importorskip("torch", reason="PyTorch is not installed")
  from adplg_jax.interop.torch_weights import to_torch

  found = {}
  for run, which in ((old, "best"), (whole, str(steps[0]))):
    files = [tmp_path / f"{run.name}_{name}.pkl" for name in ("v", "s")]
    assert to_torch(run, *files, which) == steps[0]
    found[run] = [torch.load(file, weights_only=True) for file in files]
  for one, other in zip(*found.values(), strict=True):
    assert one.keys() == other.keys()
    for name, value in one.items():
      assert torch.equal(value, other[name]), name


def test_a_run_without_fields_of_later_versions_goes_on(
  whole, data_dir, tmp_path
):
  """Its features are taken as they are; another kind is refused."""
  run = drop_fields(shutil.copytree(whole, tmp_path / "run"))
  assert load_model(run).normalization.kind == "none"
  assert read_config(run).to_dict() == tiny(data_dir).to_dict()
  assert main.run(tiny(data_dir, total_steps=10), str(run)) == 0
  assert load_model(run, "last").step == 10
  drop_fields(run)
  standard = tiny(data_dir, **{"data.normalize": "standardize"})
  with pytest.raises(WorkdirError, match=r"normalize: 'none' there, 'standard"):
    Workdir(run, standard)


def drop_fields(run):
  """Leaves a run as versions before the added fields wrote it."""
  file = run / "config.json"
  config = json.loads(file.read_text())
  del config["data"]["normalize"], config["seeds"]
  del config["pseudo_labels"]["synchronous"]
  del config["video"]["model"]["cross_attention"]
  file.write_text(json.dumps(config))
  for file in run.glob("checkpoints/*/meta/metadata"):
    meta = json.loads(file.read_text())
    for name in ("normalization", "checksum"):
      meta.pop(name, None)
    meta["config"] = config
    meta["checksum"] = checkpoint._text_checksum(meta)
    file.write_text(json.dumps(meta))
  return run


def test_it_is_not_continued(old, data_dir, capsys):
  before = (old / "config.json").read_bytes()
  assert main.run(tiny(data_dir, total_steps=10), str(old)) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith(f"WorkdirError: {old} was written by an earlier")
  assert "can be evaluated and converted, but not continued" in line
  assert (old / "config.json").read_bytes() == before


@pytest.mark.parametrize(
  "text",
  ["", "[]", '{"values": {}}', '{"chosen_by": "", "values": {"4": "high"}}'],
)
def test_a_damaged_selection_is_named(old, steps, text):
  file = old / "checkpoints" / "selection.json"
  file.write_text(text)
  with pytest.raises(CheckpointError) as error:
    load_model(old)
  assert str(error.value).startswith(f"{file} is damaged (")
  assert "Remove it: the last checkpoint is then the selected" in str(
    error.value
  )
  file.unlink()
  model = load_model(old)
  assert (model.step, model.selection) == (steps[-1], None)
