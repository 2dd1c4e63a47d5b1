"""Many devices and many processes run the same run."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from adplg_jax.experiment import open_experiment
from adplg_jax.run import sharding
from adplg_jax.run.checkpoint import Checkpointer
from adplg_jax.run.workdir import read_config
from tests.layouts import prepare_synthetic

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
  assert "use 6 or 9" in finish(process, code=1)


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
  assert [step for step, _ in logged(tmp_path)] == [
    step for step, _ in logged(one_device)
  ]
  for (_, a), (_, b) in zip(logged(tmp_path), logged(one_device), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def logged(workdir):
  """(step, all numbers) of each line of the metrics, wall times aside."""
  lines = []
  for text in (workdir / "metrics.jsonl").read_text().splitlines():
    line = json.loads(text)
    line.pop("time")
    numbers = [v for k, v in sorted(line.items()) if isinstance(v, float)]
    lines.append((line["step"], numbers))
  return lines


LONG = ("--config.total_steps=99999", "--config.evaluation.every_steps=99999")


def wait_for(condition, seconds=120):
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.01)


def steps_done(workdir):
  file = workdir / "metrics.jsonl"
  return file.read_text().count("\n") if file.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("asked", [(0,), (1,), (0, 1)])
def test_all_processes_leave_at_the_same_step(data_dir, tmp_path, asked):
  """Whichever is asked to."""
  job = start_job(tmp_path, data_dir, flags=LONG)
  # In a state that is not saved: elsewhere a signal ends a process at once.
  wait_for(lambda: steps_done(tmp_path) % 10 > 3 and steps_done(tmp_path) > 12)
  for index in asked:
    job[index].send_signal(signal.SIGTERM)
  for process in job:
    finish(process, code=42)
  saved = [int(p.name) for p in (tmp_path / "checkpoints").glob("[0-9]*[0-9]")]
  assert max(saved) == logged(tmp_path)[-1][0]


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
  assert "Another process of the job is gone" in error
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
  assert "Another process of the job is gone" in error
  # The run had no end in sight: drop what lies beyond the reference's.
  for step in (tmp_path / "checkpoints").iterdir():
    if step.name.isdigit() and int(step.name) > 10:
      shutil.rmtree(step)
  for process in start_job(tmp_path, data_dir):
    finish(process)
  assert_same_numbers(one_device, tmp_path)


def told_apart(tmp_path, *flags, data_dirs):
  """What two processes say that were given different things."""
  port = free_port()
  jobs = [
    start(
      tmp_path,
      data_dirs[index],
      f"--distributed=localhost:{port},2,{index}",
      *own,
    )
    for index, own in enumerate(flags)
  ]
  return [finish(process, code=1) for process in jobs]


def test_processes_that_disagree_are_told(data_dir, tmp_path):
  """Even on the precision, which no array could tell them."""
  for error in told_apart(
    tmp_path,
    ["--config.video.model.dropout=0.1"],
    ["--config.video.model.dropout=0.2", "--config.precision=float32"],
    data_dirs=(data_dir, data_dir),
  ):
    assert "config.video.model.dropout: [0.1, 0.2]" in error
    assert "config.precision: ['float64', 'float32']" in error


@pytest.mark.slow
def test_processes_with_other_data_are_told(data_dir, tmp_path):
  """Of the same name and counts; only the features differ."""
  other = tmp_path / "data"
  prepare_synthetic(str(other), "tiny", 8, dtype="float16")
  for error in told_apart(
    tmp_path / "run", [], [], data_dirs=(data_dir, other)
  ):
    assert "data.fingerprint: [" in error
    assert "data.dtype: ['float32', 'float16']" in error


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [0, 1])
def test_what_one_process_refuses_all_are_told(data_dir, tmp_path, wrong):
  flags = [[], []]
  flags[wrong] = ["--config.batch_size=0"]
  errors = told_apart(tmp_path, *flags, data_dirs=(data_dir, data_dir))
  assert "config.batch_size is 0; allowed: 1 or more" in errors[wrong]
  said = f"process {wrong}: config.batch_size is 0; allowed"
  assert said in errors[1 - wrong]


def test_devices_of_a_process_stay_together():
  """In the order of the processes, which is that of the rows they read."""

  def device(process, number):
    return SimpleNamespace(process_index=process, id=number)

  mixed = [device(1, 3), device(0, 0), device(1, 1), device(0, 2)]
  ordered = sharding.by_process(mixed)
  assert [(d.process_index, d.id) for d in ordered] == [
    *((0, 0), (0, 2)),
    *((1, 1), (1, 3)),
  ]
  with pytest.raises(ValueError, match="0: 2, 1: 1; give every process"):
    sharding.by_process(mixed[1:])


# B = 8 on 8 devices, N = 4, H = 3; a memory far larger than anything else.
_BATCH, _SEGMENTS, _HISTORY, _WIDTH = 8, 4, 3, 40
_PROGRAM = f"""
import functools, json, jax, numpy as np
from adplg_jax import method as method_lib
from adplg_jax import train_state, train_step
from adplg_jax.run import sharding
from tests.train_step_test import small_config

config = small_config()
config.num_segments = {_SEGMENTS}
config.pseudo_labels.history_length = {_HISTORY}
config.video.model.width = config.video.model.attention_width = {_WIDTH}
config.snippet.model.width = {_WIDTH}
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
