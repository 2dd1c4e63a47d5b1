"""The command line in a process of its own: signals, refusals, full disks."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

from adplg_jax.run.checkpoint import Checkpointer
from tests.runs import lines, start, wait_for


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
    "config.video.learning_rat is not a field. "
    "Did you mean config.video.optimizer"
  )
  assert error.startswith(said)
  assert "Traceback" not in error
  assert not os.listdir(tmp_path)


def test_sigterm_in_an_evaluation_stops_it(data_dir, tmp_path):
  """Its result is not awaited; the state is saved."""
  flags = {
    "evaluation.every_steps": 60,
    "evaluation.batch_snippets": 1,
    "checkpoint.every_steps": 100_000,
  }
  # With more videos, whose evaluation takes its time.
  flags["data.variant"] = "small"
  process = start(data_dir, tmp_path, **flags)
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
  assert checkpoints.meta(step)["config"]["data"]["builder"] == "synthetic"
  again = start(data_dir, tmp_path, total_steps=step + 1)
  assert again.communicate(timeout=120) and again.returncode == 0


def test_a_full_disk_is_reported_and_nothing_saved_is_lost(data_dir, tmp_path):
  """Files that may not grow take the place of a full disk."""
  # A checkpoint is written before a timeline, and metrics stay smaller.
  quiet = {"log_every_steps": 10**6, "checkpoint.every_steps": 3}
  process = start(data_dir, tmp_path, **quiet, total_steps=6)
  assert process.communicate(timeout=120) and process.returncode == 0
  process = start(
    data_dir, tmp_path, **quiet, total_steps=12, file_limit=20_000
  )
  error = process.communicate(timeout=120)[1]
  assert process.returncode == 1, error
  # TensorStore's threads print their own errors, before or after.
  start_of = "CheckpointError: A checkpoint could not be written"
  (said,) = [line for line in error.splitlines() if start_of in line]
  assert "File too large" in said, said
  assert "run the same command" in said
  process = start(data_dir, tmp_path, **quiet, total_steps=12)
  error = process.communicate(timeout=120)[1]
  assert process.returncode == 0, error
  assert "Going on from the checkpoint of step 6" in error
  assert [line["step"] for line in lines(tmp_path)] == [6, 12]
  assert (tmp_path / "checkpoints" / "12").is_dir()


@pytest.mark.parametrize(
  ("arguments", "said"),
  [
    (["--help"], "--workdir"),
    (["--workdir=x", "--config=synthetic", "--config.sed=1"], "config.sed"),
  ],
)
def test_a_command_line_is_read_without_importing_jax(arguments, said):
  code = (
    "import sys; from adplg_jax import main\n"
    "try: main.main(sys.argv[1:])\n"
    "except SystemExit: pass\n"
    "print([m for m in ('jax', 'sklearn', 'matplotlib') if m in sys.modules])"
  )
  done = subprocess.run(
    [sys.executable, "-c", code, *arguments],
    capture_output=True, text=True, check=True,
  )  # fmt: skip
  assert said in done.stdout + done.stderr
  assert done.stdout.splitlines()[-1] == "[]"


def test_training_imports_what_judges_and_draws_when_it_does():
  """Half of the CPU time of the imports, otherwise before the first step."""
  code = (
    "import sys; from adplg_jax import train\n"
    "print([m for m in ('sklearn', 'matplotlib') if m in sys.modules])"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert done.stdout.splitlines()[-1] == "[]"
