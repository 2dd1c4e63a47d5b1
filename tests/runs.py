"""Whole runs, small; commands in processes of their own."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np

from adplg_jax.configs import synthetic
from adplg_jax.experiment import open_experiment
from adplg_jax.run.checkpoint import Checkpointer

ROOT = Path(__file__).parents[1]


# A run of eight steps of the smallest model.
TINY = {
  "data.variant": "tiny",
  "batch_size": 4,
  "num_segments": 8,
  "total_steps": 8,
  "warm_up_steps": 2,
  "video.model.width": 8,
  "video.model.attention_width": 8,
  "snippet.model.width": 8,
  "snippet.model.windows": (2, 4),
  "snippet.model.num_blocks": 1,
  "snippet.model.local_head_width": 4,
  "snippet.model.global_head_width": 4,
  "snippet.model.feed_forward_width": 8,
  "snippet.model.max_snippets": 160,
  "evaluation.every_steps": 4,
  "evaluation.batch_snippets": 256,
  "checkpoint.every_steps": 2,
  # All of them.
  "checkpoint.keep": 9,
}


def tiny(data_dir, **changes):
  config = synthetic.get_config()
  config.data_dir = str(data_dir)
  config.update_from_flattened_dict({**TINY, **changes})
  return config


def lines(workdir):
  """The metrics, what the clock says aside."""
  text = (Path(workdir) / "metrics.jsonl").read_text()
  return [
    {
      name: value
      for name, value in json.loads(line).items()
      if name not in ("time", "input_wait")
    }
    for line in text.splitlines()
  ]


def state_at(workdir, config, step):
  experiment = open_experiment(config)
  checkpoints = Checkpointer(Path(workdir) / "checkpoints", read_only=True)
  restored = checkpoints.restore(step, experiment.state_shapes)
  return jax.tree.map(np.asarray, restored.state)


def select(workdir, step):
  """Makes a step's checkpoint the best one."""
  file = Path(workdir) / "checkpoints" / str(step) / "metrics" / "metrics"
  file.write_text(json.dumps(json.loads(file.read_text()) | {"value": 2.0}))


def scores(folder):
  """The frame scores of all videos in a result folder."""
  with np.load(Path(folder) / "scores.npz", allow_pickle=False) as file:
    return file["scores"]


def assert_same_run(one, other, config):
  assert lines(one) == lines(other)
  jax.tree.map(
    np.testing.assert_array_equal,
    state_at(one, config, 8),
    state_at(other, config, 8),
  )


def start(data_dir, workdir, *, file_limit=None, **changes):
  """The program in a process of its own; files may grow to `file_limit`."""
  fields = {
    **TINY,
    "data_dir": data_dir,
    "total_steps": 100_000,
    "checkpoint.every_steps": 50,
    "evaluation.every_steps": 100_000,
    **changes,
  }
  process = subprocess.Popen(
    [
      *(sys.executable, "-m", "adplg_jax.main", f"--workdir={workdir}"),
      *(f"--config.{name}={value}" for name, value in fields.items()),
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


def run_command(*command, cwd=ROOT, **environment):
  """Runs a command; its standard output."""
  done = subprocess.run(
    list(map(str, command)),
    cwd=cwd,
    env={**os.environ, **environment},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
  return done.stdout
