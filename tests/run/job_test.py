"""Processes of a job: how they find each other, and how one leaves."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.run import job
from adplg_jax.run.checkpoint import Checkpointer, Selection
from tests.jobs import (
  LONG,
  assert_same_numbers,
  finish,
  free_port,
  logged,
  start,
  start_job,
  steps_done,
)
from tests.runs import wait_for

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
  "how",
  [
    "",
    "host:1",
    "host:1,2",
    "host:1,two,0",
    "localhost:x,2,0",
    "localhost,2,0",
    "localhost:1,2,2",
    "localhost:1,0,0",
  ],
)
def test_other_forms_are_refused(how):
  service = jax.config.jax_enable_preemption_service
  try:
    with pytest.raises(ValueError, match=f"--distributed is '{how}'; allowed"):
      job.start(how)
  finally:
    jax.config.update("jax_enable_preemption_service", service)


def test_a_process_by_itself_has_no_peers():
  job.start("none")
  assert not job.peer_is_gone(ValueError("UNAVAILABLE: Gloo"))
  job.leave(7)  # does nothing


@pytest.mark.parametrize(
  ("text", "gone"),
  [
    ("Gloo all-reduce failed", True),
    ("UNAVAILABLE: connection refused", True),
    ("DEADLINE_EXCEEDED: barrier", True),
    ("No space left on device", False),
  ],
)
def test_errors_that_tell_of_a_lost_peer(text, gone, monkeypatch):
  monkeypatch.setattr(job.jax.distributed, "is_initialized", lambda: True)
  assert job.peer_is_gone(RuntimeError(text)) == gone
  # A failed save carries the cause.
  outer = OSError("A checkpoint could not be written")
  outer.__cause__ = ValueError("np.asarray")
  outer.__cause__.__cause__ = RuntimeError(text)
  assert job.peer_is_gone(outer) == gone


def test_slurm_variables_are_enough_for_every_process_to_find_the_others():
  code = (
    "import jax; from adplg_jax.run import job\n"
    "job.start('auto')\n"
    "print(jax.process_index(), jax.process_count(), len(jax.devices()))"
  )
  environment = dict(os.environ) | {
    "JAX_PLATFORMS": "cpu",
    "SLURM_JOB_ID": str(os.getpid()),
    "SLURM_STEP_NODELIST": "localhost",
    "SLURM_NTASKS": "2",
  }
  environment.pop("JAX_NUM_CPU_DEVICES", None)
  processes = [
    subprocess.Popen(
      [sys.executable, "-c", code], cwd=ROOT, text=True,
      env=environment | {"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)},
      stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    for i in range(2)
  ]  # fmt: skip
  for index, process in enumerate(processes):
    out, errors = process.communicate(timeout=90)
    assert process.returncode == 0, errors
    assert out.split() == [str(index), "2", "2"]


DAMAGED_METRICS = """
import sys, time
import jax
from adplg_jax.run import job
from adplg_jax.run.checkpoint import Checkpointer, Selection
job.start(sys.argv[1])
read = Checkpointer._read_selections
def read_late(self):  # The others would add a selection by now.
  time.sleep(3 * jax.process_index())
  return read(self)
