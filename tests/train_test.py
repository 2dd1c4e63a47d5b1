"""Whole runs: results, resume, refusals, NaN, pre-emption."""

import gc
import json
import shutil

import jax
import numpy as np
import pytest

from adplg_jax import evaluate, main, train
from adplg_jax.data import pipeline
from adplg_jax.experiment import open_experiment
from adplg_jax.run.checkpoint import Checkpointer
from adplg_jax.run.load_model import load_model
from adplg_jax.run.preemption import Preemption
from adplg_jax.run.workdir import WorkdirError
from adplg_jax.scoring import metrics, scorer
from tests import layouts
from tests.runs import (
  assert_same_run,
  lines,
  scores,
  select,
  state_at,
  tiny,
)


def test_a_run_leaves_everything_it_should(whole):
  written = lines(whole)
  steps = [line["step"] for line in written if "evaluation" not in line]
  assert steps == list(range(1, 9))
  tested = [line["step"] for line in written if "evaluation" in line]
  assert tested == [4, 8]
  for name in ("last", "selected"):
    results = json.loads(
      (whole / "results" / name / "metrics.json").read_text()
    )
    assert 0 <= results["frame_auc"] <= 1
    with np.load(
      whole / "results" / name / "scores.npz", allow_pickle=False
    ) as file:
      assert file["frames"].sum() == len(file["scores"])
  assert (whole / "report.png").read_bytes()[:4] == b"\x89PNG"
  assert list((whole / "tensorboard").glob("events*"))
  assert (whole / "config.json").exists()


def test_four_steps_equal_two_and_two(whole, data_dir, tmp_path):
  assert main.run(tiny(data_dir, total_steps=4), str(tmp_path)) == 0
  assert main.run(tiny(data_dir), str(tmp_path)) == 0
  assert_same_run(whole, tmp_path, tiny(data_dir))


def test_steps_after_the_last_checkpoint_are_done_again(
  whole, data_dir, tmp_path
):
  config = tiny(data_dir)
  assert main.run(config, str(tmp_path)) == 0
  # As a kill between two saves leaves it: metrics are ahead of checkpoints.
  shutil.rmtree(tmp_path / "checkpoints" / "8")
  with (tmp_path / "metrics.jsonl").open("a") as file:
    file.write('{"step": 9, "loss/vi')
  assert main.run(config, str(tmp_path)) == 0
  assert_same_run(whole, tmp_path, config)


def test_a_run_that_ends_in_its_first_save_loses_no_evaluation(
  whole, data_dir, tmp_path
):
  """The evaluation's line is on disk then, and no checkpoint."""
  config = tiny(data_dir, **{"checkpoint.every_steps": 4, "total_steps": 4})
  assert main.run(config, str(tmp_path)) == 0
  shutil.rmtree(tmp_path / "checkpoints" / "4")
  assert "evaluation" in lines(tmp_path)[-1]
  config = tiny(data_dir, **{"checkpoint.every_steps": 4})
  assert main.run(config, str(tmp_path)) == 0
  assert_same_run(whole, tmp_path, config)


def test_a_run_that_is_longer_already_says_so(
  whole, data_dir, tmp_path, caplog
):
  copy = shutil.copytree(whole, tmp_path / "run")
  assert main.run(tiny(data_dir, total_steps=4), str(copy)) == 0
  assert "config.total_steps is 4, but 8 steps are done" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_best_checkpoint_leaves_the_last_ones_results(
  data_dir, tmp_path, capsys
):
  config = tiny(data_dir)
  assert main.run(config, str(tmp_path)) == 0
  select(tmp_path, 4)
  damaged = tmp_path / "checkpoints/4/state/_METADATA"
  damaged.write_bytes(damaged.read_bytes()[:-9])
  capsys.readouterr()
  assert main.run(config, str(tmp_path)) == 0
  assert "checkpoint of step 8" in capsys.readouterr().out
  gc.collect()  # What Orbax dropped of the damaged one.


