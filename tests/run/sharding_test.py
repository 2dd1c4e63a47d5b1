"""Many devices share the batch, and change nothing."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from adplg_jax.run import sharding
from tests.jobs import assert_same_numbers, finish, start


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


def test_arrays_reach_the_devices_and_come_back():
  mesh = sharding.make_mesh()
  assert mesh.axis_names == (sharding.AXIS,)
  assert mesh.size == len(jax.devices())
  batch = {"features": np.arange(12.0).reshape(4, 3), "length": np.arange(4)}
  for put in (sharding.put_batch, sharding.put_whole):
    for name, x in put(batch, mesh).items():
      assert x.sharding == sharding.by_video(mesh)
      np.testing.assert_array_equal(sharding.fetch(x), batch[name])
  whole = jax.device_put(batch["features"], sharding.replicated(mesh))
  assert whole.is_fully_replicated


def test_without_a_mesh_nothing_is_gathered():
  x = np.ones(3)
  assert sharding.replicate(x) is x
  mesh = sharding.make_mesh()
  with jax.set_mesh(mesh):
    gathered = jax.jit(sharding.replicate)(sharding.put_whole(x, mesh))
  assert gathered.is_fully_replicated


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
  # The convolution is one product; of the tables N rows are reached, summed as
  # one row.
  gradients |= {(_WIDTH, 3 * _WIDTH), (_SEGMENTS * _WIDTH,)}
  assert (_WIDTH, _WIDTH) in found["all-reduce"]
  # Losses and counts; the sparsity's sums along the batch.
  assert found["all-reduce"] <= gradients | {(), (_SEGMENTS,)}
  # Neighbours along the batch, for the smoothness.
  assert found.get("collective-permute", set()) <= {(_SEGMENTS,)}
  assert not set(found) - {"all-gather", "all-reduce", "collective-permute"}


def test_free_memory_is_that_of_the_fullest_device():
  def device(limit, used):
    stats = limit and {"bytes_limit": limit, "bytes_in_use": used}
    return SimpleNamespace(memory_stats=lambda: stats)

  def free(*devices):
    return sharding.free_bytes(SimpleNamespace(local_devices=devices))

  assert free(device(10, 3), device(10, 6)) == 4
  assert free(device(10, 3), device(None, 0)) is None
