"""Do faster ways of training cost quality? The demo's data, several seeds.

  python -m benchmarks.ways [--seeds 5] [--workdir DIR] [--json FILE]
    [--config.FIELD=VALUE ...]

Trains the same seeds in float32, in bfloat16, with features that stay on the
device, and with both. Prints mean and deviation over the seeds of the last
checkpoint's frame AUC and AP, and the seconds of the whole process. A way costs
nothing where its mean differs from float32's by less than the deviation.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from adplg_jax.run.config import split_overrides

WAYS = {
  "float32": [],
  "bfloat16": ["precision=bfloat16"],
  "resident": ["data.resident=on"],
  "resident, bfloat16": ["data.resident=on", "precision=bfloat16"],
}
METRICS = ("frame_auc", "frame_ap")


def train(
  folder: Path, way: str, seeds: int, overrides: list[str]
) -> dict[str, Any]:
  """Metrics over the seeds of one way, and its time."""
  workdir = folder / way.replace(", ", "-")
  start = time.perf_counter()
  subprocess.run(
    [
      *(sys.executable, "-m", "adplg_jax.main", f"--workdir={workdir}"),
      f"--config.data_dir={folder / 'data'}",
      f"--config.seeds={seeds}",
      *(f"--config.{field}" for field in WAYS[way]),
      *overrides,
    ],
    check=True,
    stdout=subprocess.DEVNULL,
  )
  seconds = time.perf_counter() - start
  found = json.loads((workdir / "results" / "seeds.json").read_text())
  return {name: found["last"][name] for name in METRICS} | {"seconds": seconds}


def report(found: dict[str, dict[str, Any]]) -> None:
  """Prints the table."""
  print(f"{'':22}{'frame AUC':>18}{'frame AP':>18}{'s':>8}")
  for way, one in found.items():
    cells = (
      f"{one[name]['mean']:.4f} +- {one[name]['deviation']:.4f}"
      for name in METRICS
    )
    print(
      f"{way:22}"
      + "".join(f"{c:>18}" for c in cells)
      + f"{one['seconds']:8.0f}"
    )


def main() -> None:
  """Trains in every way."""
  overrides, rest = split_overrides(sys.argv[1:])
  parser = argparse.ArgumentParser(prog="python -m benchmarks.ways")
  parser.add_argument("--seeds", type=int, default=5)
  parser.add_argument("--workdir", type=Path, help="[a temporary folder]")
  parser.add_argument("--json", type=Path, help="file to write the figures to")
  arguments = parser.parse_args(rest)
  with tempfile.TemporaryDirectory() as temporary:
    folder = arguments.workdir or Path(temporary)
    found = {
      way: train(folder, way, arguments.seeds, overrides) for way in WAYS
    }
  report(found)
  if arguments.json:
    arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
  main()