def test_selected_results_are_those_of_the_selected_checkpoint(
  whole, data_dir, tmp_path
):
  copy = shutil.copytree(whole, tmp_path / "run")
  select(copy, 4)
  assert main.run(tiny(data_dir), str(copy)) == 0
  for name, step in (("selected", "4"), ("last", "8")):
    evaluate.evaluate_workdir(copy, step, output=tmp_path / step)
    found = scores(copy / "results" / name)
    np.testing.assert_array_equal(found, scores(tmp_path / step))
  assert np.abs(scores(tmp_path / "4") - scores(tmp_path / "8")).max() > 1e-3


def test_metrics_and_evaluations_come_in_their_rhythm(data_dir, tmp_path):
  config = tiny(
    data_dir,
    **{
      "total_steps": 8,
      "warm_up_steps": 3,
      "evaluation.every_steps": 3,
      "log_every_steps": 4,
      "switches.average_precision": "step",
      "selection.metric": "frame_ap",
    },
  )
  assert main.run(config, str(tmp_path)) == 0
  written = lines(tmp_path)
  evaluated = [line for line in written if "evaluation" in line]
  assert [line["step"] for line in evaluated] == [6, 8]
  logged = [line["step"] for line in written if "evaluation" not in line]
  assert logged == [4, 8]
  for line in evaluated:
    assert line["selection"] == line["frame_ap_step"] != line["frame_auc"]
  stored = json.loads((tmp_path / "results" / "selection.json").read_text())
  assert stored["chosen_by"] == "frame_ap_step on the test split"


def test_learning_rates_are_those_of_each_steps_updates(data_dir, tmp_path):
  config = tiny(
    data_dir,
    **{
      "total_steps": 6,
      "snippet.optimizer.decay_every": 2,
      "snippet.optimizer.decay_factor": 0.5,
    },
  )
  assert main.run(config, str(tmp_path)) == 0
  steps = [line for line in lines(tmp_path) if "evaluation" not in line]
  rate = config.snippet.optimizer.learning_rate
  assert [line["learning_rate/snippet_branch"] for line in steps] == [
    *[0, 0, rate, rate],
    *[rate / 2, rate / 2],
  ]
  first = {line["learning_rate/video_branch"] for line in steps}
  assert first == {config.video.optimizer.learning_rate}


def test_features_read_when_needed_train_the_same(
  whole, data_dir, tmp_path, monkeypatch
):
  held = []
  training_set = pipeline.TrainingSet

  def note(*arguments, in_memory, **keywords):
    held.append(in_memory)
    return training_set(*arguments, in_memory=in_memory, **keywords)

  monkeypatch.setattr(pipeline, "TrainingSet", note)
  config = tiny(data_dir, **{"data.cache_gib": 0.0})
  assert main.run(config, str(tmp_path)) == 0
  assert held == [False, False]
  assert_same_run(whole, tmp_path, config)
  next(open_experiment(tiny(data_dir)).training_iterator(0))
  assert held[2:] == [True, True]


def test_a_finished_run_only_reports_again(whole, data_dir):
  before = lines(whole)
  assert main.run(tiny(data_dir), str(whole)) == 0
  assert lines(whole) == before


def test_another_configuration_is_refused(whole, data_dir, capsys):
  config = tiny(data_dir)
  config.video.optimizer.learning_rate = 0.5
  assert main.run(config, str(whole)) == 1
  assert "video.optimizer.learning_rate: 0.001 there" in capsys.readouterr().err


def test_a_refused_batch_size_leaves_the_workdir_free(
  data_dir, tmp_path, capsys
):
  config = tiny(data_dir)
  config.batch_size = 64
  assert main.run(config, str(tmp_path)) == 1
  assert "normal training crops; lower it" in capsys.readouterr().err
  assert not (tmp_path / "config.json").exists()


def test_a_value_that_cannot_be_is_refused_in_one_line(
  data_dir, tmp_path, capsys
):
  config = tiny(data_dir, matmul_precision="foo")
  assert main.run(config, str(tmp_path)) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith("ValueError: config.matmul_precision is 'foo'; allow")


