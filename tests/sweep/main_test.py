"""The command: what it trains, skips, reports; killed, stopped, in parts."""

import csv
import json
import os
import signal
import subprocess
import sys

import pytest

from adplg_jax.sweep import __main__ as command
from tests.runs import TINY, wait_for
from tests.sweep.made import finish


def words(data_dir, out, *more, **changes):
  fields = {**TINY, "data_dir": data_dir, **changes}
  return [
    *(f"--config.{name}={value}" for name, value in fields.items()),
    *("--config=synthetic", f"--workdir={out}", *more),
  ]


@pytest.fixture
def sweep(tmp_path, monkeypatch):
  """The command, whose runs end as `codes` says of their rows, 0 if at all."""
  codes = {}
  trained = []

  def train(task):
    trained.append(f"{task.row.name}/{task.folder.name}")
    code = codes.get(task.row.name, 0)
    if code == 0:
      finish(task)
    return code

  def run(*more):
    trained.clear()
    return command.main(words(tmp_path / "data", tmp_path / "sweep", *more))

  monkeypatch.setattr(command, "train", train)
  run.codes, run.trained, run.out = codes, trained, tmp_path / "sweep"
  return run


def rows_of(out):
  """The table, {row: seeds}."""
  lines = (out / "table.csv").read_text().splitlines()
  return {line["row"]: int(line["seeds"]) for line in csv.DictReader(lines)}


def test_rows_with_all_their_seeds_and_what_is_finished_is_skipped(
  sweep, capsys
):
  assert sweep("--rows=no_history,no_denoising", "--seeds=0-1") == 0
  rows = ["full", "no_denoising", "no_history"]
  assert sweep.trained == [f"{row}/seeds_0-1" for row in rows]
  out = capsys.readouterr().out
  assert "[3/3] no_history, seeds 0-1: " in out
  assert "3 of 3 runs finished" in out
  assert (sweep.out / "table.md").read_text() in out
  assert rows_of(sweep.out) == dict.fromkeys(rows, 2)
  assert sweep("--rows=no_history,no_denoising", "--seeds=0-1") == 0
  assert sweep.trained == []
  assert "[1/3] full, seeds 0-1: finished before" in capsys.readouterr().out
  # More seeds: only these are trained.
  assert sweep("--rows=full", "--seeds=0-2") == 0
  assert sweep.trained == ["full/seed_2"]
  assert rows_of(sweep.out) == {"full": 3}


def test_all_ablations_are_the_default_and_settings_need_none(sweep):
  assert sweep("--seeds=0", "--set=pseudo_labels.mean_threshold=0.1,0.2") == 0
  assert sweep.trained == [
    "full/seed_0",
    "pseudo_labels.mean_threshold=0.1/seed_0",
    "pseudo_labels.mean_threshold=0.2/seed_0",
  ]
  assert sweep("--seeds=0") == 0
  assert len(sweep.trained) == 13
  assert len(rows_of(sweep.out)) == 14


def test_a_failure_is_reported_and_the_others_go_on(sweep, capsys):
  sweep.codes["no_denoising"] = 1
  options = ("--rows=no_history,no_denoising", "--seeds=3")
  assert sweep(*options) == 1
  assert len(sweep.trained) == 3
  said = capsys.readouterr()
  assert "[2/3] no_denoising, seed 3: failed (exit code 1)" in said.err
  assert "1 of 3 runs failed:\n  no_denoising, seed 3: " in said.err
  assert "2 of 3 runs finished" in said.out
  assert rows_of(sweep.out) == {"full": 1, "no_denoising": 0, "no_history": 1}
  sweep.codes.clear()
  assert sweep(*options) == 0
  assert sweep.trained == ["no_denoising/seed_3"]


def test_a_run_that_is_stopped_stops_the_sweep(sweep, capsys):
  sweep.codes["full"] = 42
  assert sweep("--seeds=0") == 42
  assert sweep.trained == ["full/seed_0"]
  assert "Stopped; the same command goes on" in capsys.readouterr().err


