"""Kills a run at random moments, and shows that nothing is lost.

  python -m tests.chaos --kills 20 [--seed 0]

One run is left alone. Another, of the same configuration, is killed (SIGKILL)
in its preparation, in steps, saves and evaluations, and started again each
time. At the end both must have the same parameters, optimiser states, memory
and metrics, to the bit, and no restart may have redone more steps than since
the last save.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

from adplg_jax.checkpoint import Checkpointer
from adplg_jax.experiment import open_experiment
from adplg_jax.workdir import load_config

STEPS, SAVE_EVERY, EVALUATE_EVERY = 600, 15, 25
FLAGS = (
  "--config.data.variant=tiny",
  "--config.batch_size=4",
  "--config.num_segments=8",
  f"--config.total_steps={STEPS}",
  "--config.warm_up_steps=20",
  "--config.snippet.windows=(2,4)",
  "--config.snippet.num_blocks=1",
  f"--config.checkpoint.every_steps={SAVE_EVERY}",
  f"--config.evaluation.every_steps={EVALUATE_EVERY}",
)


def start(root: Path, name: str) -> subprocess.Popen:
  """The program on a workdir and a data folder of its own."""
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
    stderr=(root / f"{name}.log").open("a"),
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


def last_checkpoint(workdir: Path) -> int:
  """The newest step that is saved whole."""
  folder = workdir / "checkpoints"
  names = [p.name for p in folder.iterdir()] if folder.exists() else []
  return max([int(name) for name in names if name.isdigit()], default=0)


def kill_somewhere(process: subprocess.Popen, workdir: Path, rng) -> bool:
  """Kills after a random time, or after some progress and a little more.

  Returns:
    Whether it was still running.
  """
  if rng.random() < 0.25:
    deadline = time.monotonic() + rng.uniform(0.5, 8)
    progress = STEPS
  else:
    deadline = time.monotonic() + 120
    progress = last_step(workdir) + rng.randrange(1, 30)
  while time.monotonic() < deadline and last_step(workdir) < progress:
    if process.poll() is not None:
      return False
    time.sleep(0.02)
  time.sleep(rng.uniform(0, 0.3))
  if process.poll() is not None:
    return False
  process.kill()
  process.wait()
  return True


def lines(workdir: Path) -> list[dict]:
  """The metrics, wall times aside."""
  text = (workdir / "metrics.jsonl").read_text()
  return [
    {k: v for k, v in json.loads(line).items() if k != "time"}
    for line in text.splitlines()
  ]


def final_state(workdir: Path):
  """Everything in the last checkpoint."""
  experiment = open_experiment(load_config(workdir))
  checkpoints = Checkpointer(workdir / "checkpoints", read_only=True)
  restored = checkpoints.restore(STEPS, experiment.state_shapes)
  return jax.tree.map(np.asarray, restored.state)


def run(kills: int, seed: int, root: Path) -> int:
  """Prints what happened; 0 when nothing was lost."""
  rng = random.Random(seed)
  alone = start(root, "alone")
  if alone.wait() != 0:
    raise SystemExit((root / "alone.log").read_text()[-3000:])
  workdir, done, redone = root / "killed", 0, []
  process = start(root, "killed")
  while done < kills and kill_somewhere(process, workdir, rng):
    done += 1
    reached, saved = last_step(workdir), last_checkpoint(workdir)
    redone.append(max(reached - saved, 0))
    print(f"kill {done:3d}: at step {reached}, saved {saved}", flush=True)
    process = start(root, "killed")
  if process.wait() != 0:
    raise SystemExit((root / "killed.log").read_text()[-3000:])
  same_metrics = lines(root / "alone") == lines(workdir)
  same_state = all(
    np.array_equal(a, b)
    for a, b in zip(
      jax.tree.leaves(final_state(root / "alone")),
      jax.tree.leaves(final_state(workdir)),
      strict=True,
    )
  )
  within = max(redone, default=0) <= SAVE_EVERY + 1
  print(
    f"kills {done}, resumes {done}, steps redone {sum(redone)} (at most "
    f"{max(redone, default=0)} at once, saves every {SAVE_EVERY})"
  )
  print(f"state equal to the bit: {same_state}")
  print(f"metrics equal, wall times aside: {same_metrics}")
  return int(not (same_metrics and same_state and within and done == kills))


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
