"""Which runs are finished, and what happens to one that fails."""

import json

import jax
import pytest

from adplg_jax import main
from adplg_jax.sweep.runs import is_finished, train
from tests.sweep.made import finish, made_plan


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_run_is_finished_once_it_has_all_its_results(tmp_path, seeds):
  task = made_plan(tmp_path, "full", seeds)[0]
  assert not is_finished(task)
  finish(task)
  assert is_finished(task)
  last = task.folder if len(seeds) == 1 else task.folder / "seed_1"
  (last / "results" / "selection.json").unlink()
  assert not is_finished(task)


def test_a_run_of_several_is_not_finished_without_their_summary(tmp_path):
  task = made_plan(tmp_path, "full")[0]
  finish(task)
  (task.folder / "results" / "seeds.json").unlink()
  assert not is_finished(task)


def test_a_run_of_fewer_steps_is_not_finished(tmp_path):
  finish(made_plan(tmp_path, "full")[0], step=8)
  assert not is_finished(made_plan(tmp_path, "full", total_steps=9)[0])
  assert is_finished(made_plan(tmp_path, "full", total_steps=7)[0])


def test_a_run_of_another_configuration_is_not_finished(tmp_path):
  finish(made_plan(tmp_path, "full")[0])
  assert is_finished(made_plan(tmp_path, "full", log_every_steps=5)[0])
  assert not is_finished(made_plan(tmp_path, "full", batch_size=8)[0])


def test_damaged_results_are_made_again(tmp_path):
  task = made_plan(tmp_path, "full", (0,))[0]
  finish(task)
  for text in ("", "{}"):
    (task.folder / "results" / "selection.json").write_text(text)
    assert not is_finished(task)


def test_an_error_of_any_kind_is_an_exit_code(tmp_path, monkeypatch, capsys):
  def fail(config, workdir):
    raise jax.errors.JaxRuntimeError(f"out of memory in {workdir}")

  task = made_plan(tmp_path, "full")[0]
  monkeypatch.setattr(main, "run", fail)
  assert train(task) == 1
  assert f"out of memory in {task.folder}" in capsys.readouterr().err
  monkeypatch.setattr(main, "run", lambda config, workdir: 42)
  assert train(task) == 42


def test_a_run_of_another_configuration_is_refused(tmp_path, capsys, data_dir):
  finish(made_plan(tmp_path, "full", batch_size=3)[0])
  task = made_plan(tmp_path, "full", data_dir=str(data_dir))[0]
  folder = task.folder
  config = json.loads((folder / "seed_0" / "config.json").read_text())
  (folder / "config.json").write_text(json.dumps(config | {"seeds": 2}))
  assert train(task) == 1
  assert "batch_size: 3 there, 4 now" in capsys.readouterr().err
