"""Whole runs: results, resume, refusals, NaN, pre-emption."""

import gc
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from adplg_jax import config_checks, evaluate, main, train
from adplg_jax.checkpoint import Checkpointer
from adplg_jax.configs import synthetic
from adplg_jax.data import pipeline
from adplg_jax.data.builders import synthetic as synthetic_builder
from adplg_jax.experiment import open_experiment
from adplg_jax.preemption import Preemption


def tiny(data_dir, **changes):
  config = synthetic.get_config("tiny")
  config.data_dir = str(data_dir)
  config.update_from_flattened_dict(
    {
      "batch_size": 4,
      "num_segments": 8,
      "total_steps": 8,
      "warm_up_steps": 2,
      "video.width": 8,
      "video.attention_width": 8,
      "snippet.width": 8,
      "snippet.windows": (2, 4),
      "snippet.num_blocks": 1,
      "snippet.local_head_width": 4,
      "snippet.global_head_width": 4,
      "snippet.feed_forward_width": 8,
      "snippet.max_snippets": 160,
      "evaluation.every_steps": 4,
      "evaluation.batch_snippets": 256,
      "checkpoint.every_steps": 2,
      **changes,
    }
  )
  return config


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
  return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def whole(data_dir, tmp_path_factory):
  """A run of eight steps that nothing disturbed."""
  workdir = tmp_path_factory.mktemp("whole")
  assert main.run(tiny(data_dir), str(workdir)) == 0
  return workdir


def lines(workdir):
  """The metrics, wall times aside."""
  text = (Path(workdir) / "metrics.jsonl").read_text()
  return [
    {k: v for k, v in json.loads(line).items() if k != "time"}
    for line in text.splitlines()
  ]


def state_at(workdir, config, step):
  experiment = open_experiment(config)
  checkpoints = Checkpointer(Path(workdir) / "checkpoints", read_only=True)
  restored = checkpoints.restore(step, experiment.state_shapes)
  return jax.tree.map(np.asarray, restored.state)


