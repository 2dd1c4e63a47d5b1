"""Everything about Orbax: saving, restoring, which checkpoints are kept.

A checkpoint has the whole train state, the selection metric if it was
evaluated, and `meta`: the run's configuration, properties of its data, library
versions, and a checksum of each array, since Orbax restores flipped bytes
silently.
"""

import contextlib
import importlib.metadata
import json
import logging as std_logging
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from absl import logging
from jax.experimental import multihost_utils
from orbax.checkpoint.checkpoint_managers import (
  preservation_policy,
  save_decision_policy,
)

from adplg_jax.run import legacy
from adplg_jax.run.files import write_atomically

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


# Failures are raised here as a CheckpointError, which would be lost in what
# Orbax logs: a page for each array.
logging.get_absl_logger().addFilter(
  lambda record: "/orbax/" not in record.pathname
)
std_logging.getLogger("asyncio").setLevel(std_logging.CRITICAL)


class CheckpointError(Exception):
  """A checkpoint that could not be written or read; says which and why."""


class Restored(NamedTuple):
  """The contents of a checkpoint.

  Attributes:
    step: Its step.
    state: The train state.
    meta: Configuration, properties of the data, versions, checksums.
  """

  step: int
  state: Any
  meta: dict[str, Any]


def versions() -> dict[str, str]:
  """Versions of the libraries a run's numbers depend on."""
  return {name: importlib.metadata.version(name) for name in PACKAGES}


class Selection(NamedTuple):
  """The result of a checkpoint's evaluation, for selecting the best.

  Attributes:
    value: Of the selection metric; the highest is the best.
    chosen_by: The metric and its split, as in "frame_auc on the test split".
  """

  value: float
  chosen_by: str


def _metrics(step: int, selection: Selection) -> dict[str, Any]:
  """A selection as Orbax keeps it, in STEP/metrics/metrics."""
  return {"step": step, **selection._asdict()}


def _rank(metrics: Any) -> Any:
  """Orders checkpoints by their metrics; among equals the earliest wins."""
  return metrics["value"], -metrics["step"]


@jax.jit
def _checksums(leaves: list[jax.Array]) -> list[jax.Array]:
  """A checksum of each array: the sum of its words, each times an odd number.

  Odd factors have inverses modulo 2^32, so any single changed word shows.
  """

  def checksum(x: jax.Array) -> jax.Array:
    words = _as_words(x)
    odd = 2 * jnp.arange(words.size, dtype=jnp.uint32) + 1
    return (words * odd).sum(dtype=jnp.uint32)

  return [checksum(x) for x in leaves]


def _as_words(x: jax.Array) -> jax.Array:
  """The bytes of an array of numbers or booleans as words, zero-padded."""
  if jnp.iscomplexobj(x):
    x = jnp.stack([x.real, x.imag])
  elif x.dtype == jnp.bool_:
    x = x.astype(jnp.uint8)
  elif jax.dtypes.itemsize_bits(x.dtype) < 8:
    x = x.astype(jnp.float32)  # It has all their values.
  x = x.ravel()
  in_word = 4 // x.dtype.itemsize
  if in_word > 1:
    x = jnp.pad(x, (0, -x.size % in_word)).reshape(-1, in_word)
  return jax.lax.bitcast_convert_type(x, jnp.uint32).ravel()


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
  """Checksum of meta data, the same before and after they are JSON."""
  as_json = json.loads(json.dumps(meta))
  return zlib.crc32(json.dumps(as_json, sort_keys=True).encode())


@jax.jit
def _finite(leaves: list[jax.Array]) -> list[jax.Array]:
  return [jnp.isfinite(x).all() for x in leaves]


def not_finite(state: Any) -> list[str]:
  """Paths of the arrays of a state that have NaN or infinity."""
  finite = jax.device_get(_finite(jax.tree.leaves(state)))
  return [p for p, ok in zip(_paths(state), finite, strict=True) if not ok]


