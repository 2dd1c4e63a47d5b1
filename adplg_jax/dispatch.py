"""How the train step gets its batches: from the host, or on the device.

`Streamed` dispatches each step by itself, on a batch that the host has read.
`Resident` keeps the training features on the device and dispatches many steps
at once, on the same batches in the same order. Either trains one seed or
several; the states of several are stacked. Either compiles from the moment it
is made, so that the initial state is made meanwhile.
"""

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from adplg_jax import train_step
from adplg_jax.data import pipeline
from adplg_jax.experiment import Experiment
from adplg_jax.method import Method
from adplg_jax.run import sharding
from adplg_jax.train_state import TrainState

# Share of a device's free memory that features may take by themselves: states,
# gradients and activations take the rest.
_SHARE = 0.5


class Dispatched(NamedTuple):
  """What a dispatch did.

  Attributes:
    steps: How many it did.
    metrics: Of each step, [steps, seeds] in any shape, or more steps.
    wait: How long it waited for its input [s].
  """

  steps: int
  metrics: dict[str, jax.Array]
  wait: float


def stack_states(states: Sequence[TrainState]) -> TrainState:
  """The states of several seeds at one step, stacked; one seed's as it is."""
  if len(states) == 1:
    return states[0]
  stack = jax.jit(lambda *x: jax.tree.map(lambda *y: jnp.stack(y), *x))
  return dataclasses.replace(stack(*states), step=states[0].step)


def state_of(state: TrainState, place: int, seeds: int) -> TrainState:
  """The state of one of several seeds, stacked by `stack_states`."""
  if seeds == 1:
    return state
  own = jax.tree.map(lambda x: x[place], dataclasses.replace(state, step=None))
  return dataclasses.replace(own, step=state.step)


def over_seeds(method: Method, seeds: int) -> Callable[..., tuple[Any, Any]]:
  """The train step (state, batch, seed) of one seed or of several.

  Args:
    method: Models, optimisers, settings.
    seeds: How many; of several, everything but the step is stacked.
  """

  def step(state: TrainState, batch: Any, seed: Any) -> tuple[Any, Any]:
    return train_step.train_step(state, batch, method=method, seed=seed)

  def stacked(state: TrainState, batch: Any, seed: Any) -> tuple[Any, Any]:
    # The number of the step is not: it decides what a step does.
    def one(parts: Any, batch: Any, seed: Any) -> Any:
      after, metrics = step(TrainState(state.step, *parts), batch, seed)
      return (after.video, after.snippet, after.memory), metrics

    parts, metrics = jax.vmap(one)(
      (state.video, state.snippet, state.memory), batch, seed
    )
    return TrainState(state.step + 1, *parts), metrics

  return step if seeds == 1 else stacked


def jit_step(experiment: Experiment) -> Callable[..., Any]:
  """The one jitted train step (state, batch, seed) -> (state, metrics)."""
  return jax.jit(
    over_seeds(experiment.method, len(experiment.seeds)),
    donate_argnames="state",
    out_shardings=sharding.replicated(experiment.mesh),
  )


def jit_steps(experiment: Experiment) -> Callable[..., Any]:
  """Many train steps (state, data, places, count, seed) -> (state, metrics).

  `data` are all crops, {class: {column: [crops, ...]}}; `places` those of each
  batch, {class: [k, b]} ([k, s, b] for several seeds), of which the first
  `count` are used. Metrics are [k, ...].
  """
  axis = min(len(experiment.seeds) - 1, 1)
  step = over_seeds(experiment.method, len(experiment.seeds))
  by_video = sharding.by_video(experiment.mesh, axis)

  def steps(state: TrainState, data: Any, places: Any, count: Any, seed: Any):
    def batch(number: Any) -> Any:
      return {
        name: jax.tree.map(
          lambda x, where=where[number]: jax.lax.with_sharding_constraint(
            x[where], by_video
          ),
          data[name],
        )
        for name, where in places.items()
      }

    def body(number: Any, carried: Any) -> Any:
      state, metrics = carried
      state, found = step(state, batch(number), seed)
      metrics = jax.tree.map(
        lambda all_, one: all_.at[number].set(one), metrics, found
      )
      return state, metrics

    rows = len(places["normal"])
    shapes: Any = jax.eval_shape(step, state, batch(0), seed)
    empty = jax.tree.map(
      lambda x: jnp.zeros((rows, *x.shape), x.dtype), shapes[1]
    )
    return jax.lax.fori_loop(0, count, body, (state, empty))

  return jax.jit(
    steps,
    donate_argnames="state",
    out_shardings=sharding.replicated(experiment.mesh),
  )


class _Compiling:
  """A jitted function, compiled on a thread until its first call needs it."""

  def __init__(self, function: Any, experiment: Experiment, *arguments: Any):
    """Traces, and begins to compile.

    Args:
      function: Jitted; its first argument is the train state.
      experiment: What is trained.
      *arguments: The others, of the shapes and shardings of every call.
    """
    # Here, as the mesh in use and JAX's switches are a thread's own.
    lowered = function.lower(_state_shapes(experiment), *arguments)
    thread = ThreadPoolExecutor(1)
    self._compiled = thread.submit(lowered.compile)
    thread.shutdown(wait=False)

  def __call__(self, *arguments: Any) -> Any:
    return self._compiled.result()(*arguments)


def _state_shapes(experiment: Experiment) -> TrainState:
  """Those of `stack_states` of all seeds, with their shardings."""
  alone, seeds = experiment.state_shapes, len(experiment.seeds)
  if seeds == 1:
    return alone
  stacked = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(
      (seeds, *x.shape), x.dtype, sharding=x.sharding
    ),
    alone,
  )
  return dataclasses.replace(stacked, step=alone.step)


