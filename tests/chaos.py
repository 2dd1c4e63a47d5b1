"""Kills a run at random moments, and shows that nothing is lost.

  python -m tests.chaos --kills 20 [--seed 0]

One run is left alone. Another, of the same configuration, is killed (SIGKILL)
in its preparation, in steps, saves and evaluations, and started again each
time. At the end both must have the same parameters, optimiser states, memory
and metrics, to the bit, and every restart must have gone on from the newest
save that was whole.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from adplg_jax.experiment import open_experiment
from adplg_jax.run.checkpoint import Checkpointer
from adplg_jax.run.workdir import read_config
from tests.runs import lines

STEPS, SAVE_EVERY, EVALUATE_EVERY = 600, 15, 20
FLAGS = (
  "--config.data.variant=tiny",
  "--config.batch_size=4",
  "--config.num_segments=8",
  f"--config.total_steps={STEPS}",
  "--config.warm_up_steps=20",
  "--config.snippet.model.windows=(2,4)",
  "--config.snippet.model.num_blocks=1",
  f"--config.checkpoint.every_steps={SAVE_EVERY}",
  f"--config.evaluation.every_steps={EVALUATE_EVERY}",
)
MOMENTS = ("time", "step", "step", "save", "save", "evaluation")


def log(root: Path, name: str, attempt: int = 0) -> Path:
  """Where a process writes what it says."""
  return root / f"{name}_{attempt}.log"


def start(root: Path, name: str, attempt: int = 0) -> subprocess.Popen:
  """The program on a workdir, a data folder and a log of its own."""
  return subprocess.Popen(
    [
      sys.executable,
      "-m",
      "adplg_jax.main",
      f"--workdir={root / name}",
      f"--config.data_dir={root / name}_data",
      *FLAGS,
    ],
    env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(root / "cache")},
    stdout=subprocess.DEVNULL,
    stderr=log(root, name, attempt).open("w"),
  )


def last_step(workdir: Path) -> int:
  """The last step whose metrics were written whole."""
  file = workdir / "metrics.jsonl"
  if not file.exists():
    return 0
  steps = [0]
  for line in file.read_text().splitlines():
    try:
      steps.append(json.loads(line)["step"])
    except json.JSONDecodeError:
      continue
  return steps[-1]


def evaluating(workdir: Path) -> bool:
  """Whether an evaluation is due whose result is not written yet."""
  written = (workdir / "metrics.jsonl").read_text().splitlines()
  try:
    last = json.loads(written[-1])
  except (IndexError, json.JSONDecodeError):
    return False
  return last["step"] % EVALUATE_EVERY == 0 and "evaluation" not in last


def resumed_from(root: Path, attempt: int) -> int | None:
  """The step it went on from; None before any save, or killed too early."""
  text = log(root, "killed", attempt).read_text()
  found = re.search(r"Going on from the checkpoint of step (\d+)", text)
  return int(found[1]) if found else None


def last_checkpoint(workdir: Path) -> int:
  """The newest step that is saved whole."""
  folder = workdir / "checkpoints"
  names = [p.name for p in folder.iterdir()] if folder.exists() else []
  return max([int(name) for name in names if name.isdigit()], default=0)


def moment(kind: str, root: Path, rng: random.Random) -> Callable[[], bool]:
  """A predicate that is true once the process should be killed."""
  workdir = root / "killed"
  if kind == "preparation":
    data = root / "killed_data"
    return lambda: any(data.rglob("incomplete"))
  if kind == "time":
    end = time.monotonic() + rng.uniform(0.5, 8)
    return lambda: time.monotonic() > end
  step = last_step(workdir) + rng.randrange(1, 30)
  if kind == "step":
    return lambda: last_step(workdir) >= step
  if kind == "save":
    checkpoints = workdir / "checkpoints"
    return lambda: last_step(workdir) >= step and any(checkpoints.glob("*tmp*"))
  return lambda: last_step(workdir) >= step and evaluating(workdir)


def kill_at(
  process: subprocess.Popen, there: Callable[[], bool], delay: float
) -> bool:
  """Kills the process a little after it is there.

  Returns:
    Whether it was still running.
  """
  while not there():
    if process.poll() is not None:
      return False
    time.sleep(0.001)
  time.sleep(delay)
  if process.poll() is not None:
    return False
  process.kill()
  process.wait()
  return True


def final_state(workdir: Path):
  """Everything in the last checkpoint."""
  experiment = open_experiment(read_config(workdir))
  checkpoints = Checkpointer(workdir / "checkpoints", read_only=True)
  restored = checkpoints.restore(STEPS, experiment.state_shapes)
  return jax.tree.map(np.asarray, restored.state)


def run(kills: int, seed: int, root: Path) -> int:
  """Prints what happened; 0 when nothing was lost."""
  rng = random.Random(seed)
  alone = start(root, "alone")
  if alone.wait() != 0:
    raise SystemExit(log(root, "alone").read_text()[-3000:])
  workdir, kept, redone = root / "killed", [], []
  process = start(root, "killed")
  for number in range(1, kills + 1):
    kind = "preparation" if number == 1 else rng.choice(MOMENTS)
    delay = rng.uniform(0, 0.3 if kind == "step" else 0.01)
    if not kill_at(process, moment(kind, root, rng), delay):
      break
    reached, saved = last_step(workdir), last_checkpoint(workdir)
    kept.append(saved)
    redone.append(max(reached - saved, 0))
    print(
      f"kill {number:2d}, {kind}: at step {reached}, saved {saved}", flush=True
    )
    process = start(root, "killed", number)
  if process.wait() != 0:
    raise SystemExit(log(root, "killed", len(kept)).read_text()[-3000:])
  from_newest = all(
    resumed_from(root, attempt) in (saved, None)
    for attempt, saved in enumerate(kept, start=1)
  )
  same_metrics = lines(root / "alone") == lines(workdir)
  same_state = all(
    np.array_equal(a, b)
    for a, b in zip(
      jax.tree.leaves(final_state(root / "alone")),
      jax.tree.leaves(final_state(workdir)),
      strict=True,
    )
  )
  within = max(redone, default=0) <= 2 * SAVE_EVERY
  print(
    f"kills {len(kept)}, resumes {len(kept)}, steps redone {sum(redone)}, at "
    f"most {max(redone, default=0)} at once (a save every {SAVE_EVERY} steps, "
    "written while training goes on)"
  )
  print(f"every resume from the newest whole save: {from_newest}")
  print(f"state equal to the bit: {same_state}")
  print(f"metrics equal, wall times aside: {same_metrics}")
  good = same_metrics and same_state and within and from_newest
  return int(not (good and len(kept) == kills))


def main() -> int:
  """Runs in a temporary folder."""
  parser = argparse.ArgumentParser(prog="python -m tests.chaos")
  parser.add_argument("--kills", type=int, default=20)
  parser.add_argument("--seed", type=int, default=0)
  arguments = parser.parse_args()
  with tempfile.TemporaryDirectory() as root:
    return run(arguments.kills, arguments.seed, Path(root))


if __name__ == "__main__":
  sys.exit(main())
