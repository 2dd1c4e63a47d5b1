"""Steps streamed or many at once, of one seed or several: the same numbers."""

import jax
import numpy as np
import pytest

from adplg_jax import dispatch
from adplg_jax.experiment import open_experiment
from adplg_jax.run import sharding
from tests.runs import tiny

STEPS = 7


def train(experiment, dispatcher, steps=STEPS):
  """All seeds' states after some steps, and the metrics [steps, seeds]."""
  seeds = experiment.seeds
  with jax.set_mesh(experiment.mesh):
    state = dispatch.stack_states([experiment.init_state(s) for s in seeds])
    found, sizes = [], []
    while sum(sizes) < steps:
      state, done = dispatcher.advance(state, steps - sum(sizes))
      assert done.wait >= 0
      sizes.append(done.steps)
      found.append(
        {
          name: np.reshape(value, (-1, len(seeds)))[: done.steps]
          for name, value in jax.device_get(done.metrics).items()
        }
      )
  metrics = jax.tree.map(lambda *x: np.concatenate(x), *found)
  states = [
    dispatch.state_of(state, place, len(seeds)) for place in range(len(seeds))
  ]
  return jax.device_get(states), metrics, sizes


def experiment_of(data_dir, **changes):
  return open_experiment(tiny(data_dir, **changes))


def assert_close(one, other, tolerance):
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(
      x, y, rtol=tolerance, atol=tolerance
    ),
    one,
    other,
  )


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.usefixtures("x64")
def test_resident_steps_are_the_streamed_ones(data_dir, seeds):
  """Over the end of the warm-up, and with a dispatch that is cut short."""
  experiment = experiment_of(
    data_dir, precision="float64", steps_per_dispatch=3, seeds=seeds
  )
  streamed = train(experiment, dispatch.Streamed(experiment, 0))
  resident = train(experiment, dispatch.Resident(experiment, 0))
  assert streamed[2] == [1] * STEPS
  assert resident[2] == [3, 3, 1]
  assert_close(streamed[:2], resident[:2], 1e-12)
  assert streamed[1]["loss/snippet_classification"][2:].all()


@pytest.mark.usefixtures("x64")
def test_resident_steps_go_on_where_a_run_stopped(data_dir):
  experiment = experiment_of(data_dir, precision="float64")
  places = experiment.batch_places()
  dispatcher = dispatch.Resident(experiment, 4)
  following = next(dispatcher._places)
  jax.tree.map(np.testing.assert_array_equal, following, places[4])


@pytest.mark.usefixtures("x64")
def test_several_seeds_are_each_as_a_run_of_its_own(data_dir):
  """As far as 1e-9; and different from each other."""
  changes = {"precision": "float64", "seed": 5}
  both = experiment_of(data_dir, **changes, seeds=2)
  assert both.seeds == (5, 6)
  states, metrics, _ = train(both, dispatch.Streamed(both, 0))
  for place, seed in enumerate(both.seeds):
    alone = experiment_of(data_dir, **changes | {"seed": seed})
    (state,), own, _ = train(alone, dispatch.Streamed(alone, 0))
    assert_close(states[place], state, 1e-9)
    of_seed = {name: value[:, [place]] for name, value in metrics.items()}
    assert_close(of_seed, own, 1e-9)
  one, other = (jax.tree.leaves(state.snippet.params) for state in states)
  assert (
    max(np.abs(a - b).max() for a, b in zip(one, other, strict=True)) > 0.01
  )


def test_bfloat16_features_train_the_same_to_the_bit(data_dir):
  """They are used in no other type, so half the memory costs nothing."""
  experiment = experiment_of(data_dir, precision="bfloat16")
  resident = dispatch.Resident(experiment, 0)
  for part in resident._data.values():
    assert part["features"].dtype == jax.numpy.bfloat16
  batch = next(experiment.training_iterator(0))
  rounded = {
    name: part | {"features": part["features"].astype("bfloat16")}
    for name, part in batch.items()
  }
  step = dispatch.jit_step(experiment)
  with jax.set_mesh(experiment.mesh):
    one, other = (
      step(
        experiment.init_state(),
        sharding.put_batch(x, experiment.mesh),
        np.int32(0),
      )
      for x in (batch, rounded)
    )
  jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_many_steps_are_lowered_for_accelerators(data_dir, platform, seeds):
  experiment = experiment_of(data_dir, seeds=seeds)
  several = (seeds,) * (seeds > 1)
  data = {
    name: {
      "features": jax.ShapeDtypeStruct((9, 8, 16), np.float32),
      "length": jax.ShapeDtypeStruct((9,), np.int32),
    }
    for name in ("normal", "anomalous")
  }
  data["anomalous"]["key"] = data["anomalous"]["length"]
  places = {
    name: jax.ShapeDtypeStruct((3, *several, 4), np.int32) for name in data
  }
  state = jax.eval_shape(
    lambda: dispatch.stack_states(
      [experiment.init_state(s) for s in range(seeds)]
    )
  )
  lowered = (
    dispatch.jit_steps(experiment)
    .trace(
      state,
      data,
      places,
      np.int32(2),
      jax.ShapeDtypeStruct(several, np.int32),
    )
    .lower(lowering_platforms=(platform,))
  )
  assert "while" in lowered.as_text()


@pytest.mark.parametrize(
  ("choice", "free", "expected"),
  [
    ("auto", None, False),
    ("auto", 10**9, True),
    ("auto", 1000, False),
    ("off", 10**9, False),
    ("on", None, True),
    ("on", 10**9, True),
  ],
)
def test_features_stay_on_the_device_where_they_fit(
  data_dir, monkeypatch, choice, free, expected
):
  monkeypatch.setattr(sharding, "free_bytes", lambda mesh: free)
  experiment = experiment_of(data_dir, **{"data.resident": choice})
  assert dispatch.is_resident(experiment) is expected
  kind = dispatch.Resident if expected else dispatch.Streamed
  assert isinstance(dispatch.make_dispatcher(experiment, 0), kind)


def test_features_that_must_stay_but_do_not_fit_are_refused(
  data_dir, monkeypatch
):
  experiment = experiment_of(data_dir, **{"data.resident": "on"})
  needed = 4 * experiment.training_numbers
  monkeypatch.setattr(sharding, "free_bytes", lambda mesh: 2 * needed - 1)
  with pytest.raises(ValueError, match=r"config.data.resident is 'on', but"):
    dispatch.is_resident(experiment)
