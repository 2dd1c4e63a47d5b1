"""Checkpoints: saved, kept, selected, restored; every damage is noticed."""

import gc
import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.run import checkpoint

# When a read of a damaged checkpoint fails, Orbax drops its others as they are.
pytestmark = pytest.mark.filterwarnings(
  "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def dropped_here():
  yield
  gc.collect()


STATE = {
  "a": jnp.arange(6000, dtype=jnp.float32).reshape(60, 100),
  "b": {"count": jnp.array([1, 2], jnp.int32), "step": jnp.array(3)},
  # No compressor makes it smaller, so its bytes are in a file as they are.
  "noise": jnp.asarray(
    np.random.default_rng(0).integers(2**32, size=6000, dtype=np.uint32)
  ),
}


def shapes(state=STATE):
  place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), state
  )


def state_of(step):
  return jax.tree.map(lambda x: x + step, STATE)


def filled(tmp_path, steps=(1, 2, 3), **arguments):
  checkpoints = checkpoint.Checkpointer(
    tmp_path / "checkpoints", **{"keep": 3, **arguments}
  )
  for step in steps:
    checkpoints.save(step, state_of(step), {"number": step})
  checkpoints.wait()
  return checkpoints


def noise_on_disk(directory):
  """The data file that holds "noise" of a checkpoint, and where in it."""
  values = np.asarray(state_of(int(directory.name))["noise"]).tobytes()
  files = (directory / "state" / "ocdbt.process_0" / "d").iterdir()
  places = {file: file.read_bytes().find(values) for file in files}
  ((file, start),) = [item for item in places.items() if item[1] >= 0]
  return file, start


def flip(directory):
  """Flips one bit of the last value but one."""
  file, start = noise_on_disk(directory)
  data = bytearray(file.read_bytes())
  data[start + 4 * 5998] ^= 1
  file.write_bytes(data)


def truncate(directory):
  """Cuts the file in the middle of the values."""
  file, start = noise_on_disk(directory)
  file.write_bytes(file.read_bytes()[: start + 4 * 3000])


def remove(directory):
  noise_on_disk(directory)[0].unlink()


def empty(directory):
  shutil.rmtree(directory / "state")


def test_round_trip_is_bit_exact(tmp_path):
  restored = filled(tmp_path).restore_latest(shapes())
  assert restored.step == 3
  assert restored.meta["number"] == 3
  assert restored.meta["versions"]["jax"] == jax.__version__
  for found, start in zip(
    jax.tree.leaves(restored.state), jax.tree.leaves(STATE), strict=True
  ):
    np.testing.assert_array_equal(found, start + 3)
    assert found.dtype == start.dtype


@pytest.mark.parametrize("damage", [flip, truncate, remove, empty])
def test_damage_falls_back_to_the_one_before(tmp_path, damage, caplog):
  filled(tmp_path).close()
  damage(tmp_path / "checkpoints" / "3")
  checkpoints = checkpoint.Checkpointer(tmp_path / "checkpoints", keep=3)
  restored = checkpoints.restore_latest(shapes())
  assert restored.step == 2
  np.testing.assert_array_equal(restored.state["a"], STATE["a"] + 2)
  assert (tmp_path / "damaged" / "3").is_dir()
  assert checkpoints.steps() == [1, 2]
  # The step can be done and saved again.
  checkpoints.save(3, STATE, {})
  checkpoints.wait()
  assert checkpoints.restore_latest(shapes()).step == 3


def test_flipped_bits_are_named(tmp_path, monkeypatch):
  """Orbax restores them without a word."""
  checkpoints = filled(tmp_path)
  flip(tmp_path / "checkpoints" / "2")
  said = "1 arrays do not have the checksum .* first: noise"
  with pytest.raises(checkpoint.CheckpointError, match=said):
    checkpoints.restore(2, shapes())
  stored = checkpoints.meta(2)["checksums"]
  monkeypatch.setattr(checkpoint, "checksums", lambda state: stored)
  restored = checkpoints.restore(2, shapes()).state["noise"]
  changed = np.asarray(restored) ^ np.asarray(state_of(2)["noise"])
  assert np.flatnonzero(changed).tolist() == [5998]
  assert changed[5998] == 1


def test_the_reason_is_that_of_the_cause(tmp_path):
  checkpoints = filled(tmp_path)
  truncate(tmp_path / "checkpoints" / "2")
  with pytest.raises(checkpoint.CheckpointError) as error:
    checkpoints.restore(2, shapes())
  assert "bound method" not in str(error.value)
  assert "Requested byte range" in str(error.value)