class Checkpointer:
  """Saves in the background and restores the newest valid checkpoint.

  Attributes:
    directory: Folder of the checkpoints, one subfolder per step.
  """

  def __init__(
    self,
    directory: str | Path,
    *,
    keep: int | None = None,
    keep_every_steps: int = 0,
    read_only: bool = False,
  ):
    """Opens or makes the directory.

    Args:
      directory: Folder of the checkpoints.
      keep: How many of the latest are kept; the best is kept, too. None: all.
      keep_every_steps: Steps between those that are kept for good; 0: none.
      read_only: Only restore.

    Raises:
      CheckpointError: Read-only, and the metrics of a checkpoint are damaged;
        otherwise it counts as not evaluated.
    """
    self.directory = Path(directory).absolute()
    self._read_only = read_only
    self._check_metrics()
    kept = [
      preservation_policy.LatestN(keep),
      preservation_policy.BestN(
        get_metric_fn=_rank, n=1, keep_checkpoints_without_metrics=False
      ),
    ]
    if keep_every_steps:
      kept.append(preservation_policy.EveryNSteps(keep_every_steps))
    options = ocp.CheckpointManagerOptions(
      best_fn=_rank,
      preservation_policy=preservation_policy.AnyPreservationPolicy(kept),
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
    self._selections = self._read_selections()
    self._sync("selections read")  # Before any process adds one.

  def _check_metrics(self) -> None:
    """Renames damaged metrics: Orbax opens no directory that has any.

    Only the first process looks and renames, so that all processes of a job
    take part in the same collectives whatever they would have seen.
    """
    if self._read_only or jax.process_index() == 0:
      for file in sorted(self.directory.glob("[0-9]*/metrics/metrics")):
        try:
          metrics = json.loads(file.read_text("utf-8"))
          _rank(metrics)
          Selection(float(metrics["value"]), metrics["chosen_by"])
        except (ValueError, KeyError, TypeError) as error:
          if self._read_only:
            raise CheckpointError(
              f"{file} is damaged ({error}). Remove it: its checkpoint then "
              "counts as not evaluated."
            ) from error
          aside = file.rename(file.with_name("damaged"))
          logging.error(
            "%s is damaged (%s) and was moved to %s: its checkpoint counts as "
            "not evaluated.",
            *(file, error, aside),
          )
    self._sync("checkpoint metrics checked")

  def _sync(self, name: str) -> None:
    """Waits for the other processes of a job; a reader has none."""
    if not self._read_only:
      multihost_utils.sync_global_devices(name)

  def _read_selections(self) -> dict[int, Selection]:
    """The selection metrics of all checkpoints that were evaluated."""
    try:
      chosen_by, values = legacy.read_selection(self.directory)
    except ValueError as error:
      raise CheckpointError(str(error)) from error
    found = {step: Selection(v, chosen_by) for step, v in values.items()}
    for step in self.steps():
      metrics = self._manager.metrics(step)
      if metrics is not None:
        found[step] = Selection(metrics["value"], metrics["chosen_by"])
    return found

  def save(
    self,
    step: int,
    state: Any,
    meta: Mapping[str, Any],
    selection: Selection | None = None,
  ) -> None:
    """Begins to write a checkpoint; the state may be donated on return.

    Args:
      step: Its step.
      state: The train state.
      meta: What else belongs to it, as JSON.
      selection: The result of its evaluation, if there was one.

    Raises:
      CheckpointError: This or the previous save could not be written, the
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
        f"finite, the first is {bad[0]}. The checkpoints "
        f"({self.steps() or 'none'}) have finite states. Try lower learning "
        "rates in a new workdir."
      )
    meta = dict(meta, versions=versions(), checksums=checksums(state))
    meta["checksum"] = _text_checksum(meta)
    metrics = selection and _metrics(step, selection)
    try:
      self._manager.save(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(meta)
        ),
        metrics=metrics,
      )
    except Exception as error:
      raise self._failed(error) from error
    if selection:
      self._selections[step] = selection

  def add_selection(self, step: int, selection: Selection) -> None:
    """Adds its evaluation to a checkpoint that was saved before it.

    Args:
      step: The checkpoint's.
      selection: The result of its evaluation.

    Raises:
      CheckpointError: This or the previous save could not be written.
    """
    self.wait()
    if jax.process_index() == 0:
      file = self.directory / str(step) / "metrics" / "metrics"
      try:
        write_atomically(file, json.dumps(_metrics(step, selection)))
      except OSError as error:
        raise self._failed(error) from error
    self._sync("selection added")
    self._manager.reload()
    self._selections[step] = selection

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
    """The step of the best selection metric, None when none has one."""
    known = [step for step in self.steps() if step in self._selections]
    return max(
      known,
      key=lambda step: (self._selections[step].value, -step),
      default=None,
    )

  def selection(self, step: int) -> Selection | None:
    """The selection metric of a step, None when it was not evaluated."""
    return self._selections.get(step)

  def find_step(self, which: str | int) -> int:
    """The step that "best", "last" or a number stands for.

    "best" is the last one where none was evaluated.

    Raises:
      CheckpointError: There is none.
    """
    steps = self.steps()
    if not steps:
      raise CheckpointError(f"{self.directory} has no checkpoint.")
    if which == "last":
      return steps[-1]
    if which == "best":
      best = self.best_step()
      return steps[-1] if best is None else best
    if not str(which).isdecimal() or int(which) not in steps:
      raise CheckpointError(
        f"checkpoint is {which!r}; allowed: best, last, or one of {steps}."
      )
    return int(which)

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
    # Arrays have the types they were saved with, float64 too.
    with self._reading(step), jax.enable_x64(True):
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
        f"not have the checksum they were saved with; first: {changed[0]}."
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
        f"{len(off)} arrays have another shape, the first is {off[0]}, "
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
    """Restores the newest checkpoint that is valid.

    Damaged ones are moved aside, so that their steps can be done again, and
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
        logging.error("%s Going back to the previous one.", error)
        reasons.append((step, str(error)))
        continue
      for damaged, _ in reasons:
        self._set_aside(damaged, "damaged")
      return restored
    if reasons:
      raise CheckpointError(
        "No checkpoint is valid: " + " ".join(text for _, text in reasons)
      )
    return None

  def set_aside_after(self, step: int) -> None:
    """Moves checkpoints of later steps to `ahead/`, next to the checkpoints."""
    for later in [s for s in self.steps() if s > step]:
      self._set_aside(later, "ahead")

  def _set_aside(self, step: int, where: str) -> None:
    """Moves a checkpoint to another folder and forgets it."""
    if self._read_only:
      return
    if jax.process_index() == 0:
      folder = self.directory / str(step)
      aside = self.directory.parent / where / folder.name
      shutil.rmtree(aside, ignore_errors=True)
      aside.parent.mkdir(exist_ok=True)
      folder.rename(aside)
      logging.error("The checkpoint of step %d was moved to %s.", step, aside)
    self._sync("checkpoint set aside")
    self._manager.reload()
    self._selections.pop(step, None)

  def _failed(self, error: Exception) -> CheckpointError:
    return CheckpointError(
      f"A checkpoint could not be written to {self.directory}: "
      f"{_first_line(error)} What was saved before is untouched; make "
      "space or fix the folder and run the same command again."
    )


def _first_line(error: Exception) -> str:
  """The first line of an error's root cause, as a sentence, shortened.

  The operating system's reason comes first: TensorStore's texts give it as a
  number, anywhere in a page.
  """
  while error.__cause__ is not None and isinstance(error.__cause__, Exception):
    error = error.__cause__
  text = str(error).strip()
  lines = text.splitlines() or [type(error).__name__]
  line = lines[0].rstrip(".")
  line = line if len(line) <= 600 else f"{line[:200]} ... {line[-400:]}"
  code = re.search(r"os_error_code='(\d+)'", text)
  return f"{os.strerror(int(code[1]))}: {line}." if code else f"{line}."
