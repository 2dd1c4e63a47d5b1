"""The console's table of results."""

from collections.abc import Mapping
from typing import Any

from adplg_jax.scoring.results import (
  TITLES,
  Outcome,
  best_seed,
  differences,
  over_seeds,
  scalars,
)


def report(outcomes: Mapping[int, Outcome]) -> str:
  """What a run found: the table of its seed, or that of its seeds."""
  if len(outcomes) == 1:
    return table(*outcomes.values())
  return seeds_table(outcomes)


def seeds_table(outcomes: Mapping[int, Outcome]) -> str:
  """Mean and deviation over seeds of last and selected, and the best seed.

  The last alone where no checkpoint was selected.
  """
  best = best_seed(outcomes)
  columns = {}
  for which in ("last",) if best is None else ("last", "selected"):
    found = over_seeds(outcomes, which).values()
    columns[which] = [_number(row["mean"]) for row in found]
    columns["deviation" + " " * len(columns)] = [
      _number(row["deviation"]) for row in found
    ]
  heading = f"{len(outcomes)} seeds, mean and deviation"
  if best is not None:
    chosen = outcomes[best]
    columns[f"seed {best}"] = _numbers(scalars(chosen.selected.results))
    heading += (
      f"; selected by {chosen.chosen_by}; best: seed {best}, step "
      f"{chosen.selected.step}"
    )
  return "\n".join([heading, *_lines(columns)])


def table(outcome: Outcome) -> str:
  """Last and selected checkpoint side by side, and their difference.

  The last alone where no checkpoint was selected.
  """
  last, selected = outcome.last, outcome.selected
  heading = f"checkpoint of step {last.step}"
  columns = {"last": _numbers(scalars(last.results))}
  if outcome.chosen_by:
    heading = (
      f"last: step {last.step}; selected by {outcome.chosen_by}: step "
      f"{selected.step}"
    )
    columns["selected"] = _numbers(scalars(selected.results))
    columns["difference"] = _numbers(differences(outcome), sign=True)
  return "\n".join(
    [heading, *_lines(columns), *_category_lines(selected.results)]
  )


def _lines(columns: Mapping[str, list[str]]) -> list[str]:
  """The columns' names, then a line for every metric of the whole split."""
  titles = ["", *TITLES.values()]
  rows = zip(*([name, *cells] for name, cells in columns.items()), strict=True)
  return [
    f"  {title:28}"
    + "".join(
      f"{cell:>{max(10, len(name) + 2)}}"
      for name, cell in zip(columns, row, strict=True)
    )
    for title, row in zip(titles, rows, strict=True)
  ]


def _numbers(
  values: dict[str, float | None], *, sign: bool = False
) -> list[str]:
  return [_number(value, sign=sign) for value in values.values()]


def _category_lines(results: dict[str, Any]) -> list[str]:
  """Metrics of each class, and why others are not defined."""
  lines = []
  if results["categories"]:
    lines.append(
      f"  {'class':24}{'videos':>8}{'AUC':>9}{'AP':>9}{'AP step':>9}"
    )
  for name, own in results["categories"].items():
    numbers = (own["frame_auc"], own["frame_ap"], own["frame_ap_step"])
    cells = "".join(f"{_number(number):>9}" for number in numbers)
    lines.append(f"  {name[:24]:24}{own['videos']:8d}{cells}")
  lines += [
    f"  {name} is not defined: {why}"
    for name, why in results["undefined"].items()
  ]
  if "note" in results:
    lines.append("  " + results["note"])
  return lines


def _number(value: float | None, *, sign: bool = False) -> str:
  return "-" if value is None else f"{value:{'+' if sign else ''}.4f}"