def assert_same_run(one, other, config):
  assert lines(one) == lines(other)
  jax.tree.map(
    np.testing.assert_array_equal,
    state_at(one, config, 8),
    state_at(other, config, 8),
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
  """The selection metric is on disk then, and no checkpoint."""
  config = tiny(data_dir, **{"checkpoint.every_steps": 4, "total_steps": 4})
  assert main.run(config, str(tmp_path)) == 0
  shutil.rmtree(tmp_path / "checkpoints" / "4")
  assert (tmp_path / "checkpoints" / "selection.json").exists()
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
  config = tiny(data_dir, **{"checkpoint.keep": 9})
  assert main.run(config, str(tmp_path)) == 0
  file = tmp_path / "checkpoints" / "selection.json"
  told = json.loads(file.read_text())
  file.write_text(json.dumps(told | {"values": {"4": 2.0, "8": 1.0}}))
  files = (tmp_path / "checkpoints" / "4" / "state").rglob("*")
  largest = max(files, key=lambda path: path.stat().st_size)
  largest.write_bytes(largest.read_bytes()[:-9])
  capsys.readouterr()
  assert main.run(config, str(tmp_path)) == 0
  assert "checkpoint of step 8" in capsys.readouterr().out
  gc.collect()  # What Orbax dropped of the damaged one.


def test_evaluations_come_in_their_rhythm_after_warm_up(data_dir, tmp_path):
  config = tiny(
    data_dir,
    **{
      "total_steps": 8,
      "warm_up_steps": 5,
      "evaluation.every_steps": 3,
      "switches.average_precision": "step",
      "selection.metric": "frame_ap",
    },
  )
  assert main.run(config, str(tmp_path)) == 0
  evaluated = [line for line in lines(tmp_path) if "evaluation" in line]
  assert [line["step"] for line in evaluated] == [6, 8]
  for line in evaluated:
    assert line["selection"] == line["frame_ap_step"] != line["frame_auc"]
  told = json.loads((tmp_path / "results" / "selection.json").read_text())
  assert told["chosen_by"] == "frame_ap_step on the test split"


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


def test_the_memory_is_keyed_by_video_or_by_crop(data_dir):
  found = {}
  for key in ("video", "crop"):
    experiment = open_experiment(
      tiny(data_dir, **{"switches.history_key": key})
    )
    batch = next(experiment.training_iterator(0))["anomalous"]
    found[key] = (experiment.method.num_keys, batch["key"].tolist())
  examples = experiment.dataset.train_anomalous
  assert found["video"][0] == len({e["video"] for e in examples})
  assert found["crop"][0] == len(examples) > found["video"][0]
  crops = {int(e["crop_key"]): int(e["video_key"]) for e in examples}
  assert [crops[key] for key in found["crop"][1]] == found["video"][1]


def test_a_finished_run_only_reports_again(whole, data_dir):
  before = lines(whole)
  assert main.run(tiny(data_dir), str(whole)) == 0
  assert lines(whole) == before


def test_another_configuration_is_refused(whole, data_dir, capsys):
  config = tiny(data_dir)
  config.video.learning_rate = 0.5
  assert main.run(config, str(whole)) == 1
  assert "video.learning_rate: 0.001 there, 0.5 now" in capsys.readouterr().err


def test_a_refused_batch_size_leaves_the_workdir_free(
  data_dir, tmp_path, capsys
):
  config = tiny(data_dir)
  config.batch_size = 64
  assert main.run(config, str(tmp_path)) == 1
  assert "normal training crops; lower it" in capsys.readouterr().err
  assert not (tmp_path / "config.json").exists()


def test_nan_stops_the_run_and_is_never_saved(data_dir, tmp_path, capsys):
  config = tiny(data_dir)
  config.snippet.learning_rate = 1e30
  assert main.run(config, str(tmp_path)) == 1
  error = capsys.readouterr().err
  assert "NotFiniteError: Step " in error
  assert "loss/snippet_classification" in error
  checkpoints = Checkpointer(tmp_path / "checkpoints", read_only=True)
  for step in checkpoints.steps():
    state = state_at(tmp_path, config, step)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


def test_scores_do_not_depend_on_batching(whole, data_dir, tmp_path):
  """Crops of a video meet by its name, whatever batch they come in."""
  one = evaluate.evaluate_workdir(whole, "last", output=tmp_path / "a")
  one = one.last.results
  config_file = whole / "config.json"
  config = json.loads(config_file.read_text())
  try:
    changed = {**config, "evaluation": {**config["evaluation"]}}
    changed["evaluation"]["batch_snippets"] = 64
    config_file.write_text(json.dumps(changed))
    two = evaluate.evaluate_workdir(whole, "last", output=tmp_path / "b")
    two = two.last.results
  finally:
    config_file.write_text(json.dumps(config))
  np.testing.assert_allclose(one["frame_auc"], two["frame_auc"], atol=1e-6)
  results = json.loads((whole / "results/last/metrics.json").read_text())
  np.testing.assert_allclose(one["frame_auc"], results["frame_auc"], atol=1e-6)


def test_other_features_of_the_same_name_are_refused(
  whole, data_dir, tmp_path, capsys
):
  """data_dir may move, the data may not change."""
  moved = shutil.copytree(data_dir, tmp_path / "moved")
  assert main.run(tiny(moved), str(whole)) == 0
  synthetic_builder.prepare_synthetic(
    str(tmp_path / "half"), "tiny", 8, dtype="float16"
  )
  assert main.run(tiny(tmp_path / "half"), str(whole)) == 1
  error = capsys.readouterr().err
  assert "dtype: 'float32' there, 'float16' now" in error
  assert "fingerprint: " in error


def test_a_test_video_that_is_too_long_is_named_at_once(data_dir):
  with pytest.raises(
    ValueError, match=r"max_snippets is 8, but test video \w+"
  ):
    open_experiment(tiny(data_dir, **{"snippet.max_snippets": 8}))


def test_selection_is_stated_and_the_difference_reported(
  whole, data_dir, tmp_path, capsys
):
  """By training, and by evaluate, which writes the same."""
  assert main.run(tiny(data_dir), str(whole)) == 0
  said = capsys.readouterr().out
  assert evaluate.main(["--workdir", str(whole)]) == 0
  for out in (said, capsys.readouterr().out):
    assert "last: step 8; selected by frame_auc on the test split: step" in out
    assert "last  selected  difference" in out
  for folder in ("results", "evaluation"):
    told = {
      name: json.loads((whole / folder / name).read_text())
      for name in (
        "last/metrics.json",
        "selected/metrics.json",
        "selection.json",
      )
    }
    last, selected, both = told.values()
    assert both["chosen_by"] == "frame_auc on the test split"
    assert (last["step"], selected["step"]) == (8, both["selected_step"])
    change = selected["frame_auc"] - last["frame_auc"]
    assert both["selected_minus_last"]["frame_auc"] == pytest.approx(change)
  best = json.loads((whole / "checkpoints" / "selection.json").read_text())
  assert best["chosen_by"] == "frame_auc on the test split"
  assert set(best["values"]) == {"4", "8"}


def test_results_that_cannot_be_written_are_said_before_the_work(
  whole, tmp_path, capsys, monkeypatch
):
  (tmp_path / "file").write_text("")
  monkeypatch.setattr(evaluate, "score_videos", None)
  output = str(tmp_path / "file" / "results")
  assert evaluate.main(["--workdir", str(whole), "--output", output]) == 1
  assert f"Not a directory: '{output}'" in capsys.readouterr().err


def test_evaluate_says_which_checkpoints_there_are(whole, tmp_path, capsys):
  assert evaluate.main(["--workdir", str(whole), "--checkpoint", "5"]) == 1
  assert "allowed: best, last, or one of" in capsys.readouterr().err
  assert evaluate.main(["--workdir", str(tmp_path)]) == 1
  assert "not the workdir of a run" in capsys.readouterr().err


def test_another_data_set_is_scored_by_its_configuration(
  whole, data_dir, tmp_path, capsys
):
  """The same width scores; another is refused, and so is a missing file."""
  synthetic_builder.prepare_synthetic(str(data_dir), "tiny", 16)
  text = Path("configs/synthetic.py").read_text()
  for variant, segments, code in (("tiny", 16, 0), ("small", 32, 1)):
    file = tmp_path / f"{variant}.py"
    file.write_text(
      text.replace("num_segments = 32", f"num_segments = {segments}")
    )
    arguments = ["--workdir", str(whole), "--output", str(tmp_path / variant)]
    found = evaluate.main([*arguments, "--config", f"{file}:{variant}"])
    assert found == code
  assert "are 64 wide, but the checkpoint was trained on 16" in (
    capsys.readouterr().err
  )
  assert evaluate.main(["--workdir", str(whole), "--config", "no.py"]) == 1
  assert "there is no file no.py" in capsys.readouterr().err


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
  evaluated = [line for line in lines(tmp_path) if "evaluation" in line]
  assert evaluated[0]["selection"] != evaluated[0]["frame_auc"]
  said = capsys.readouterr().out
  assert "selected by video_auc on the validation split: step 4" in said


class Asked(Preemption):
  """A pre-emption that comes at its `when`-th question."""

  def __init__(self, when):  # no signals here
    self.unsaved = False
    self._left = when

  def agreed(self):
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


def start(data_dir, workdir, *, file_limit=None, **changes):
  """The program in a process of its own; files may grow to `file_limit`."""
  flags = [
    f"--config.{name}={value}"
    for name, value in {"total_steps": 100_000, **changes}.items()
  ]
  process = subprocess.Popen(
    [
      sys.executable,
      "-m",
      "adplg_jax.main",
      f"--workdir={workdir}",
      f"--config.data_dir={data_dir}",
      "--config.data.variant=tiny",
      "--config.batch_size=4",
      "--config.checkpoint.every_steps=50",
      "--config.evaluation.every_steps=100000",
      *flags,
    ],
    stderr=subprocess.PIPE,
    text=True,
  )
  if file_limit is not None:
    limits = (file_limit, file_limit)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
  return process


def wait_for(condition, seconds=120, pause=0.1):
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(pause)


def test_sigterm_saves_and_leaves_with_its_own_code(data_dir, tmp_path):
  process = start(data_dir, tmp_path)
  file = tmp_path / "metrics.jsonl"
  wait_for(lambda: file.exists() and file.read_text().count("\n") > 60)
  process.send_signal(signal.SIGTERM)
  error = process.communicate(timeout=60)[1]
  assert process.returncode == 42, error
  assert "saving, then leaving" in error
  steps = [
    int(p.name)
    for p in (tmp_path / "checkpoints").iterdir()
    if p.name.isdigit()
  ]
  assert max(steps) == lines(tmp_path)[-1]["step"]
  assert max(steps) % 50 or max(steps) > 60


def test_sigterm_before_anything_is_unsaved_ends_at_once(data_dir, tmp_path):
  process = start(data_dir, tmp_path)
  wait_for(lambda: (tmp_path / "config.json").exists())
  process.send_signal(signal.SIGTERM)
  error = process.communicate(timeout=30)[1]
  assert process.returncode == 42, error
  assert "leaving at once" in error


def test_an_unknown_field_fails_with_the_nearest_name(data_dir, tmp_path):
  process = start(data_dir, tmp_path, **{"video.learning_rat": 1})
  error = process.communicate(timeout=60)[1]
  assert process.returncode == 1
  said = (
    "config.video.learning_rat is no field. Did you mean config.video.learn"
  )
  assert error.startswith(said)
  assert "Traceback" not in error
  assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
  ("name", "nearest"),
  [
    ("lr", "config.video.learning_rate, config.snippet.learning_rate"),
    ("video.lr", "config.video.learning_rate"),
    ("switches.ap", "config.switches.average_precision"),
    ("snippet.heads", "config.snippet.local_heads"),
    ("batchsize", "config.batch_size"),
  ],
)
def test_nearest_fields(name, nearest):
  with pytest.raises(ValueError, match=rf"Did you mean {nearest}"):
    config_checks.check_fields([name], synthetic.get_config())


