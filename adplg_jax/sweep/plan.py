"""What a sweep trains: rows, seeds that go together, parts for job arrays."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from adplg_jax.configs.ablations import Row
from adplg_jax.run.config import overridden, override
from adplg_jax.run.config_checks import check_config

# Given by --seeds; settings of the process, not of one run in it.
_FIXED = ("seed", "seeds", "deterministic", "matmul_precision")


class Task(NamedTuple):
  """A run of a sweep: one row, with seeds that are trained at once.

  Attributes:
    row: The row.
    config: Its configuration, with its seeds.
    folder: The run's folder.
  """

  row: Row
  config: Any
  folder: Path

  @property
  def name(self) -> str:
    """The row and the seeds, in words."""
    first, count = self.config.seed, self.config.seeds
    seeds = f"seed {first}" if count == 1 else f"seeds {first}-"
    return f"{self.row.name}, {seeds}" + str(first + count - 1) * (count > 1)


def parse_seeds(text: str) -> list[int]:
  """The seeds of "0-4" or "0-2,7", each once, in order.

  Raises:
    ValueError: No seeds.
  """
  seeds: set[int] = set()
  for word in text.split(","):
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
    first, last = (
      (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    )
    if first > last:
      raise ValueError(
        f"--seeds is {text!r}; allowed: whole numbers and ranges, such as 0-4 "
        "or 0-2,7."
      )
    seeds.update(range(first, last + 1))
  return sorted(seeds)


def check_overrides(overrides: Sequence[str]) -> None:
  """Refuses changes of the seeds by their fields.

  Raises:
    ValueError: Naming the field.
  """
  for name in overridden(overrides):
    if name in ("seed", "seeds"):
      raise ValueError(f"config.{name} is set by --seeds here; leave it out.")


def parse_setting(text: str, base: Any) -> list[Row]:
  """The rows of "FIELD=VALUE,VALUE", one for each value.

  Args:
    text: Commas within brackets are part of a value.
    base: The configuration that is changed.

  Raises:
    ValueError: No such field, no such value, or a field that all runs of a
      sweep share.
  """
  field, equals, values = text.partition("=")
  if not equals:
    raise ValueError(f"--set is {text!r}; allowed: FIELD=VALUE,VALUE.")
  if field in _FIXED:
    raise ValueError(
      f"--set names {field}, which all runs of a sweep share; allowed: fields "
      f"other than {', '.join(_FIXED)}."
    )
  rows = []
  for value in re.split(r",(?![^(]*\))", values):
    changed = override(base, [f"--config.{field}={value}"])
    value = changed.to_dict()
    for name in field.split("."):
      value = value[name]
    text = re.sub(r"\s", "", str(value))
    rows.append(Row(f"{field}={text}", f"{field} = {text}", {field: value}))
  return rows


def plan(
  base: Any, rows: Sequence[Row], seeds: Sequence[int], out: Path, most: int
) -> list[Task]:
  """The runs of a sweep, in order; the same whatever is finished of them.

  Args:
    base: The configuration that rows change.
    rows: The rows.
    seeds: The seeds of each.
    out: The sweep's folder.
    most: Seeds that are trained at once; 0 is no limit.

  Returns:
    The runs, each with a folder of its own below that of its row.

  Raises:
    ValueError: A row's configuration cannot be used.
  """
  tasks = []
  for row in rows:
    config = base.copy_and_resolve_references().unlock()
    config.update_from_flattened_dict(dict(row.overrides))
    folder = out / row.name.replace("/", "_")
    for first, last in _groups(folder, seeds, most):
      own = config.copy_and_resolve_references()
      own.seed, own.seeds = first, last - first + 1
      try:
        check_config(own)
      except ValueError as error:
        raise ValueError(f"Row {row.name}: {error}") from error
      name = f"seed_{first}" if first == last else f"seeds_{first}-{last}"
      tasks.append(Task(row, own.lock(), folder / name))
  return tasks


def _groups(
  folder: Path, seeds: Sequence[int], most: int
) -> list[tuple[int, int]]:
  """First and last seed of each run of a row.

  Runs that were begun keep their seeds, so that more seeds can be added.
  """
  left = set(seeds)
  groups = []
  for path in sorted(folder.glob("seed*")):
    match = re.fullmatch(r"seed_(\d+)|seeds_(\d+)-(\d+)", path.name)
    if match:
      first, last = int(match[1] or match[2]), int(match[1] or match[3])
      own = set(range(first, last + 1))
      if own <= left:
        left -= own
        groups.append((first, last))
  # Seeds that follow each other differ from their places by the same number.
  for _, block in itertools.groupby(
    enumerate(sorted(left)), lambda pair: pair[1] - pair[0]
  ):
    block = [seed for _, seed in block]
    size = most or len(block)
    groups += [
      (block[start], block[min(start + size, len(block)) - 1])
      for start in range(0, len(block), size)
    ]
  return sorted(groups)


def part_of(tasks: Sequence[Task], part: str) -> list[Task]:
  """A fixed part of the runs.

  Args:
    tasks: All of them.
    part: "3/16" is the third of 16 parts, of which each run is in one.

  Raises:
    ValueError: No part.
  """
  match = re.fullmatch(r"(\d+)/(\d+)", part)
  number, count = (int(match[1]), int(match[2])) if match else (0, 0)
  if not 1 <= number <= count:
    raise ValueError(
      f"--shard is {part!r}; allowed: K/N from 1/N to N/N, such as 3/16."
    )
  return list(tasks[number - 1 :: count])