def test_nan_stops_the_run_and_is_never_saved(data_dir, tmp_path, capsys):
  config = tiny(data_dir)
  config.snippet.optimizer.learning_rate = 1e30
  assert main.run(config, str(tmp_path)) == 1
  error = capsys.readouterr().err
  assert "NotFiniteError: Step " in error
  assert "loss/snippet_classification" in error
  checkpoints = Checkpointer(tmp_path / "checkpoints", read_only=True)
  for step in checkpoints.steps():
    state = state_at(tmp_path, config, step)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


def test_other_features_of_the_same_name_are_refused(
  whole, data_dir, tmp_path, capsys
):
  """data_dir may move, the data may not change."""
  moved = shutil.copytree(data_dir, tmp_path / "moved")
  copy = shutil.copytree(whole, tmp_path / "run")
  assert main.run(tiny(moved), str(copy)) == 0
  layouts.prepare_synthetic(str(tmp_path / "half"), "tiny", 8, dtype="float16")
  assert main.run(tiny(tmp_path / "half"), str(copy)) == 1
  error = capsys.readouterr().err
  assert "dtype: 'float32' there, 'float16' now" in error
  assert "fingerprint: " in error


def test_validation_selects_on_videos_held_out(data_dir, tmp_path, capsys):
  """By video-level AUC, whatever the metric on a test split would be."""
  config = tiny(data_dir)
  config.selection.split = "validation"
  config.selection.validation_share = 0.4
  config.total_steps = 4
  experiment = open_experiment(config)
  held = {example["video"] for example in experiment.validation_examples()}
  rows = experiment._training_rows(experiment.dataset.train_anomalous)
  trained = {experiment.dataset.train_anomalous[int(r)]["video"] for r in rows}
  assert held
  assert not held & trained
  assert main.run(config, str(tmp_path)) == 0
  (evaluated,) = [line for line in lines(tmp_path) if "evaluation" in line]
  videos = scorer.score_split(
    config,
    experiment.mesh,
    scorer.make_scorer(experiment.method),
    state_at(tmp_path, config, 4).snippet.params,
    experiment.validation_examples(),
  )
  assert {video.name for video in videos} == held
  expected = metrics.evaluate_videos(videos)["video_auc"]
  assert evaluated["selection"] == expected != evaluated["video_auc"]
  said = capsys.readouterr().out
  assert "selected by video_auc on the validation split: step 4" in said


class Asked(Preemption):
  """A pre-emption that comes at its `when`-th question."""

  def __init__(self, when):  # no signals here
    self.unsaved = False
    self._left = when

  def agreed(self, step):
    self._left -= 1
    return self._left < 0


@pytest.mark.parametrize("when", [1, 4, 9])
def test_preempted_anywhere_ends_the_same(whole, data_dir, tmp_path, when):
  """Before a step, and within an evaluation."""
  config = tiny(data_dir)
  with pytest.raises(train.Preempted, match="run the same command"):
    train.train(config, tmp_path, Asked(when))
  assert main.run(config, str(tmp_path)) == 0
  assert_same_run(whole, tmp_path, config)


@pytest.fixture(scope="module")
def seeds(data_dir, tmp_path_factory):
  """A finished run of two seeds."""
  workdir = tmp_path_factory.mktemp("seeds")
  assert main.run(tiny(data_dir, seed=3, seeds=2), str(workdir)) == 0
  return workdir


def test_every_seed_is_a_run_of_its_own(seeds, data_dir, tmp_path):
  """Which is read, scored and continued like any other."""
  assert main.run(tiny(data_dir, seed=4), str(tmp_path)) == 0
  there = json.loads((seeds / "seed_4/config.json").read_text())
  assert there == json.loads((tmp_path / "config.json").read_text())
  assert json.loads((seeds / "config.json").read_text())["seeds"] == 2
  ours, alone = lines(seeds / "seed_4"), lines(tmp_path)
  assert [line["step"] for line in ours] == [line["step"] for line in alone]
  for one, other in zip(ours, alone, strict=True):
    if "evaluation" not in one:
      assert one == pytest.approx(other, rel=1e-3, abs=1e-4)
  model, other = (
    load_model(seeds / "seed_4", "last"),
    load_model(tmp_path, "last"),
  )
  assert model.config.to_dict() == other.config.to_dict()
  # What was found while training, and what was saved.
  want = scores(tmp_path / "results" / "last")
  evaluate.evaluate_workdir(seeds / "seed_4", "last", output=tmp_path / "saved")
  for results in (seeds / "seed_4" / "results" / "last", tmp_path / "saved"):
    np.testing.assert_allclose(scores(results), want, atol=1e-3)
  other = scores(seeds / "seed_3" / "results" / "last")
  assert np.abs(other - want).max() > 0.01
  assert (seeds / "seed_4" / "report.png").exists()
  with pytest.raises(
    WorkdirError, match=r"of 2 seeds; name one of them: .*seed_3"
  ):
    load_model(seeds)