def test_changed_meta_data_are_noticed(tmp_path):
  """A flipped letter that is still JSON."""
  checkpoints = filled(tmp_path)
  file = tmp_path / "checkpoints" / "3" / "meta" / "metadata"
  assert '"number": 3' in file.read_text()
  file.write_text(file.read_text().replace('"number": 3', '"number": 2'))
  with pytest.raises(checkpoint.CheckpointError, match="its meta data do not"):
    checkpoints.restore(3, shapes())
  file.write_text(file.read_text().replace('"checksums"', '"checksumt"'))
  with pytest.raises(checkpoint.CheckpointError, match="its meta data do not"):
    checkpoints.restore(3, shapes())


def test_meta_data_hold_all_versions(tmp_path):
  meta = filled(tmp_path).meta(3)
  assert set(meta["versions"]) == set(checkpoint.PACKAGES)


def test_saving_goes_on_in_the_background(tmp_path):
  """What `save` was given may be donated at once."""
  checkpoints = filled(tmp_path, (1,))
  state = {"a": jnp.arange(4_000_000, dtype=jnp.float32)}
  checkpoints.save(2, state, {})
  on_disk = tmp_path / "checkpoints" / "2"
  begun = not on_disk.exists()
  state["a"].delete()
  checkpoints.wait()
  assert begun
  restored = checkpoints.restore(2, shapes({"a": jnp.zeros(4_000_000)}))
  assert restored.state["a"][-1] == 3_999_999


@pytest.mark.parametrize(
  ("file", "read"),
  [
    ("meta/metadata", lambda c, place: c.meta(3)),
    ("state/_METADATA", lambda c, place: c.saved_shapes(3, place)),
  ],
)
def test_parts_that_cannot_be_read_are_named(tmp_path, file, read):
  checkpoints = filled(tmp_path)
  (tmp_path / "checkpoints" / "3" / file).write_text("{")
  place = jax.tree.leaves(shapes())[0].sharding
  said = r"checkpoints/3 cannot be read: .*Other checkpoints there: \[1, 2\]"
  with pytest.raises(checkpoint.CheckpointError, match=said):
    read(checkpoints, place)


def test_reasons_are_not_lost_in_long_errors():
  error = OSError("write " + "x" * 900 + ": No space left on device")
  assert len(checkpoint._first_line(error)) < 620
  assert checkpoint._first_line(error).endswith("No space left on device.")
  error = OSError("opening " + "[os_error_code='28'] " + "x" * 900)
  assert checkpoint._first_line(error).startswith("No space left on device: ")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_state_that_is_not_finite_is_never_saved(tmp_path, value):
  checkpoints = filled(tmp_path)
  state = {**STATE, "a": STATE["a"].at[3, 7].set(value)}
  with pytest.raises(
    checkpoint.CheckpointError,
    match=r"Step 4 is not saved: 1 .*the first is a",
  ):
    checkpoints.save(4, state, {})
  assert checkpoints.steps() == [1, 2, 3]


def test_a_step_that_is_there_is_not_saved_over_in_silence(tmp_path):
  checkpoints = filled(tmp_path)
  with pytest.raises(
    checkpoint.CheckpointError, match="step 2 cannot be saved"
  ):
    checkpoints.save(2, STATE, {})


def test_all_damaged_is_an_error(tmp_path):
  filled(tmp_path, (1, 2)).close()
  for step in "12":
    flip(tmp_path / "checkpoints" / step)
  checkpoints = checkpoint.Checkpointer(tmp_path / "checkpoints")
  with pytest.raises(
    checkpoint.CheckpointError, match="No checkpoint is valid"
  ):
    checkpoints.restore_latest(shapes())
  assert checkpoints.steps() == [1, 2]


def metric(value, chosen_by="frame_auc on the test split"):
  return checkpoint.Selection(value, chosen_by)


def test_kept_are_the_latest_the_best_and_every_so_many(tmp_path):
  checkpoints = checkpoint.Checkpointer(
    tmp_path / "checkpoints", keep=2, keep_every_steps=5
  )
  values = {3: 0.9, 6: 0.5, 9: 0.7}
  for step in range(1, 10):
    selection = metric(values[step]) if step in values else None
    checkpoints.save(step, STATE, {}, selection)
  assert checkpoints.best_step() == 3
  checkpoints.close()
  again = checkpoint.Checkpointer(tmp_path / "checkpoints", read_only=True)
  assert again.steps() == [3, 5, 8, 9]
  assert again.best_step() == 3
  assert again.selection(9) == metric(0.7)
  assert again.selection(8) is None


