"""The console's table of results."""

from typing import Any

from adplg_jax.scoring.results import TITLES, Outcome, differences, scalars


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
  titles = ["", *TITLES.values()]
  rows = zip(*([name, *cells] for name, cells in columns.items()), strict=True)
  lines = [
    f"  {title:28}"
    + "".join(
      f"{cell:>{max(10, len(name) + 2)}}"
      for name, cell in zip(columns, row, strict=True)
    )
    for title, row in zip(titles, rows, strict=True)
  ]
  return "\n".join([heading, *lines, *_category_lines(selected.results)])


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