def _seed_argument(experiment: Experiment) -> jax.Array:
  """The seed, or [s] seeds, on the devices."""
  seeds = np.squeeze(np.asarray(experiment.seeds, np.int32))
  return sharding.put_copies(seeds, experiment.mesh)


class Streamed:
  """Steps on batches that the host reads ahead."""

  def __init__(self, experiment: Experiment, first_step: int):
    """Begins to read and to compile.

    Args:
      experiment: What is trained.
      first_step: Steps that are done.
    """
    batches = experiment.training_iterator(first_step)
    first = next(batches)
    self._batches = itertools.chain([first], batches)
    self._seed = _seed_argument(experiment)
    self._put = functools.partial(
      sharding.put_batch,
      mesh=experiment.mesh,
      axis=min(len(experiment.seeds) - 1, 1),
    )
    self._step = _Compiling(
      jit_step(experiment), experiment, self._put(first), self._seed
    )

  def room(self) -> int | None:
    """Bytes of test features that may stay on the device: none."""
    return 0

  def advance(
    self, state: TrainState, most: int
  ) -> tuple[TrainState, Dispatched]:
    """Dispatches the next step.

    Args:
      state: Before it; donated.
      most: Steps that may be dispatched, at least 1.
    """
    del most
    start = time.perf_counter()
    batch = next(self._batches)
    wait = time.perf_counter() - start
    state, metrics = self._step(state, self._put(batch), self._seed)
    return state, Dispatched(1, metrics, wait)


class Resident:
  """Many steps a dispatch, on features that stay on the device."""

  def __init__(self, experiment: Experiment, first_step: int):
    """Brings the training crops to the devices and begins to compile.

    Args:
      experiment: What is trained.
      first_step: Steps that are done.
    """
    self._most = experiment.config.steps_per_dispatch
    self._mesh = experiment.mesh
    self._data = _on_device(experiment)
    places = pipeline.iterate(
      experiment.batch_places(),
      first_step=first_step,
      threads=experiment.config.data.read_threads,
    )
    first = next(places)
    self._places = itertools.chain([first], places)
    self._seed = _seed_argument(experiment)
    self._steps = _Compiling(
      jit_steps(experiment),
      experiment,
      self._data,
      self._stack([first]),
      np.int32(1),
      self._seed,
    )

  def room(self) -> int | None:
    """Bytes of test features that may stay on the device; None: not known."""
    free = sharding.free_bytes(self._mesh)
    return None if free is None else int(_SHARE * free)

  def advance(
    self, state: TrainState, most: int
  ) -> tuple[TrainState, Dispatched]:
    """Dispatches the next steps, up to `config.steps_per_dispatch`.

    Args:
      state: Before them; donated.
      most: Steps that may be dispatched, at least 1.
    """
    count = min(most, self._most)
    start = time.perf_counter()
    places = [next(self._places) for _ in range(count)]
    wait = time.perf_counter() - start
    state, metrics = self._steps(
      state, self._data, self._stack(places), np.int32(count), self._seed
    )
    return state, Dispatched(count, metrics, wait)

  def _stack(self, places: list[Any]) -> Any:
    """The places of a dispatch, of the same shape for any number of steps."""
    places = places + [places[-1]] * (self._most - len(places))
    return jax.tree.map(
      lambda *x: sharding.put_copies(np.stack(x).astype(np.int32), self._mesh),
      *places,
    )


def _on_device(experiment: Experiment) -> dict[str, dict[str, jax.Array]]:
  """All training crops, {class: {column: [crops, ...]}}, on every device."""
  types = {"features": _feature_dtype(experiment)}
  found = {}
  for name, crops in experiment.training_crops(in_memory=False).items():
    first = crops.read(np.array(0))
    whole = {
      column: np.empty(
        (len(crops), *value.shape), types.get(column, value.dtype)
      )
      for column, value in first.items()
    }
    for place in tqdm(
      range(len(crops)), desc=f"reading {name}", unit="crop", leave=False
    ):
      for column, value in crops.read(np.array(place)).items():
        whole[column][place] = value
    found[name] = jax.tree.map(
      lambda x: sharding.put_copies(x, experiment.mesh), whole
    )
  return found


def _feature_dtype(experiment: Experiment) -> Any:
  """That in which features are used: bfloat16 where the computation is."""
  return experiment.method.video_branch.dtype


def is_resident(experiment: Experiment) -> bool:
  """Whether the features stay on the device, by config.data.resident.

  Raises:
    ValueError: They must, but do not fit.
  """
  choice = experiment.config.data.resident
  if choice == "off":
    return False
  itemsize = jnp.dtype(_feature_dtype(experiment)).itemsize
  needed = experiment.training_numbers * itemsize
  free = sharding.free_bytes(experiment.mesh)
  if choice == "auto":
    # Free memory is known of accelerators alone. Processes of a job might
    # decide differently.
    alone = jax.process_count() == 1
    return alone and free is not None and needed <= _SHARE * free
  if free is not None and needed > _SHARE * free:
    raise ValueError(
      "config.data.resident is 'on', but the training features take "
      f"{needed / 2**30:.1f} GiB, and half of the device's free memory is "
      f"{_SHARE * free / 2**30:.1f} GiB; use off, or auto, which decides by "
      "this."
    )
  return True


def make_dispatcher(
  experiment: Experiment, first_step: int
) -> Streamed | Resident:
  """What trains an experiment from `first_step` on.

  Raises:
    ValueError: See `is_resident`.
  """
  kind = Resident if is_resident(experiment) else Streamed
  return kind(experiment, first_step)
