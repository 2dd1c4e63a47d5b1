"""A run's folder: its lock, its configuration, and what may change in it."""

import copy
import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adplg_jax.run import legacy
from adplg_jax.run.config import flatten, from_json
from adplg_jax.run.files import write_atomically

# Fields that may differ when a run continues: they do not affect its numbers.
FREE_FIELDS = (
  "total_steps",
  "log_every_steps",
  "data_dir",
  "data.cache_gib",
  "data.read_threads",
  "data.resident",
  "steps_per_dispatch",
  "evaluation.every_steps",
  "evaluation.batch_snippets",
  "checkpoint.every_steps",
  "checkpoint.keep",
  "checkpoint.keep_every_steps",
)


class WorkdirError(Exception):
  """A workdir that cannot be used; says why and what to do."""


def differences(
  old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
  """Fields whose values differ and matter: {name: (old, new)}."""
  old, new = flatten(old), flatten(new)
  missing = "(not there)"
  return {
    name: (old.get(name, missing), new.get(name, missing))
    for name in sorted({*old, *new})
    if old.get(name, missing) != new.get(name, missing)
    and name not in FREE_FIELDS
  }


def _recorded(
  facts: Mapping[str, Any], there: Mapping[str, Any]
) -> dict[str, Any]:
  """Those properties of a data set that were recorded when a run began.

  A data set that was prepared by an earlier version lacks some, or has them
  empty; prepared again, it has them all, and the same fingerprint.
  """
  return {
    name: value
    for name, value in facts.items()
    if name == "fingerprint" or there.get(name, "") not in ("", 0, [])
  }


def read_config(workdir: str | Path) -> Any:
  """The configuration a run was started with, in the present layout.

  Raises:
    WorkdirError: The folder has none.
  """
  file = Path(workdir) / "config.json"
  if not file.exists():
    raise WorkdirError(
      f"{workdir} has no config.json: it is not the workdir of a run."
    )
  return from_json(legacy.upgrade(_read(file)))


def _read(file: Path) -> dict[str, Any]:
  """The fields of one of a workdir's own files.

  Raises:
    WorkdirError: It was damaged.
  """
  try:
    found = json.loads(file.read_text("utf-8"))
    if not isinstance(found, dict):
      raise ValueError("it has no fields")
  except ValueError as error:
    raise WorkdirError(
      f"{file} is damaged ({error}). Remove it and run the same command as at "
      "first, which writes it again; the checkpoints stay."
    ) from error
  return found


def configs_by_seed(config: Any) -> dict[int, Any]:
  """The configurations of a run's seeds, each as of a run of its own.

  Args:
    config: Of the run; config.seeds says how many, from config.seed on.
  """
  found = {}
  for seed in range(config.seed, config.seed + config.seeds):
    found[seed] = copy.deepcopy(config).unlock()
    found[seed].update(seed=seed, seeds=1)
  return found


def seed_folders(workdir: str | Path, config: Any) -> dict[int, Path]:
  """Where each seed of a run has its checkpoints, metrics and results.

  Args:
    workdir: The run's folder: that of the seed where there is but one.
    config: Its configuration.

  Returns:
    {seed: folder}; each is a run's folder by itself.
  """
  if config.seeds == 1:
    return {config.seed: Path(workdir)}
  seeds = configs_by_seed(config)
  return {seed: Path(workdir) / f"seed_{seed}" for seed in seeds}


class Workdir:
  """A run's folder, locked while the run is alive.

  The lock is the kernel's (flock): it ends with the process, however that ends.
  """

  def __init__(
    self,
    path: str | Path,
    config: Any,
    facts: Mapping[str, Any] | None = None,
  ):
    """Locks the folder and compares its configuration and data.

    Args:
      path: The folder; made if missing.
      config: The run's configuration.
      facts: Properties of its data set; None when it has none yet.

    Raises:
      WorkdirError: It cannot be written, another run uses it, or it belongs
        to another configuration or data set.
    """
    self.path = Path(path).absolute()
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      self._lock = (self.path / ".lock").open("a")
    except OSError as error:
      raise WorkdirError(
        f"{self.path} cannot be written ({error.strerror}); choose another "
        "--workdir or fix its permissions."
      ) from error
    try:
      fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
      self._lock.close()
      raise WorkdirError(
        f"Another run is using {self.path}; wait for it, end it, or choose "
        "another --workdir."
      ) from error
    try:
      self._claim(config, facts)
    except WorkdirError:
      self._lock.close()
      raise

  def _claim(self, config: Any, facts: Mapping[str, Any] | None) -> None:
    """Refuses another run's folder; writes down configuration and data."""
    notes = {"config.json": config.to_dict()}
    if facts is not None:
      notes["data.json"] = dict(facts)
    for name, now in notes.items():
      if (self.path / name).exists():
        there = _read(self.path / name)
        if name == "config.json" and legacy.is_legacy(there):
          raise WorkdirError(
            f"{self.path} was written by an earlier version, whose runs can be "
            "evaluated and converted, but not continued; choose another "
            "--workdir."
          )
        if name == "config.json":
          there = legacy.upgrade(there)
        if name == "data.json":
          there, now = _recorded(there, there), _recorded(now, there)
        self._compare(name, there, now)
    for name, now in notes.items():
      try:
        write_atomically(self.path / name, json.dumps(now, indent=2) + "\n")
      except OSError as error:
        raise WorkdirError(
          f"{self.path / name} cannot be written ({error.strerror}); make "
          "space or fix its permissions, and run the same command again."
        ) from error

  def _compare(
    self, file: str, there: Mapping[str, Any], now: Mapping[str, Any]
  ) -> None:
    changed = differences(there, now)
    if not changed:
      return
    what, advice = {
      "config.json": (
        "with another configuration",
        "give these fields their old values",
      ),
      "data.json": (
        "on other data of the same name",
        "name the --config.data_dir of its data set",
      ),
    }[file]
    lines = [
      f"  {name}: {old!r} there, {new!r} now"
      for name, (old, new) in changed.items()
    ]
    raise WorkdirError(
      f"{self.path} belongs to a run {what}:\n"
      + "\n".join(lines)
      + f"\nChoose another --workdir, or {advice}."
    )

  def close(self) -> None:
    """Releases the lock."""
    self._lock.close()
