"""How soon the program is there: imports, the help, the demo's first step.

  python -m benchmarks.startup [--rounds N] [--demo] [--json FILE]

Every measurement is a process of its own. `cold` starts with an empty
compilation cache, `warm` with what a run before left there. --demo runs the
whole demo, too, once cold and once warm.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

# Seconds that should not be exceeded on two idle cores.
GOALS = {"help": 2.0, "cold": 20.0, "warm": 10.0, "demo": 60.0}


def timed(command: Sequence[str], environment: Mapping[str, str]) -> float:
  """Seconds that a command takes, as a process of its own."""
  start = time.perf_counter()
  subprocess.run(
    [sys.executable, *command],
    env={**os.environ, **environment},
    check=True,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  return time.perf_counter() - start


def first_step(folder: Path, cache: Path) -> float:
  """Seconds from a start to the first logged step after the warm-up.

  Of the demo's configuration, its data set prepared before.
  """
  workdir = folder / f"run{time.time_ns()}"
  start = time.time()
  subprocess.run(
    [
      *(sys.executable, "-m", "adplg_jax.main", f"--workdir={workdir}"),
      f"--config.data_dir={folder / 'data'}",
      # The snippet branch is compiled with the first step in any case.
      "--config.total_steps=1",
      "--config.evaluation.every_steps=1000",
    ],
    env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache)},
    check=True,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  line = (workdir / "metrics.jsonl").read_text().splitlines()[0]
  return json.loads(line)["time"] - start


def measure(rounds: int, *, demo: bool) -> dict[str, list[float]]:
  """Seconds of every measurement."""
  found: dict[str, list[float]] = {}
  with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    first_step(folder, folder / "prepares")
    for number in range(rounds):
      cache = folder / f"cache{number}"
      for what, seconds in {
        "help": timed(["-m", "adplg_jax.main", "--help"], {}),
        "import jax": timed(["-c", "import jax"], {}),
        "import train": timed(["-c", "import adplg_jax.train"], {}),
        "cold": first_step(folder, cache),
        "warm": first_step(folder, cache),
      }.items():
        found.setdefault(what, []).append(seconds)
    if demo:
      cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "demo")}
      for what in ("demo", "demo warm"):
        command = ["-m", "adplg_jax.demo", f"--workdir={folder / what}"]
        found[what] = [timed(command, cache)]
  return found


def report(found: Mapping[str, Sequence[float]]) -> dict[str, Any]:
  """Prints the table; returns what --json holds."""
  print(
    f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, "
    f"jax {metadata.version('jax')}; median, range, goal"
  )
  for name, seconds in found.items():
    goal = f"{GOALS[name]:8.0f} s" if name in GOALS else ""
    print(
      f"{name:14}{statistics.median(seconds):8.2f} s{min(seconds):8.2f} to "
      f"{max(seconds):.2f}{goal}"
    )
  return {name: statistics.median(seconds) for name, seconds in found.items()}


def main() -> None:
  """Measures and prints a table."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.startup")
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--demo", action="store_true", help="the whole demo, too")
  parser.add_argument("--json", type=Path, help="file to write the figures to")
  arguments = parser.parse_args()
  result = report(measure(arguments.rounds, demo=arguments.demo))
  if arguments.json:
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