def test_sigterm_in_an_evaluation_stops_it(data_dir, tmp_path):
  """Its result is not awaited; the state is saved."""
  flags = {
    "evaluation.every_steps": 60,
    "evaluation.batch_snippets": 1,
    "checkpoint.every_steps": 100_000,
  }
  process = start(data_dir, tmp_path, **flags, warm_up_steps=1)
  file = tmp_path / "metrics.jsonl"
  wait_for(lambda: file.exists() and '"step": 60' in file.read_text(), pause=0)
  process.send_signal(signal.SIGTERM)
  error = process.communicate(timeout=60)[1]
  assert process.returncode == 42, error
  assert "saving, then leaving" in error
  assert (tmp_path / "checkpoints" / "60").is_dir()
  assert not any("evaluation" in line for line in lines(tmp_path))


@pytest.mark.skipif(
  subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0
  if shutil.which("unshare")
  else True,
  reason="mounting a read-only folder needs unshare and the right to mount",
)
def test_a_read_only_workdir_is_named(data_dir, tmp_path):
  """Even root cannot write there."""
  workdir = tmp_path / "run"
  workdir.mkdir()
  flags = [f"--config.data_dir={data_dir}", "--config.data.variant=tiny"]
  flags += ["--config.batch_size=4", f"--workdir={workdir}"]
  command = shlex.join([sys.executable, "-m", "adplg_jax.main", *flags])
  mount = f"mount -t tmpfs -o ro none {shlex.quote(str(workdir))}"
  done = subprocess.run(
    ["unshare", "-m", "bash", "-c", f"{mount} && {command}"],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 1
  said = f"WorkdirError: {workdir} cannot be written (Read-only file system)"
  assert said in done.stderr


def test_a_second_sigterm_ends_at_once_and_spoils_nothing(data_dir, tmp_path):
  process = start(data_dir, tmp_path)
  wait_for((tmp_path / "checkpoints" / "50").exists)
  wait_for(lambda: lines(tmp_path)[-1]["step"] > 60)
  for _ in range(2):
    process.send_signal(signal.SIGTERM)
    time.sleep(0.01)
  process.communicate(timeout=60)
  assert process.returncode == 42
  checkpoints = Checkpointer(tmp_path / "checkpoints", read_only=True)
  step = checkpoints.steps()[-1]
  assert checkpoints.meta(step)["data"] == {"next_index": step}
  again = start(data_dir, tmp_path, total_steps=step + 1)
  assert again.communicate(timeout=120) and again.returncode == 0


def test_no_space_left_is_said_and_nothing_saved_is_lost(data_dir, tmp_path):
  """Files that may not grow stand for a full disk."""
  process = start(data_dir, tmp_path, total_steps=50)
  assert process.communicate(timeout=120) and process.returncode == 0
  process = start(data_dir, tmp_path, total_steps=100, file_limit=300_000)
  error = process.communicate(timeout=120)[1]
  assert process.returncode == 1, error
  # TensorStore's threads print what befell them as well, before or after.
  start_of = "CheckpointError: A checkpoint could not be written"
  (said,) = [line for line in error.splitlines() if start_of in line]
  assert "File too large" in said, said
  assert "run the same command" in said
  process = start(data_dir, tmp_path, total_steps=100)
  assert process.communicate(timeout=120) and process.returncode == 0
  steps = [line["step"] for line in lines(tmp_path) if "evaluation" not in line]
  assert steps == list(range(1, 101))
