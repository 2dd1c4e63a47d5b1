"""Runs on many devices and in many processes, in processes of their own."""

import json
import os
import socket
import subprocess
import sys

import jax
import numpy as np

from adplg_jax.experiment import open_experiment
from adplg_jax.run.checkpoint import Checkpointer
from adplg_jax.run.workdir import read_config

STEPS = 20


FLAGS = (
  "--config.data.variant=tiny",
  "--config.precision=float64",
  "--config.batch_size=8",
  "--config.num_segments=8",
  f"--config.total_steps={STEPS}",
  "--config.warm_up_steps=6",
  "--config.video.model.width=8",
  "--config.video.model.attention_width=8",
  "--config.snippet.model.width=8",
  "--config.snippet.model.windows=(2,4)",
  "--config.snippet.model.num_blocks=1",
  "--config.snippet.model.local_head_width=4",
  "--config.snippet.model.global_head_width=4",
  "--config.snippet.model.feed_forward_width=8",
  "--config.evaluation.every_steps=10",
  "--config.checkpoint.every_steps=10",
)


# Flags of a run that does not end by itself.
LONG = ("--config.total_steps=99999", "--config.evaluation.every_steps=99999")


def start(workdir, data_dir, *flags, devices=1):
  """The program with this number of host devices."""
  return subprocess.Popen(
    [
      sys.executable,
      "-m",
      "adplg_jax.main",
      f"--workdir={workdir}",
      f"--config.data_dir={data_dir}",
      *FLAGS,
      *flags,
    ],
    env={**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )


def finish(process, code=0):
  error = process.communicate(timeout=240)[1]
  assert process.returncode == code, error[-3000:]
  return error


def free_port():
  with socket.socket() as s:
    s.bind(("localhost", 0))
    return s.getsockname()[1]


def start_job(workdir, data_dir, processes=2, flags=()):
  port = free_port()
  return [
    start(
      workdir,
      data_dir,
      f"--distributed=localhost:{port},{processes},{index}",
      *flags,
    )
    for index in range(processes)
  ]


def final_state(workdir):
  with jax.enable_x64(True):
    experiment = open_experiment(read_config(workdir))
    checkpoints = Checkpointer(workdir / "checkpoints", read_only=True)
    restored = checkpoints.restore(STEPS, experiment.state_shapes)
    return jax.tree.map(np.asarray, restored.state)


def assert_same_numbers(one, other):
  for a, b in zip(
    jax.tree.leaves(final_state(one)),
    jax.tree.leaves(final_state(other)),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def logged(workdir):
  """(step, all numbers) of each line of the metrics, wall times aside."""
  lines = []
  for text in (workdir / "metrics.jsonl").read_text().splitlines():
    line = json.loads(text)
    for clock in ("time", "input_wait"):
      line.pop(clock, None)
    numbers = [v for k, v in sorted(line.items()) if isinstance(v, float)]
    lines.append((line["step"], numbers))
  return lines


def steps_done(workdir):
  file = workdir / "metrics.jsonl"
  return file.read_text().count("\n") if file.exists() else 0