def test_a_signal_between_runs_stops_it_too(sweep, monkeypatch):
  def is_finished(task):
    os.kill(os.getpid(), signal.SIGTERM)
    return True

  before = signal.getsignal(signal.SIGTERM)
  monkeypatch.setattr(command, "is_finished", is_finished)
  with pytest.raises(SystemExit) as stopped:
    sweep("--seeds=0")
  assert stopped.value.code == 42
  assert signal.getsignal(signal.SIGTERM) == before


def test_parts_train_everything_once_and_the_table_is_built_alone(sweep):
  options = ("--seeds=0-1", "--together=1", "--rows=no_history")
  done = []
  for part in ("1/3", "3/3", "2/3"):
    assert sweep(*options, "--shard", part) == 0
    done += sweep.trained
  assert sorted(done) == sorted(set(done)) and len(done) == 4
  assert rows_of(sweep.out) == {"full": 2, "no_history": 2}
  (sweep.out / "table.csv").unlink()
  assert sweep(*options, "--table-only") == 0
  assert sweep.trained == []
  assert rows_of(sweep.out) == {"full": 2, "no_history": 2}


@pytest.mark.parametrize(
  ("option", "message"),
  [
    ("--rows=no_thing", "There is no row 'no_thing' in ablations.ROWS; allow"),
    ("--seeds=x", "--seeds is 'x'; allowed"),
    ("--together=-1", "--together is -1; allowed: 1 or more, 0 for all"),
    ("--shard=9", "--shard is '9'; allowed: K/N"),
    ("--config.seeds=2", "config.seeds is set by --seeds here"),
    ("--config.batch_size=0", "Row full: config.batch_size is 0; allowed"),
    ("--set=seed=1", "--set names seed, which"),
  ],
)
def test_what_makes_no_sense_is_said_in_a_line(sweep, option, message, capsys):
  assert sweep(option) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith("ValueError: ") and message in line
  assert sweep.trained == [] and not sweep.out.exists()


def test_help_fits_a_screen_and_needs_no_jax():
  code = "import sys; from adplg_jax.sweep.__main__ import main\n"
  code += "try: main(['--help'])\n"
  code += "except SystemExit: print('jax' in sys.modules)"
  text = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  ).stdout
  *lines, imported = text.splitlines()
  assert imported == "False"
  assert len(lines) <= 50 and max(map(len, lines)) <= 100


def test_killed_and_continued_to_a_table(data_dir, tmp_path):
  """For real: it goes on within the run, whose results the table has.

  The other row has the same program, and the same numbers.
  """
  out = tmp_path / "sweep"
  options = ("--set=checkpoint.keep=3", "--seeds=0-1")
  changes = {"total_steps": 100_000, "evaluation.every_steps": 100_000}
  with subprocess.Popen(
    [
      *(sys.executable, "-m", "adplg_jax.sweep"),
      *words(data_dir, out, *options, **changes),
    ],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  ) as process:
    own = out / "full" / "seeds_0-1"
    file = own / "seed_1" / "checkpoints" / "4"
    wait_for(file.exists, seconds=300)
    process.kill()
  before = (own / "seed_1" / "metrics.jsonl").read_text().splitlines()
  changes["total_steps"] = len(before) + 10
  assert command.main(words(data_dir, out, *options, **changes)) == 0
  # The steps of before are there with their times: they were not done again.
  after = (own / "seed_1" / "metrics.jsonl").read_text().splitlines()
  assert after[:4] == before[:4]
  full, other = csv.DictReader((out / "table.csv").read_text().splitlines())
  found = [
    json.loads((own / f"seed_{seed}/results/last/metrics.json").read_text())
    for seed in (0, 1)
  ]
  assert found[0]["step"] == len(before) + 10
  assert float(full["last_frame_auc_mean"]) == pytest.approx(
    (found[0]["frame_auc"] + found[1]["frame_auc"]) / 2, abs=1e-6
  )
  assert other["last_frame_auc_mean"] == full["last_frame_auc_mean"]
  assert float(other["last_frame_auc_difference_deviation"]) == 0
