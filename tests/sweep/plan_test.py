"""Rows, seeds, parts."""

import pytest

from adplg_jax.run.config import load_config
from adplg_jax.sweep.plan import (
  check_overrides,
  parse_seeds,
  parse_setting,
  part_of,
)
from tests.sweep.made import made_plan


def seeds_of(tasks):
  return [(t.config.seed, t.config.seeds) for t in tasks]


@pytest.mark.parametrize(
  ("text", "seeds"),
  [("0-4", [0, 1, 2, 3, 4]), ("3", [3]), ("7,0-2,1", [0, 1, 2, 7])],
)
def test_seeds(text, seeds):
  assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "4-0", "0-", "a", "0,,1", "-1"])
def test_no_seeds(text):
  with pytest.raises(ValueError, match=f"--seeds is '{text}'; allowed: whole"):
    parse_seeds(text)


@pytest.mark.parametrize("field", ["seed", "seeds"])
def test_seeds_are_not_set_by_their_fields(field):
  check_overrides(["--config.batch_size=4"])
  with pytest.raises(
    ValueError, match=rf"config\.{field} is set by --seeds here"
  ):
    check_overrides([f"--config.{field}=3"])


def test_a_row_for_each_value():
  base = load_config("synthetic")
  rows = parse_setting("pseudo_labels.mean_threshold=0.2,0.30", base)
  assert [row.name for row in rows] == [
    "pseudo_labels.mean_threshold=0.2",
    "pseudo_labels.mean_threshold=0.3",
  ]
  assert rows[1].overrides == {"pseudo_labels.mean_threshold": 0.3}
  (one, two) = parse_setting("snippet.model.windows=(2,4),(8,)", base)
  assert one.overrides == {"snippet.model.windows": (2, 4)}
  assert (one.name, two.name) == (
    "snippet.model.windows=(2,4)",
    "snippet.model.windows=(8,)",
  )


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("batch_size", "--set is 'batch_size'; allowed: FIELD=VALUE,VALUE"),
    ("batch=4,8", r"config\.batch is not a field\. Did you mean config\.batch"),
    ("batch_size=4,many", r"config\.batch_size is 'many'; allowed: a whole"),
    ("seeds=2", "--set names seeds, which all runs of a sweep share"),
    ("matmul_precision=high", "--set names matmul_precision, which all"),
  ],
)
def test_no_rows(text, message):
  with pytest.raises(ValueError, match=message):
    parse_setting(text, load_config("synthetic"))


def test_each_row_has_its_configuration_and_folders(tmp_path):
  full, other = made_plan(tmp_path, seeds=(0, 1, 2))
  assert full.folder == tmp_path / "full" / "seeds_0-2"
  assert other.folder == tmp_path / "no_denoising" / "seeds_0-2"
  assert seeds_of((full, other)) == [(0, 3), (0, 3)]
  assert full.config.pseudo_labels.variance_threshold == 0.4
  assert other.config.pseudo_labels.variance_threshold == 1
  assert other.name == "no_denoising, seeds 0-2"


@pytest.mark.parametrize(
  ("seeds", "most", "groups"),
  [
    ((0, 1, 2, 3, 4), 2, [(0, 2), (2, 2), (4, 1)]),
    ((0, 1, 5), 0, [(0, 2), (5, 1)]),
    ((3,), 0, [(3, 1)]),
  ],
)
def test_seeds_that_go_together(tmp_path, seeds, most, groups):
  tasks = made_plan(tmp_path, "full", seeds, most)
  assert seeds_of(tasks) == groups
  names = [task.folder.name for task in tasks]
  assert names[-1] in ("seed_4", "seed_5", "seed_3")
  assert tasks[-1].name == f"full, {names[-1].replace('_', ' ')}"


def test_runs_that_were_begun_keep_their_seeds(tmp_path):
  for name in ("seeds_0-1", "seed_5", "seeds_7-9", "seeds", "seed_x"):
    (tmp_path / "full" / name).mkdir(parents=True)
  tasks = made_plan(tmp_path, "full", range(9))
  # Seed 9 is not asked for, so that those from 7 on begin anew.
  assert seeds_of(tasks) == [(0, 2), (2, 3), (5, 1), (6, 3)]
  for task in tasks:
    task.folder.mkdir(exist_ok=True)
    assert seeds_of(made_plan(tmp_path, "full", range(9))) == seeds_of(tasks)


def test_a_row_that_no_run_could_use_is_refused_before_any(tmp_path):
  with pytest.raises(ValueError) as error:
    made_plan(tmp_path, "frozen_labels", warm_up_steps=0)
  assert str(error.value).startswith("Row frozen_labels: config.pseudo_labels.")


def test_each_run_is_in_one_part(tmp_path):
  tasks = made_plan(tmp_path, "all", range(3), most=1)
  parts = [part_of(tasks, f"{k}/4") for k in (1, 2, 3, 4)]
  folders = [task.folder for part in parts for task in part]
  assert len(folders) == len(set(folders)) == len(tasks) == 14 * 3
  assert max(map(len, parts)) - min(map(len, parts)) <= 1
  for part in ("0/4", "5/4", "1", "1/0", "a/b"):
    with pytest.raises(ValueError, match=f"--shard is '{part}'; allowed: K/N"):
      part_of(tasks, part)
