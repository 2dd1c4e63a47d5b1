"""The table of a sweep: means, deviations, differences to the full method."""

import csv
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from adplg_jax.configs.ablations import FULL, Row
from adplg_jax.report.run_files import read_json
from adplg_jax.run.files import write_atomically
from adplg_jax.run.workdir import seed_folders
from adplg_jax.sweep.plan import Task

# Columns: a metric of a checkpoint, with its title.
COLUMNS = {
  f"{which}_{metric}": f"{title}, {which}"
  for which in ("last", "selected")
  for metric, title in (("frame_auc", "frame AUC"), ("frame_ap", "frame AP"))
}

# One column's values by seed; None where a metric is not defined.
Values = Mapping[int, float | None]


class Cell(NamedTuple):
  """A metric of a row over its seeds; None where it is not defined.

  Attributes:
    mean: Over the seeds.
    deviation: Over the seeds (n - 1); of one seed None.
    difference: Mean of row - full over the seeds that both have.
    difference_deviation: Deviation of these differences (n - 1).
  """

  mean: float | None
  deviation: float | None
  difference: float | None = None
  difference_deviation: float | None = None


class Line(NamedTuple):
  """A row of the table.

  Attributes:
    row: The row.
    seeds: Its seeds that are finished.
    cells: By the names of COLUMNS.
  """

  row: Row
  seeds: list[int]
  cells: dict[str, Cell]


def read_results(tasks: Iterable[Task]) -> dict[str, dict[int, dict[str, Any]]]:
  """Metrics of finished runs, {row: {seed: {column: value}}}.

  Raises:
    ValueError: A file is damaged.
  """
  found: dict[str, dict[int, dict[str, Any]]] = {}
  for task in tasks:
    folders = seed_folders(task.folder, task.config)
    for seed, folder in folders.items():
      values = {}
      for name in COLUMNS:
        which, metric = name.split("_", 1)
        file = folder / "results" / which / "metrics.json"
        values[name] = read_json(file).get(metric)
      found.setdefault(task.row.name, {})[seed] = values
  return found


def make_lines(
  rows: Sequence[Row], results: Mapping[str, Mapping[int, Mapping[str, Any]]]
) -> list[Line]:
  """The table's lines.

  Args:
    rows: Its rows, those without results, too.
    results: {row: {seed: {column: value}}}.
  """

  def column(row: str, name: str) -> Values:
    return {seed: own[name] for seed, own in results.get(row, {}).items()}

  return [
    Line(
      row,
      sorted(results.get(row.name, {})),
      {
        name: make_cell(
          column(row.name, name),
          {} if row.name == FULL.name else column(FULL.name, name),
        )
        for name in COLUMNS
      },
    )
    for row in rows
  ]


def make_cell(values: Values, full: Values) -> Cell:
  """Mean, deviation, and differences to the full method, seed by seed."""
  pairs = [(value, full[s]) for s, value in values.items() if s in full]
  differences = [
    None if one is None or other is None else one - other
    for one, other in pairs
  ]
  return Cell(*_moments(list(values.values())), *_moments(differences))


def _moments(
  values: Sequence[float | None],
) -> tuple[float | None, float | None]:
  """Mean and deviation; None where a value is, or too few are."""
  known = [value for value in values if value is not None]
  if not known or len(known) < len(values):
    return None, None
  return statistics.mean(known), statistics.stdev(known) if known[1:] else None


def as_csv(lines: Sequence[Line]) -> str:
  """The table as csv, all numbers in columns of their own."""
  file = io.StringIO()
  writer = csv.writer(file, lineterminator="\n")
  names = [f"{name}_{part}" for name in COLUMNS for part in Cell._fields]
  writer.writerow(["row", "words", "seeds", *names])
  for line in lines:
    numbers = [number for name in COLUMNS for number in line.cells[name]]
    writer.writerow(
      [
        line.row.name,
        line.row.words,
        len(line.seeds),
        *("" if number is None else f"{number:.6f}" for number in numbers),
      ]
    )
  return file.getvalue()


def as_markdown(lines: Sequence[Line]) -> str:
  """The table as Markdown: mean ± deviation, and the same of differences."""
  titles = [
    title for column in COLUMNS.values() for title in (column, "to full")
  ]
  rows = [
    ["row", "", "seeds", *titles],
    ["---"] * (3 + len(titles)),
  ]
  for line in lines:
    cells = [
      text
      for name in COLUMNS
      for text in (
        _text(*line.cells[name][:2]),
        _text(*line.cells[name][2:], sign="+"),
      )
    ]
    rows.append(
      [f"`{line.row.name}`", line.row.words, str(len(line.seeds)), *cells]
    )
  return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _text(mean: float | None, deviation: float | None, sign: str = "") -> str:
  if mean is None:
    return "-"
  text = f"{mean:{sign}.4f}"
  return text if deviation is None else f"{text} ± {deviation:.4f}"


def write_table(folder: Path, lines: Sequence[Line]) -> None:
  """Writes table.csv and table.md.

  Args:
    folder: The sweep's.
    lines: The table.
  """
  write_atomically(folder / "table.csv", as_csv(lines))
  write_atomically(folder / "table.md", as_markdown(lines))
