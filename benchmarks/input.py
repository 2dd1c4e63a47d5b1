"""Training crops a second: this package's input, and the authors' way.

  python -m benchmarks.input [--videos 4] [--rounds N] [--json FILE]

Features of UCF-Crime's shape (10 crops a video, 490 snippets, 1024 channels,
float32) are written, prepared, and read in batches of 32 + 32: from memory,
from the prepared files where memory is short, and on the device. The other side
works as the authors' program does: two workers load whole .npy files and
average their segments on the fly. Each side has a process of its own.
`ratio` is crops a second from memory over those of the other side.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import full_ucf, sides

SNIPPETS, WIDTH, CROPS, BATCH, SEGMENTS = 490, 1024, 10, 32, 64
# Batches of a measured round: the other side needs a second for one.
BATCHES = {"memory": 200, "files": 40, "device": 200, "torch": 2}
TRAINING = Path("features") / "train" / "RGB"


def make(root: Path, videos: int) -> None:
  """Writes and prepares so many videos of each class, one of each to test."""
  rng = np.random.default_rng(0)
  rows = []
  for split, count in (("train", videos), ("test", 1)):
    for label in (0, 1):
      for number in range(count):
        name, folder = full_ucf.place(split, number, label)
        folder = root / "features" / split / "RGB" / folder
        folder.mkdir(parents=True, exist_ok=True)
        for crop in range(CROPS):
          features = rng.random((SNIPPETS, WIDTH), np.float32)
          np.save(folder / f"{name}{f'__{crop}' if crop else ''}.npy", features)
        if split == "test":
          frames = SNIPPETS * full_ucf.SNIPPET_FRAMES
          rows.append(full_ucf.annotation(name, label, frames, rng))
  (root / "annotations.txt").write_text("".join(rows))
  full_ucf.prepare(root, "i3d", dtype="float32")


def jax_side(
  root: Path, side: str
) -> tuple[Callable[[], None], dict[str, Any]]:
  """A function that reads a round's batches; facts about the side."""
  import jax

  from adplg_jax.configs import ucf_crime
  from adplg_jax.data import pipeline
  from adplg_jax.experiment import open_experiment

  config: Any = ucf_crime.get_config("i3d")
  config.data_dir = str(root / "data")
  config.data.cache_gib = 0.0 if side == "files" else 8.0
  experiment = open_experiment(config)
  if side == "device":
    # What the host does for a step whose features are on the device.
    batches: Any = pipeline.iterate(
      experiment.batch_places(), first_step=0, threads=4
    )
  else:
    batches = experiment.training_iterator(0)

  def run() -> None:
    for _ in range(BATCHES[side]):
      next(batches)

  return run, {"version": f"jax {jax.__version__}"}


def torch_side(root: Path) -> tuple[Callable[[], None], dict[str, Any]]:
  """Whole files, means on the fly, two workers for each class."""
  import torch

  from adplg_jax.prepare.segments import segment_means

  class Crops(torch.utils.data.Dataset):
    def __init__(self, files: list[Path]):
      self.files = files

    def __len__(self) -> int:
      return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
      features = np.load(self.files[index], allow_pickle=False)
      return segment_means(features, SEGMENTS)

  def stream(normal: bool) -> Any:
    files = sorted(
      file
      for file in (root / TRAINING).rglob("*.npy")
      if file.name.startswith("Normal") is normal
    )
    loader = torch.utils.data.DataLoader(
      Crops(files), BATCH, shuffle=True, drop_last=True, num_workers=1
    )
    while True:
      yield from loader

  streams = stream(True), stream(False)

  def run() -> None:
    for _ in range(BATCHES["torch"]):
      for batches in streams:
        next(batches)

  return run, {"version": f"torch {torch.__version__}"}


def report(timings: dict[str, sides.Timing]) -> dict[str, Any]:
  """Prints the table; returns what --json holds."""
  speeds = {
    name: 2 * BATCH * BATCHES[name] / timing.median
    for name, timing in timings.items()
  }
  print(
    f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, "
    f"{timings['memory'].facts['version']}, {timings['torch'].facts['version']}"
    f", B = {BATCH} + {BATCH}, N = {SEGMENTS}, D = {WIDTH}, T = {SNIPPETS}, "
    f"{len(timings['memory'].seconds)} rounds; crops a second, range, ratio"
  )
  for name, timing in timings.items():
    crops = 2 * BATCH * BATCHES[name]
    low, high = crops / max(timing.seconds), crops / min(timing.seconds)
    print(
      f"{name:12}{speeds[name]:10.0f}{low:10.0f} to {high:.0f}"
      f"{speeds[name] / speeds['torch']:8.1f} x"
      f"{timing.facts['memory'] / 2**30:8.2f} GiB"
    )
  ratio = speeds["memory"] / speeds["torch"]
  print(f"ratio = {ratio:.1f}")
  return {"crops_per_second": speeds, "ratio": ratio}


def main() -> None:
  """Measures and prints a table."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.input")
  parser.add_argument(
    "--videos", type=int, default=8, help="training videos of each class"
  )
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--json", type=Path, help="file to write the figures to")
  parser.add_argument("--side", choices=BATCHES, help=argparse.SUPPRESS)
  parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  if arguments.side:
    if arguments.side == "torch":
      work, facts = torch_side(arguments.root)
    else:
      work, facts = jax_side(arguments.root, arguments.side)
    sides.serve(work, **facts)
    return
  with tempfile.TemporaryDirectory() as folder:
    print("writing and preparing features", file=sys.stderr)
    make(Path(folder), arguments.videos)
    module = ["benchmarks.input", "--root", folder, "--side"]
    timings = sides.take_turns(
      {name: [*module, name] for name in BATCHES}, rounds=arguments.rounds
    )
  result = report(timings)
  if arguments.json:
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
