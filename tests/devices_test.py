"""Many devices and many processes run the same run."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from adplg_jax.checkpoint import Checkpointer
from adplg_jax.experiment import open_experiment
from adplg_jax.workdir import load_config

STEPS = 20
FLAGS = (
  "--config.data.variant=tiny",
  "--config.precision=float64",
  "--config.batch_size=8",
  "--config.num_segments=8",
  f"--config.total_steps={STEPS}",
  "--config.warm_up_steps=6",
  "--config.video.width=8",
  "--config.video.attention_width=8",
  "--config.snippet.width=8",
  "--config.snippet.windows=(2,4)",
  "--config.snippet.num_blocks=1",
  "--config.snippet.local_head_width=4",
  "--config.snippet.global_head_width=4",
  "--config.snippet.feed_forward_width=8",
  "--config.evaluation.every_steps=10",
  "--config.checkpoint.every_steps=10",
)


def start(workdir, data_dir, *flags, devices=1):
  """The program with so many host devices."""
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


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
  return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def one_device(tmp_path_factory, data_dir):
  workdir = tmp_path_factory.mktemp("one")
  finish(start(workdir, data_dir))
  return workdir


def final_state(workdir):
  with jax.enable_x64(True):
    experiment = open_experiment(load_config(workdir))
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


@pytest.mark.parametrize(
  "devices", [2, pytest.param(8, marks=pytest.mark.slow)]
)
def test_devices_share_the_batch_and_change_nothing(
  one_device, data_dir, tmp_path, devices
):
  finish(start(tmp_path, data_dir, devices=devices))
  assert_same_numbers(one_device, tmp_path)


@pytest.mark.slow
def test_a_checkpoint_of_one_device_goes_on_on_many(
  one_device, data_dir, tmp_path
):
  finish(start(tmp_path, data_dir, "--config.total_steps=10"))
  finish(start(tmp_path, data_dir, devices=8))
  assert_same_numbers(one_device, tmp_path)


def test_a_batch_that_devices_cannot_share_is_refused(data_dir, tmp_path):
  process = start(tmp_path, data_dir, devices=3)
  assert "6 or 9 would do" in finish(process, code=1)


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


@pytest.mark.slow
def test_two_processes_equal_one(one_device, data_dir, tmp_path):
  for process in start_job(tmp_path, data_dir):
    finish(process)
  assert_same_numbers(one_device, tmp_path)


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
  assert "Another process of the job is gone" in error
  # The run had no end in sight: drop what lies beyond the reference's.
  for step in (tmp_path / "checkpoints").iterdir():
    if step.name.isdigit() and int(step.name) > 10:
      shutil.rmtree(step)
  for process in start_job(tmp_path, data_dir):
    finish(process)
  assert_same_numbers(one_device, tmp_path)


def test_processes_that_disagree_are_told(data_dir, tmp_path):
  port = free_port()
  jobs = [
    start(
      tmp_path,
      data_dir,
      f"--distributed=localhost:{port},2,{index}",
      f"--config.video.dropout=0.{index + 1}",
    )
    for index in range(2)
  ]
  for process in jobs:
    error = finish(process, code=1)
    assert "disagree" in error


# B = 8 on 8 devices, N = 4, H = 3; a memory far larger than anything else.
_BATCH, _SEGMENTS, _HISTORY, _WIDTH = 8, 4, 3, 40
_PROGRAM = f"""
import functools, json, jax, numpy as np
from adplg_jax import method as method_lib
from adplg_jax import sharding, train_state, train_step
from tests.train_step_test import small_config

config = small_config()
config.num_segments = {_SEGMENTS}
config.pseudo_labels.history_length = {_HISTORY}
config.video.width = config.video.attention_width = {_WIDTH}
config.snippet.width = {_WIDTH}
method = method_lib.from_config(config, feature_width={_WIDTH}, num_keys=3000)
mesh = sharding.make_mesh()
whole = sharding.replicated(mesh)
part = {{
  "features": np.ones(({_BATCH}, {_SEGMENTS}, {_WIDTH}), np.float32),
  "length": np.full({_BATCH}, {_SEGMENTS}, np.int32),
}}
key = {{"key": np.arange({_BATCH}, dtype=np.int32)}}
batch = sharding.put_batch({{"normal": part, "anomalous": part | key}}, mesh)
with jax.set_mesh(mesh):
  shapes = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=whole),
    jax.eval_shape(lambda: train_state.init_state(method, 0)),
  )
  step = jax.jit(
    functools.partial(train_step.train_step, method=method, seed=0),
    donate_argnames="state", out_shardings=whole,
  )
  text = step.lower(state=shapes, batch=batch).compile().as_text()
parameters = jax.tree.leaves((shapes.video.params, shapes.snippet.params))
print(json.dumps([x.shape for x in parameters]))
print(text)
"""
_COLLECTIVE = re.compile(
  r"= (\(?.*?\)?) (all-reduce|all-gather|all-to-all|collective-permute|"
  r"reduce-scatter)(?:-start)?\("
)


def dimensions(shape):
  """In ascending order, those of 1 left out: layouts do not matter."""
  return tuple(sorted(size for size in shape if size != 1))


def test_collectives_are_what_must_be_there():
  """Gradients, batch-axis losses, and the memory's rows of the batch.

  No activations, no parameters and not the whole memory are gathered.
  """
  done = subprocess.run(
    [sys.executable, "-c", _PROGRAM],
    env={
      **os.environ,
      "JAX_NUM_CPU_DEVICES": "8",
      "JAX_ENABLE_X64": "1",
    },
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr[-2000:]
  parameters, text = done.stdout.split("\n", 1)
  parameters = json.loads(parameters)
  found = {}
  for shapes, kind in _COLLECTIVE.findall(text):
    for sizes in re.findall(r"\w+\[([\d,]*)\]", shapes):
      shape = dimensions(int(size) for size in sizes.split(",") if size)
      found.setdefault(kind, set()).add(shape)
  gathered = {
    (_BATCH,),  # keys, and which item is the last of its key
    dimensions((_BATCH, _SEGMENTS)),  # raw labels
    dimensions((_BATCH, _HISTORY, _SEGMENTS)),  # their windows
  }
  assert dimensions((_BATCH, _SEGMENTS)) in found["all-gather"]
  assert found["all-gather"] <= gathered
  gradients = {dimensions(shape) for shape in parameters}
  # The convolution is one product; of the tables N rows are reached.
  gradients |= {(_WIDTH, 3 * _WIDTH), (_SEGMENTS, _WIDTH)}
  assert (_WIDTH, _WIDTH) in found["all-reduce"]
  # Losses and counts; the sparsity's sums along the batch.
  assert found["all-reduce"] <= gradients | {(), (_SEGMENTS,)}
  # Neighbours along the batch, for the smoothness.
  assert found.get("collective-permute", set()) <= {(_SEGMENTS,)}
  assert not set(found) - {"all-gather", "all-reduce", "collective-permute"}
