"""All that knows Orbax: what a checkpoint holds, which are kept, what is whole.

A checkpoint holds the whole train state and `meta`: the run's configuration,
the data position, library versions, and a checksum for each array, since Orbax
itself restores flipped bytes without a word.
"""

import contextlib
import dataclasses
import importlib.metadata
import json
import logging as std_logging
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from absl import logging
from jax.experimental import multihost_utils
from orbax.checkpoint.checkpoint_managers import save_decision_policy

from adplg_jax.files import write_atomically

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


# What fails is raised here as a CheckpointError; Orbax' own account of it, a
# page for each array, would bury that.
logging.get_absl_logger().addFilter(
  lambda record: "/orbax/" not in record.pathname
)
std_logging.getLogger("asyncio").setLevel(std_logging.CRITICAL)


class CheckpointError(Exception):
  """A checkpoint that could not be written or read; says which and why."""


class Restored(NamedTuple):
  """What a checkpoint held.

  Attributes:
    step: Its step.
    state: The train state.
    meta: Configuration, data position, versions, checksums.
  """

  step: int
  state: Any
  meta: dict[str, Any]


def versions() -> dict[str, str]:
  """Versions of the libraries a run's numbers depend on."""
  return {name: importlib.metadata.version(name) for name in PACKAGES}


def _best(values: Mapping[int, float], steps: Sequence[int]) -> int | None:
  """The step of the highest value among `steps`, the earliest of equals."""
  known = [step for step in sorted(steps) if step in values]
  return max(known, key=lambda step: values[step], default=None)


@dataclasses.dataclass
class _Preserve:
  """Which checkpoints stay: the latest, the best, and every so many steps."""

  selection: Mapping[int, float]
  keep: int
  keep_every_steps: int

  def should_preserve(self, checkpoints, *, context) -> list[bool]:
    """Orbax' question for each checkpoint, oldest first."""
    del context
    steps = [checkpoint.step for checkpoint in checkpoints]
    kept = {*steps[-self.keep :], _best(self.selection, steps)}
    every = self.keep_every_steps
    return [s in kept or bool(every and s % every == 0) for s in steps]


@jax.jit
def _checksums(leaves: list[jax.Array]) -> list[jax.Array]:
  """A checksum an array: its words, each times its own odd number, summed.

  Odd factors have inverses modulo 2^32, so any single changed word shows.
  """

  def checksum(x: jax.Array) -> jax.Array:
    words = jax.lax.bitcast_convert_type(x, jnp.uint32).ravel()
    odd = 2 * jnp.arange(words.size, dtype=jnp.uint32) + 1
    return (words * odd).sum(dtype=jnp.uint32)

  return [checksum(x) for x in leaves]


def _paths(state: Any) -> list[str]:
  return [
    jax.tree_util.keystr(path, simple=True, separator="/")
    for path, _ in jax.tree_util.tree_leaves_with_path(state)
  ]


def checksums(state: Any) -> dict[str, int]:
  """Checksum of each array of a state, by its path."""
  sums = jax.device_get(_checksums(jax.tree.leaves(state)))
  return dict(zip(_paths(state), map(int, sums), strict=True))


def _text_checksum(meta: Mapping[str, Any]) -> int:
  """Checksum of meta data, the same before and after they were JSON."""
  as_json = json.loads(json.dumps(meta))
  return zlib.crc32(json.dumps(as_json, sort_keys=True).encode())


@jax.jit
def _finite(leaves: list[jax.Array]) -> list[jax.Array]:
  return [jnp.isfinite(x).all() for x in leaves]


def not_finite(state: Any) -> list[str]:
  """Paths of the arrays of a state that hold NaN or infinity."""
  finite = jax.device_get(_finite(jax.tree.leaves(state)))
  return [p for p, ok in zip(_paths(state), finite, strict=True) if not ok]


