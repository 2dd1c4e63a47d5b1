"""The authors' numbers, replayed; and that the replay sees what is off."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.parity import golden, replay

GOLDEN = Path("tests/golden")


def run(*arguments):
  """The command as a user gives it, in a process of its own."""
  return subprocess.run(
    [sys.executable, "-m", "tests.parity.replay", *map(str, arguments)],
    # Full width: with little optimization it would take three times as long.
    env={
      **os.environ,
      "XLA_FLAGS": "--xla_cpu_parallel_codegen_split_count=1",
    },
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.mark.parametrize(
  ("implementation", "precision"),
  [
    ("jax", "float64"),
    pytest.param("jax", "float32", marks=pytest.mark.slow),
    pytest.param("torch", "float64", marks=pytest.mark.slow),
  ],
)
def test_every_golden_quantity_agrees(implementation, precision):
  if implementation == "torch":
    pytest.importorskip("torch", reason="PyTorch is not installed")
  done = run(
    GOLDEN, "--precision", precision, "--implementation", implementation
  )
  off = [line for line in done.stdout.splitlines() if line.endswith("OFF")]
  assert done.returncode == 0, (off[:20], done.stderr[-2000:])
  said = f"1422 of 1422 quantities ok ({implementation}, {precision})"
  assert said in done.stdout


class Perfect:
  """Says what the golden files say."""

  def __init__(self, directory):
    self._directory = directory

  def video_forward(self, normal, anomalous):
    del normal, anomalous
    return dict(golden.load(self._directory / "video_branch.npz"))

  def snippet_forward(self, x):
    scores = golden.load(self._directory / "snippet_branch.npz")
    return scores[f"scores_T{x.shape[1]}"]

  def train(self, trajectory):
    del trajectory
    raise NotImplementedError


@pytest.fixture
def directory(tmp_path):
  """A golden directory without trajectories, which take long."""
  for name in replay.FILES:
    if not name.startswith("trajectory"):
      shutil.copy(GOLDEN / name, tmp_path / name)
  return tmp_path


@pytest.fixture
def off(directory, capsys, monkeypatch):
  """Replays the directory and gives the lines that are off."""
  monkeypatch.setattr(
    replay, "FILES", [n for n in replay.FILES if "trajectory" not in n]
  )

  def play():
    comparison = replay.replay(directory, Perfect(GOLDEN), "float64", 0)
    lines = capsys.readouterr().out.splitlines()
    found = [line for line in lines if line.endswith("OFF")]
    assert len(found) == comparison.failures
    return found

  return play


def change(path, function):
  arrays = dict(golden.load(path))
  function(arrays)
  np.savez(path, **arrays)


def test_untouched_files_are_ok(off):
  assert off() == []


@pytest.mark.parametrize(
  ("file", "name", "factor"),
  [
    ("video_branch.npz", "a_att", 1 + 1e-10),
    ("snippet_branch.npz", "scores_T37", 1 - 1e-10),
    ("metrics.npz", "case1/ap", 1 + 1e-10),
    ("segments.npz", "mean_n32_T31", 1 + 1e-5),
    ("rotary.npz", "inv_freq", 1 + 1e-6),
  ],
)
def test_a_changed_number_is_seen(directory, off, file, name, factor):
  def scale(arrays):
    arrays[name] = (arrays[name] * factor).astype(arrays[name].dtype)

  change(directory / file, scale)
  assert [line.split()[:2] for line in off()] == [[file, name]]


def test_a_missing_entry_a_surplus_one_and_other_files_are_seen(directory, off):
  change(directory / "metrics.npz", lambda arrays: arrays.pop("case0/auc"))
  change(
    directory / "video_branch.npz",
    lambda arrays: arrays.update(surplus=np.zeros(2)),
  )
  (directory / "rotary.npz").unlink()
  np.savez(directory / "unheard_of.npz", x=np.zeros(1))
  lines = "\n".join(off())
  assert "case0/auc" in lines
  assert "surplus" in lines
  assert "rotary.npz" in lines
  assert "unheard_of.npz" in lines
  assert lines.count("\n") == 3


def test_changes_of_a_trajectory_are_seen(capsys):
  """A made-up trajectory result against a golden one, fault by fault."""
  path = GOLDEN / "trajectory_xd.npz"
  trajectory = golden.Trajectory(path)
  arrays = trajectory.arrays
  comparison = replay.Comparison("float64")
  checker = replay._Checker(comparison, path)
  warm_up, steps = trajectory.config["warm_up"], trajectory.config["steps"]
  hard = arrays["pseudo_labels"] > 10
  results = []
  for s in range(steps):
    labels = arrays["visible_labels"][max(s - warm_up, 0)]
    results.append(
      replay.StepResult(
        losses=dict(
          zip(arrays["loss_names"], arrays["losses"][s], strict=True)
        ),
        smooth=arrays["smooth"][s],
        sparsity=arrays["sparsity"][s],
        labels=labels,
        hard=hard[max(s - warm_up, 0)],
        weights=dict,
        history=lambda: {
          int(k.removeprefix("history/a")): v
          for k, v in arrays.items()
          if k.startswith("history/")
        },
      )
    )

  def check():
    before = comparison.failures
    replay._check_losses(checker, results, 1e-12, 1e-6)
    replay._check_labels(checker, results[warm_up:], 1e-12)
    replay._check_history(checker, results[-1], 1e-12)
    capsys.readouterr()
    return comparison.failures - before

  assert check() == 0
  results[3].losses["triplet"] += 1e-9
  assert check() == 1
  results[-1] = results[-1]._replace(hard=~results[-1].hard)
  assert check() >= 3
  checker.finish()
  assert "not compared" in capsys.readouterr().out