def test_the_seeds_are_reported_together(seeds, data_dir, capsys):
  """By training and by evaluate: mean, deviation, best."""
  assert main.run(tiny(data_dir, seed=3, seeds=2), str(seeds)) == 0
  trained = capsys.readouterr().out
  assert evaluate.main(["--workdir", str(seeds)]) == 0
  evaluated = capsys.readouterr().out
  for said in (trained, evaluated):
    assert "2 seeds, mean and deviation; selected by frame_auc on " in said
  stored = json.loads((seeds / "results" / "seeds.json").read_text())
  again = json.loads((seeds / "evaluation" / "seeds.json").read_text())
  own = {
    seed: json.loads(
      (seeds / f"seed_{seed}/results/selected/metrics.json").read_text()
    )["frame_auc"]
    for seed in (3, 4)
  }
  assert stored["seeds"] == [3, 4]
  assert stored["best_seed"] == max(own, key=lambda seed: own[seed])
  for one in (stored, again):
    found = one["selected"]["frame_auc"]
    assert found["values"] == pytest.approx(list(own.values()), abs=1e-6)
    assert found["mean"] == pytest.approx(np.mean(found["values"]))
    assert found["deviation"] == pytest.approx(np.std(found["values"], ddof=1))


@pytest.mark.parametrize("when", [1, 4, 6, 9])
def test_seeds_preempted_anywhere_end_the_same(seeds, data_dir, tmp_path, when):
  """Between two seeds' evaluations, too."""
  config = tiny(data_dir, seed=3, seeds=2)
  with pytest.raises(train.Preempted, match="run the same command"):
    train.train(config, tmp_path, Asked(when))
  assert main.run(config, str(tmp_path)) == 0
  for seed in (3, 4):
    folder = f"seed_{seed}"
    of_seed = tiny(data_dir, seed=seed)
    assert_same_run(seeds / folder, tmp_path / folder, of_seed)


def test_seeds_go_on_from_the_newest_step_of_all(
  seeds, data_dir, tmp_path, caplog
):
  """As a kill between two seeds' saves leaves it."""
  copy = shutil.copytree(seeds, tmp_path / "run")
  shutil.rmtree(copy / "seed_4" / "checkpoints" / "8")
  caplog.set_level("WARNING")
  config = tiny(data_dir, seed=3, seeds=2)
  assert main.run(config, str(copy)) == 0
  assert "Going on from the checkpoint of step 6." in caplog.text
  assert (copy / "seed_3" / "ahead" / "8").is_dir()
  for seed in (3, 4):
    folder = f"seed_{seed}"
    of_seed = tiny(data_dir, seed=seed)
    assert_same_run(seeds / folder, copy / folder, of_seed)


def test_resident_features_train_the_same(whole, data_dir, tmp_path):
  """In dispatches of three steps, cut at evaluations and checkpoints."""
  config = tiny(data_dir, **{"data.resident": "on", "steps_per_dispatch": 3})
  assert main.run(config, str(tmp_path)) == 0
  for one, other in zip(lines(tmp_path), lines(whole), strict=True):
    assert one.keys() == other.keys()
    if "evaluation" not in one:
      assert one == pytest.approx(other, rel=1e-3, abs=1e-4)


def test_the_wait_for_input_is_logged(whole):
  text = (whole / "metrics.jsonl").read_text()
  found = [json.loads(line) for line in text.splitlines()]
  waits = [line["input_wait"] for line in found if "evaluation" not in line]
  assert all(wait > 0 for wait in waits)