def test_of_equals_the_earliest_is_the_best_and_kept(tmp_path):
  checkpoints = checkpoint.Checkpointer(tmp_path / "checkpoints", keep=1)
  for step in (1, 2, 3):
    checkpoints.save(step, STATE, {}, metric(0.5))
  checkpoints.save(4, STATE, {})
  checkpoints.close()
  again = checkpoint.Checkpointer(tmp_path / "checkpoints", read_only=True)
  assert again.steps() == [1, 4]
  assert again.best_step() == 1


def test_an_evaluation_after_the_save_is_added_to_it(tmp_path):
  """As when a run was asked to leave in the middle of an evaluation."""
  checkpoints = filled(tmp_path, (1, 2), keep=1)
  checkpoints.add_selection(2, metric(0.5))
  assert checkpoints.best_step() == 2
  # It is the best for Orbax, too, which keeps it.
  checkpoints.save(3, state_of(3), {})
  checkpoints.close()
  again = checkpoint.Checkpointer(tmp_path / "checkpoints", read_only=True)
  assert again.steps() == [2, 3]
  assert again.selection(2) == metric(0.5)
  restored = again.restore(2, shapes())
  assert restored.meta["number"] == 2
  np.testing.assert_array_equal(restored.state["a"], STATE["a"] + 2)


def test_an_evaluation_that_cannot_be_added_leaves_the_checkpoint(
  tmp_path, monkeypatch
):
  """The only one there is."""
  checkpoints = filled(tmp_path, (1,), keep=1)

  def full(_):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(
    checkpoint.CheckpointError, match=r"No space left.*before is untouched"
  ):
    checkpoints.add_selection(1, metric(0.5))
  monkeypatch.undo()
  # What remains after a kill, too.
  again = checkpoint.Checkpointer(tmp_path / "checkpoints")
  assert again.selection(1) is None
  assert again.restore_latest(shapes()).step == 1
  again.add_selection(1, metric(0.5))
  assert again.best_step() == 1


def test_an_evaluated_step_is_not_saved_twice(tmp_path):
  checkpoints = filled(tmp_path, (1,))
  checkpoints.save(2, STATE, {}, metric(0.5))
  with pytest.raises(checkpoint.CheckpointError, match="step 2 cannot"):
    checkpoints.save(2, STATE, {}, metric(0.6))
  with pytest.raises(checkpoint.CheckpointError, match="step 1 cannot"):
    checkpoints.save(1, STATE, {}, metric(0.6))


@pytest.mark.parametrize(
  "text",
  ["", "[1]", '{"value": 1}', '{"value": 0.5, "step": 3}'],
)
def test_damaged_metrics_leave_the_checkpoint(tmp_path, text, caplog):
  """Its state is intact; it counts as not evaluated, and can be again."""
  checkpoints = filled(tmp_path, (1, 2))
  checkpoints.save(3, STATE, {}, metric(0.5))
  checkpoints.close()
  file = tmp_path / "checkpoints/3/metrics/metrics"
  file.write_text(text)
  with pytest.raises(
    checkpoint.CheckpointError, match=rf"{file} is damaged \(.*Remove it"
  ):
    checkpoint.Checkpointer(tmp_path / "checkpoints", read_only=True)
  again = checkpoint.Checkpointer(tmp_path / "checkpoints", keep=3)
  assert f"{file} is damaged (" in caplog.text
  assert again.steps() == [1, 2, 3]
  assert again.selection(3) is None
  assert again.restore_latest(shapes()).step == 3
  again.add_selection(3, metric(0.5))
  assert again.best_step() == 3


def test_a_damaged_checkpoint_forgets_its_metric(tmp_path):
  checkpoints = filled(tmp_path, (1, 2))
  checkpoints.save(3, state_of(3), {}, metric(0.5))
  checkpoints.wait()
  flip(tmp_path / "checkpoints" / "3")
  assert checkpoints.restore_latest(shapes()).step == 2
  assert checkpoints.selection(3) is None
  assert checkpoints.best_step() is None


