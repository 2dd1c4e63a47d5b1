"""The table's numbers, from results that were made."""

import csv

import pytest

from adplg_jax.configs.ablations import find_rows
from adplg_jax.sweep.table import (
  COLUMNS,
  Cell,
  as_csv,
  as_markdown,
  make_cell,
  make_lines,
  read_results,
  write_table,
)
from tests.sweep.made import finish, made_plan

ROWS = find_rows("no_denoising,no_history")


@pytest.fixture
def results(tmp_path):
  full, other = made_plan(tmp_path, seeds=(0, 1, 2))
  finish(
    full,
    last_frame_auc=(0.8, 0.9, 0.7),
    last_frame_ap=(0.5, 0.5, 0.5),
    selected_frame_auc=(0.9, 0.9, 0.9),
    selected_frame_ap=(0.6, None, 0.6),
  )
  finish(
    other,
    last_frame_auc=(0.7, 0.9, 0.5),
    last_frame_ap=(0.6, 0.7, 0.8),
    selected_frame_auc=(0.95, 0.95, 0.95),
    selected_frame_ap=(0.5, 0.5, 0.5),
  )
  return read_results([full, other])


def test_means_deviations_and_differences_seed_by_seed(results):
  full, other, none = make_lines(ROWS, results)
  assert full.seeds == other.seeds == [0, 1, 2]
  assert full.cells["last_frame_auc"] == pytest.approx((0.8, 0.1, None, None))
  # Differences -0.1, 0 and -0.2.
  assert other.cells["last_frame_auc"] == pytest.approx((0.7, 0.2, -0.1, 0.1))
  # 0.1, 0.2 and 0.3.
  assert other.cells["last_frame_ap"] == pytest.approx((0.7, 0.1, 0.2, 0.1))
  cell = other.cells["selected_frame_auc"]
  assert cell == pytest.approx((0.95, 0, 0.05, 0), abs=1e-12)
  # Of one seed of the full method it is not defined.
  assert full.cells["selected_frame_ap"] == (None, None, None, None)
  assert other.cells["selected_frame_ap"] == (0.5, 0, None, None)
  assert (none.seeds, none.cells["last_frame_ap"]) == ([], Cell(None, None))


def test_seeds_that_one_of_both_lacks_are_no_pair():
  assert make_cell({0: 0.5, 3: 0.9}, {0: 0.25, 1: 1.0}) == pytest.approx(
    (0.7, 0.08**0.5, 0.25, None)
  )
  assert make_cell({3: 0.9}, {0: 0.25}) == (0.9, None, None, None)


def test_markdown(results):
  heading, rule, full, other, none = as_markdown(
    make_lines(ROWS, results)
  ).splitlines()
  assert heading.split(" | ")[3:5] == ["frame AUC, last", "to full"]
  assert rule.count("---") == heading.count("|") - 1 == other.count("|") - 1
  assert full.startswith(
    "| `full` | the whole method | 3 | 0.8000 ± 0.1000 | - | 0.5000 ± 0.0000 |"
  )
  assert "| 3 | 0.7000 ± 0.2000 | -0.1000 ± 0.1000 |" in other
  assert "| 0.7000 ± 0.1000 | +0.2000 ± 0.1000 |" in other
  assert none.count("| - ") == 8 and "| 0 |" in none


def test_csv(results, tmp_path):
  lines = make_lines(ROWS, results)
  write_table(tmp_path, lines)
  assert (tmp_path / "table.md").read_text() == as_markdown(lines)
  text = (tmp_path / "table.csv").read_text()
  assert text == as_csv(lines)
  full, other, none = csv.DictReader(text.splitlines())
  assert len(full) == 3 + 4 * len(COLUMNS)
  assert (other["row"], other["seeds"]) == ("no_denoising", "3")
  assert other["words"] == "without denoising: hard snippets keep their labels"
  assert float(other["last_frame_auc_mean"]) == 0.7
  assert float(other["last_frame_auc_difference"]) == -0.1
  assert float(other["last_frame_auc_difference_deviation"]) == 0.1
  assert full["last_frame_auc_difference"] == ""
  assert none["selected_frame_ap_mean"] == ""


def test_a_damaged_file_is_named(tmp_path):
  task = made_plan(tmp_path, "full", (0,))[0]
  finish(task)
  file = task.folder / "results" / "last" / "metrics.json"
  file.write_text("{")
  with pytest.raises(ValueError) as error:
    read_results([task])
  assert str(error.value).startswith(f"{file} is damaged (")