class Checkpointer:
  """Saves in the background and restores the newest that is whole.

  Attributes:
    directory: Where the checkpoints lie, one folder a step.
    chosen_by: What the best checkpoint is chosen by, "" before any evaluation.
  """

  def __init__(
    self,
    directory: str | Path,
    *,
    keep: int = 2,
    keep_every_steps: int = 0,
    read_only: bool = False,
  ):
    """Opens or makes the directory.

    Args:
      directory: Where the checkpoints lie.
      keep: How many of the latest are kept; the best is kept besides.
      keep_every_steps: Every so many steps one is kept for good; 0: none.
      read_only: Only restore.
    """
    self.directory = Path(directory).absolute()
    self._read_only = read_only
    self._selection_file = self.directory / "selection.json"
    self.chosen_by, self._selection = self._read_selection()
    options = ocp.CheckpointManagerOptions(
      preservation_policy=_Preserve(self._selection, keep, keep_every_steps),
      save_decision_policy=save_decision_policy.FixedIntervalPolicy(1),
      cleanup_tmp_directories=not read_only,
      create=not read_only,
      read_only=read_only,
    )
    self._manager = ocp.CheckpointManager(
      self.directory,
      options=options,
      item_handlers={
        "state": ocp.StandardCheckpointHandler(),
        "meta": ocp.JsonCheckpointHandler(),
      },
    )

  def save(self, step: int, state: Any, meta: Mapping[str, Any]) -> None:
    """Begins to write a checkpoint; the state may be donated on return.

    Args:
      step: Its step.
      state: The train state.
      meta: What else belongs to it, as JSON.

    Raises:
      CheckpointError: This or the save before could not be written, the
        state is not finite, or the step has a checkpoint or a later one.
    """
    latest = self._manager.latest_step()
    if latest is not None and step <= latest:
      raise CheckpointError(
        f"{self.directory} has checkpoints of steps {self.steps()}: step "
        f"{step} cannot be saved there. Choose another folder."
      )
    bad = not_finite(state)
    if bad:
      raise CheckpointError(
        f"Step {step} is not saved: {len(bad)} arrays of its state are not "
        f"finite, {bad[0]} first. The checkpoints ({self.steps() or 'none'}) "
        "hold finite states. Try lower learning rates in a new workdir."
      )
    meta = dict(meta, versions=versions(), checksums=checksums(state))
    meta["checksum"] = _text_checksum(meta)
    try:
      self._manager.save(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(meta)
        ),
      )
    except Exception as error:
      raise self._failed(error) from error

  def wait(self) -> None:
    """Returns when everything begun is on disk.

    Raises:
      CheckpointError: A save could not be written.
    """
    try:
      self._manager.wait_until_finished()
    except Exception as error:
      raise self._failed(error) from error

  def close(self) -> None:
    """Waits and ends."""
    self.wait()
    self._manager.close()

  def steps(self) -> list[int]:
    """Steps that have a checkpoint, ascending."""
    return sorted(self._manager.all_steps())

  def best_step(self) -> int | None:
    """The step with the best selection metric, None when none has one."""
    return _best(self._selection, self.steps())

  def select(self, step: int, value: float, *, chosen_by: str) -> None:
    """Notes the selection metric of a step; the best one's state is kept.

    Args:
      step: The step.
      value: Of the metric; the highest is the best.
      chosen_by: The metric and its split, in words.
    """
    self._selection[step] = value
    self.chosen_by = chosen_by
    self._write_selection()

  def selection(self, step: int) -> float | None:
    """The selection metric of a step, None when it was not evaluated."""
    return self._selection.get(step)

  def forget_after(self, step: int) -> None:
    """Drops selection metrics of steps that will be done again."""
    for later in [s for s in self._selection if s > step]:
      del self._selection[later]
    self._write_selection()

  def _read_selection(self) -> tuple[str, dict[int, float]]:
    if not self._selection_file.exists():
      return "", {}
    try:
      told = json.loads(self._selection_file.read_text("utf-8"))
      values = {int(step): float(v) for step, v in told["values"].items()}
      return told["chosen_by"], values
    except (ValueError, AttributeError, KeyError, TypeError) as error:
      raise CheckpointError(
        f"{self._selection_file} is damaged ({error}). Remove it and run the "
        "same command again; the best checkpoint is then chosen among the "
        "evaluations still to come."
      ) from error

  def _write_selection(self) -> None:
    if jax.process_index() == 0:
      self.directory.mkdir(parents=True, exist_ok=True)
      told = {"chosen_by": self.chosen_by, "values": self._selection}
      write_atomically(self._selection_file, json.dumps(told))

  def meta(self, step: int) -> dict[str, Any]:
    """The meta data of a checkpoint, without its arrays.

    Raises:
      CheckpointError: It cannot be read.
    """
    args = ocp.args.Composite(meta=ocp.args.JsonRestore())
    with self._reading(step):
      return self._manager.restore(step, args=args)["meta"]

  @contextlib.contextmanager
  def _reading(self, step: int) -> Iterator[None]:
    """Says which checkpoint cannot be read, why, and which others there are."""
    try:
      yield
    except Exception as error:
      others = [s for s in self.steps() if s != step]
      raise CheckpointError(
        f"{self.directory / str(step)} cannot be read: {_first_line(error)} "
        f"Other checkpoints there: {others or 'none'}."
      ) from error

  def restore(self, step: int, like: Any) -> Restored:
    """Restores a step and verifies every array.

    Args:
      step: Which.
      like: A state, or its shapes with shardings, of the same structure.

    Returns:
      The checkpoint.

    Raises:
      CheckpointError: Damaged, incomplete or of another structure.
    """
    if step not in self.steps():
      raise CheckpointError(
        f"{self.directory} has no checkpoint of step {step}; it has "
        f"{self.steps() or 'none'}."
      )
    self._check_shapes(step, like)
    with self._reading(step):
      restored = self._manager.restore(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardRestore(like), meta=ocp.args.JsonRestore()
        ),
      )
    state, meta = restored["state"], restored["meta"]
    if meta.pop("checksum", None) != _text_checksum(meta):
      raise CheckpointError(
        f"{self.directory / str(step)} is damaged: its meta data do not have "
        "the checksum they were saved with."
      )
    found = checksums(state)
    changed = [k for k, v in meta["checksums"].items() if found.get(k) != v]
    if changed:
      raise CheckpointError(
        f"{self.directory / str(step)} is damaged: {len(changed)} arrays do "
        f"not have the checksum they were saved with, {changed[0]} first."
      )
    return Restored(step, state, meta)

  def _check_shapes(self, step: int, like: Any) -> None:
    """Refuses a checkpoint of another model or data set.

    Raises:
      CheckpointError: With the first array whose shape differs.
    """
    place = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    there, now = (
      dict(zip(_paths(x), [y.shape for y in jax.tree.leaves(x)], strict=True))
      for x in (self.saved_shapes(step, place), like)
    )
    off = [p for p in {**now, **there} if there.get(p) != now.get(p)]
    if off:
      raise CheckpointError(
        f"{self.directory / str(step)} is of another model or data set: "
        f"{len(off)} arrays have another shape, {off[0]} first, "
        f"{there.get(off[0])} there, {now.get(off[0])} now."
      )

  def saved_shapes(self, step: int, sharding: jax.sharding.Sharding) -> Any:
    """Shapes of a checkpoint's state as nested dicts, to restore it alone.

    Unlike a state of the run's own configuration this needs no data set.

    Raises:
      CheckpointError: It cannot be read.
    """
    with self._reading(step):
      saved = self._manager.item_metadata(step)["state"]
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
      saved,
    )

  def restore_latest(self, like: Any) -> Restored | None:
    """Restores the newest checkpoint that is whole.

    Damaged ones are moved aside, out of the way of the steps done again, and
    named with the reason in the log.

    Args:
      like: See `restore`.

    Returns:
      The checkpoint, or None where there is none at all.

    Raises:
      CheckpointError: There are checkpoints, and all of them are damaged.
    """
    reasons = []
    for step in reversed(self.steps()):
      try:
        restored = self.restore(step, like)
      except CheckpointError as error:
        logging.error("%s Going back to the one before.", error)
        reasons.append((step, str(error)))
        continue
      for damaged, _ in reasons:
        self._set_aside(damaged)
      return restored
    if reasons:
      raise CheckpointError(
        "No checkpoint is whole: " + " ".join(text for _, text in reasons)
      )
    return None

  def _set_aside(self, step: int) -> None:
    """Moves a damaged checkpoint to `damaged/`."""
    if self._read_only:
      return
    aside = self.directory.parent / "damaged" / str(step)
    if jax.process_index() == 0:
      shutil.rmtree(aside, ignore_errors=True)
      aside.parent.mkdir(exist_ok=True)
      (self.directory / str(step)).rename(aside)
      logging.error("The damaged checkpoint now lies in %s.", aside)
    multihost_utils.sync_global_devices("checkpoint set aside")
    self._manager.reload()

  def _failed(self, error: Exception) -> CheckpointError:
    return CheckpointError(
      f"A checkpoint could not be written to {self.directory}: "
      f"{_first_line(error)} What was saved before is untouched; make room or "
      "mend the folder and run the same command again."
    )


def _first_line(error: Exception) -> str:
  """The first line of an error's own cause, as a sentence, without its middle.

  What the operating system said stands in front: TensorStore's texts hold it as
  a number, anywhere in a page.
  """
  while error.__cause__ is not None and isinstance(error.__cause__, Exception):
    error = error.__cause__
  text = str(error).strip()
  lines = text.splitlines() or [type(error).__name__]
  line = lines[0].rstrip(".")
  line = line if len(line) <= 600 else f"{line[:200]} ... {line[-400:]}"
  code = re.search(r"os_error_code='(\d+)'", text)
  return f"{os.strerror(int(code[1]))}: {line}." if code else f"{line}."