Checkpointer._read_selections = read_late
checkpoints = Checkpointer(sys.argv[2], keep=9)
before = checkpoints.selection(2)
checkpoints.add_selection(2, Selection(0.5, "frame_auc on the test split"))
print(checkpoints.steps(), before, checkpoints.best_step())
checkpoints.close()
"""


def test_two_processes_agree_on_damaged_metrics(tmp_path):
  """The first alone has an eye on them; all see a checkpoint without any."""
  folder = tmp_path / "checkpoints"
  checkpoints = Checkpointer(folder)
  for step in (1, 2):
    checkpoints.save(step, {"x": jnp.zeros(3)}, {}, Selection(0.1, "video_auc"))
  checkpoints.close()
  file = folder / "2" / "metrics" / "metrics"
  file.write_text(file.read_text()[:-9])
  port = free_port()
  processes = [
    subprocess.Popen(
      [
        *(sys.executable, "-c", DAMAGED_METRICS),
        *(f"localhost:{port},2,{index}", folder),
      ],
      cwd=ROOT, text=True,
      stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    for index in range(2)
  ]  # fmt: skip
  for process in processes:
    out, errors = process.communicate(timeout=90)
    assert process.returncode == 0, errors
    assert out.endswith("[1, 2] None 2\n")
  assert json.loads(file.read_text())["value"] == 0.5


@pytest.mark.slow
def test_two_processes_equal_one(one_device, data_dir, tmp_path):
  for process in start_job(tmp_path, data_dir):
    finish(process)
  assert_same_numbers(one_device, tmp_path)
  assert [step for step, _ in logged(tmp_path)] == [
    step for step, _ in logged(one_device)
  ]
  for (_, a), (_, b) in zip(logged(tmp_path), logged(one_device), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("moment", ["step", "save", "evaluation"])
def test_a_lost_process_is_noticed_anywhere(data_dir, tmp_path, lost, moment):
  """Also the coordinator; the survivor leaves with its own code."""
  flags = [*LONG, "--config.checkpoint.every_steps=5"]
  if moment == "evaluation":
    flags[1:] = ["--config.evaluation.every_steps=10"]
    flags += ["--config.evaluation.batch_snippets=64"]
  job = start_job(tmp_path, data_dir, flags=flags)
  wait_for(lambda: steps_done(tmp_path) > 12)
  if moment == "save":
    wait_for(lambda: any((tmp_path / "checkpoints").glob("*tmp*")))
  elif moment == "evaluation":
    wait_for(lambda: logged_quietly(tmp_path)[-1][0] % 10 == 0)
  job[lost].kill()
  error = job[1 - lost].communicate(timeout=130)[1]
  assert job[1 - lost].returncode == 43, error[-2000:]
  assert "Another process of the job died" in error
  job[lost].communicate()


def logged_quietly(workdir):
  """`logged`, while a line may be half written."""
  try:
    return logged(workdir)
  except json.JSONDecodeError:
    return [(1, [])]


@pytest.mark.slow
def test_a_process_that_cannot_save_takes_the_others_along(data_dir, tmp_path):
  """The one without space says why; nobody waits for it."""
  job = start_job(tmp_path, data_dir, flags=LONG)
  wait_for(lambda: steps_done(tmp_path) > 2)
  for process in job:
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
  errors = [process.communicate(timeout=130)[1] for process in job]
  assert {process.returncode for process in job} <= {1, 43}, errors
  assert "could not be written" in "".join(errors) or (
    "cannot be written" in "".join(errors)
  )


def test_a_signal_ends_a_process_that_waits_for_the_others(data_dir, tmp_path):
  process = start(
    tmp_path, data_dir, f"--distributed=localhost:{free_port()},2,0"
  )
  time.sleep(12)
  process.send_signal(signal.SIGTERM)
  process.communicate(timeout=20)
  assert process.returncode in (42, -signal.SIGTERM)


@pytest.mark.slow
def test_a_lost_process_is_noticed_and_the_job_goes_on(
  one_device, data_dir, tmp_path
):
  """The survivor leaves within two minutes, with its own code."""
  first, second = start_job(
    tmp_path, data_dir, flags=["--config.total_steps=99999"]
  )
  metrics = tmp_path / "metrics.jsonl"
  deadline = time.monotonic() + 120
  while not (metrics.exists() and metrics.read_text().count("\n") > 12):
    assert time.monotonic() < deadline
    time.sleep(0.05)
  second.kill()
  second.communicate()
  killed = time.monotonic()
  error = first.communicate(timeout=120)[1]
  assert time.monotonic() - killed < 120
  assert first.returncode == 43, error[-2000:]
  assert "Another process of the job died" in error
  # The run was far from its end: drop what goes beyond the reference's.
  for step in (tmp_path / "checkpoints").iterdir():
    if step.name.isdigit() and int(step.name) > 10:
      shutil.rmtree(step)
  for process in start_job(tmp_path, data_dir):
    finish(process)
  assert_same_numbers(one_device, tmp_path)