def test_the_step_that_a_word_stands_for(tmp_path):
  checkpoints = filled(tmp_path, (1, 2))
  assert checkpoints.find_step("best") == checkpoints.find_step("last") == 2
  checkpoints.save(3, STATE, {}, metric(0.5))
  checkpoints.save(4, STATE, {}, metric(0.4))
  assert checkpoints.find_step("best") == 3
  assert checkpoints.find_step("last") == 4
  assert checkpoints.find_step("2") == checkpoints.find_step(2) == 2
  for which in ("9", "newest", "²", 9, -2):
    with pytest.raises(
      checkpoint.CheckpointError, match=rf"is {which!r}; allowed: best, last"
    ):
      checkpoints.find_step(which)


def test_no_step_to_find(tmp_path):
  checkpoints = checkpoint.Checkpointer(tmp_path / "checkpoints")
  with pytest.raises(checkpoint.CheckpointError, match="has no checkpoint"):
    checkpoints.find_step("last")


def test_a_checkpoint_of_another_model_is_named(tmp_path):
  checkpoints = filled(tmp_path)
  other = {**STATE, "b": {**STATE["b"], "count": jnp.zeros(5, jnp.int32)}}
  with pytest.raises(
    checkpoint.CheckpointError,
    match=r"1 arrays have another shape, .* b/count, \(2,\) there, \(5,\)",
  ):
    checkpoints.restore(3, shapes(other))


def test_a_missing_step_is_named(tmp_path):
  with pytest.raises(checkpoint.CheckpointError, match=r"step 7; it has \[1"):
    filled(tmp_path).restore(7, shapes())


@pytest.mark.parametrize(
  "dtype",
  [
    *("bfloat16", "float16", "float64", "float4_e2m1fn", "complex64"),
    *("bool", "uint8", "int32", "int4"),
  ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_checksums_are_of_bytes_of_any_type(x64, dtype, size):
  """Every byte counts; arrays may be no multiple of a word long."""
  x = np.arange(size) % 2
  start = checkpoint.checksums({"x": jnp.asarray(x, dtype)})
  for place in range(size):
    changed = jnp.asarray(x ^ (np.arange(size) == place), dtype)
    assert checkpoint.checksums({"x": changed}) != start


def test_leaves_of_any_type_are_saved(tmp_path):
  state = {
    "moment": jnp.arange(5, dtype=jnp.bfloat16),
    "seen": jnp.array([True, False, True]),
    "small": jnp.array([-8, 0, 7], jnp.int4),
    "wave": jnp.array([1 + 2j, -1j]),
  }
  checkpoints = checkpoint.Checkpointer(tmp_path / "checkpoints")
  checkpoints.save(1, state, {})
  checkpoints.wait()
  restored = checkpoints.restore(1, shapes(state)).state
  for name, value in state.items():
    np.testing.assert_array_equal(restored[name], value)
    assert restored[name].dtype == value.dtype


def test_float64_is_restored_in_a_program_without_it(tmp_path):
  """As in a conversion of a run of precision float64."""
  checkpoints = checkpoint.Checkpointer(tmp_path / "checkpoints")
  with jax.enable_x64(True):
    state = {"x": jnp.arange(5, dtype=jnp.float64) / 3}
    checkpoints.save(1, state, {})
    checkpoints.wait()
  place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  like = checkpoints.saved_shapes(1, place)
  restored = checkpoints.restore(1, like).state["x"]
  assert restored.dtype == np.float64
  np.testing.assert_array_equal(np.asarray(restored), np.arange(5) / 3)


def test_checksum_sees_any_changed_word():
  rng = np.random.default_rng(0)
  x = rng.random(50, np.float32)
  start = checkpoint.checksums({"x": jnp.asarray(x)})
  for place in range(50):
    changed = x.copy().view(np.uint32)
    changed[place] ^= np.uint32(1 << rng.integers(32))
    found = checkpoint.checksums({"x": jnp.asarray(changed.view(np.float32))})
    assert found != start
  assert checkpoint.checksums({"x": jnp.asarray(x[::-1])}) != start


def test_unwritable_directory_is_a_clear_error(tmp_path, monkeypatch):
  checkpoints = filled(tmp_path)

  def full(*_, **__):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(checkpoints._manager, "save", full)
  with pytest.raises(
    checkpoint.CheckpointError, match=r"No space left.*run the same command"
  ):
    checkpoints.save(4, STATE, {})
  assert checkpoints.restore_latest(shapes()).step == 3
