"""UCF-Crime at full count: preparation, an epoch of input, an evaluation.

Makes a folder with as many files as the official one (1610 training videos of
10 crops, 290 x 10 for the test, 69 355 test snippets, the two longest of 6749)
and random features of 1024 channels in float16, about 8 GB, then runs each
stage in a process of its own and prints its time and its peak memory. With
--whole, a file has all crops of a video, [T, 10, 2048], about 15 GB.
Training videos are shorter than the real ones, and the lengths of all but the
longest test videos are made up.

  python -m benchmarks.full_ucf --root DIR [--share 1.0] [--whole] [--keep]
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from adplg_jax.data.schema import SNIPPET_FRAMES

# Channels of a file with one crop, and of one with all crops.
WIDTHS = {False: 1024, True: 2048}
VARIANTS = {False: "i3d", True: "whole"}
CROPS = 10
COUNTS = {"train": (810, 800), "test": (140, 150)}
TEST_SNIPPETS, LONGEST = 69_355, 6_749
TRAIN_SNIPPETS = (40, 360)
STAGES = ("make", "prepare", "epoch", "evaluate")
NORMAL_FOLDERS = {
  "train": "Training_Normal_Videos_Anomaly",
  "test": "Testing_Normal_Videos_Anomaly",
}


def main() -> int:
  """Runs all stages, or the one that a child process is started for."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.full_ucf")
  parser.add_argument("--root", required=True, type=Path)
  parser.add_argument("--share", type=float, default=1.0, help="of the videos")
  parser.add_argument(
    "--whole", action="store_true", help="all crops of a video in one file"
  )
  parser.add_argument("--keep", action="store_true", help="leave the files")
  parser.add_argument("--stage", choices=STAGES)
  arguments = parser.parse_args()
  root = arguments.root
  if arguments.stage:
    run_stage(arguments.stage, root, arguments.share, whole=arguments.whole)
    return 0
  if root.exists() and any(root.iterdir()):
    print(f"{root} is not empty; name a new folder.", file=sys.stderr)
    return 1
  for stage in STAGES:
    module = [sys.executable, "-m", "benchmarks.full_ucf"]
    command = [*module, "--stage", stage, "--root", str(root)]
    command += ["--share", str(arguments.share)]
    command += ["--whole"] * arguments.whole
    subprocess.run(command, check=True)
  if not arguments.keep:
    shutil.rmtree(root)
  return 0


def run_stage(stage: str, root: Path, share: float, *, whole: bool) -> None:
  """Runs a stage and prints what it took."""
  start = time.perf_counter()
  facts = {
    "make": lambda: make(root, share, whole=whole),
    "prepare": lambda: prepare(root, VARIANTS[whole]),
    "epoch": lambda: epoch(root, VARIANTS[whole]),
    "evaluate": lambda: evaluate(root, VARIANTS[whole]),
  }[stage]()
  taken = {
    "stage": stage,
    "seconds": round(time.perf_counter() - start, 1),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    "tensorflow": "tensorflow" in sys.modules,
  }
  print(json.dumps(taken | facts), flush=True)


def make(root: Path, share: float, *, whole: bool) -> dict[str, int]:
  """Writes the feature files and the annotations."""
  rng = np.random.default_rng(0)
  shape = (LONGEST + CROPS, WIDTHS[whole])
  noise = rng.random(shape, np.float32).astype(np.float16)
  files = size = 0
  rows = []
  for split, (anomalous, normal) in COUNTS.items():
    labels = [1] * round(anomalous * share) + [0] * round(normal * share)
    lengths = snippets(split, len(labels), share, rng)
    videos = enumerate(zip(labels, lengths, strict=True))
    for number, (label, length) in tqdm(videos, desc=split, total=len(labels)):
      name, folder = place(split, number, label)
      folder = root / "features" / split / "RGB" / folder
      folder.mkdir(parents=True, exist_ok=True)
      offset = int(rng.integers(LONGEST + 1 - length))
      crops = [
        noise[offset + crop : offset + crop + length].copy()
        for crop in range(CROPS)
      ]
      for array in crops:
        # No two videos have the same features.
        array[0, :2] = divmod(files, 2048)
      arrays = (
        {f"{name}_i3d.npy": np.stack(crops, axis=1)}
        if whole
        else {
          f"{name}{f'__{crop}' if crop else ''}.npy": array
          for crop, array in enumerate(crops)
        }
      )
      for file, array in arrays.items():
        np.save(folder / file, array)
        files, size = files + 1, size + (folder / file).stat().st_size
      if split == "test":
        rows.append(annotation(name, label, SNIPPET_FRAMES * length, rng))
  (root / "annotations.txt").write_text("".join(rows))
  return {"files": files, "mib": size // 2**20}


def snippets(
  split: str, count: int, share: float, rng: np.random.Generator
) -> np.ndarray:
  """Lengths of the videos of a split."""
  if split == "train":
    return rng.integers(*TRAIN_SNIPPETS, count)
  lengths = rng.lognormal(4.5, 0.9, count)
  longest = np.full(min(2, count), LONGEST)
  rest = max(round(TEST_SNIPPETS * share) - longest.sum(), 8 * count)
  lengths = np.maximum(lengths * rest / lengths[2:].sum(), 8).astype(int)
  lengths = np.minimum(lengths, LONGEST)
  lengths[:2] = longest
  if share == 1:
    lengths[np.argsort(lengths)[-3]] += TEST_SNIPPETS - lengths.sum()
  return lengths


def place(split: str, number: int, label: int) -> tuple[str, str]:
  """Name and folder of a video."""
  number += 5000 * (split == "test")
  if not label:
    return f"Normal_Videos_{number:04d}_x264", NORMAL_FOLDERS[split]
  return f"Abuse{number:04d}_x264", "Abuse"


def annotation(
  name: str, label: int, frames: int, rng: np.random.Generator
) -> str:
  """A row of the official form."""
  if not label:
    return f"{name}.mp4  Normal  -1  -1  -1  -1\n"
  start = int(rng.integers(frames // 2))
  return f"{name}.mp4  Abuse  {start}  {start + frames // 8}  -1  -1\n"


def prepare(root: Path, variant: str, dtype: str = "float16") -> dict[str, int]:
  """Prepares the data set as the command line does."""
  from adplg_jax.prepare import __main__ as command

  status = command.main(
    [
      f"ucf_crime:{variant}",
      *("--features", str(root / "features")),
      *("--annotations", str(root / "annotations.txt")),
      *("--data_dir", str(root / "data"), "--dtype", dtype),
    ]
  )
  if status:
    raise SystemExit(status)
  prepared = [p for p in (root / "data").rglob("*") if p.is_file()]
  size = sum(path.stat().st_size for path in prepared)
  return {
    "mib": size // 2**20,
    "shards": len(list((root / "data").rglob("*array_record*"))),
  }


def narrow_config(root: Path, variant: str) -> Any:
  """UCF-Crime with a model narrow enough for two CPU cores."""
  from adplg_jax.configs import ucf_crime

  config: Any = ucf_crime.get_config(variant)
  config.data_dir = str(root / "data")
  config.data.cache_gib = 0.0
  config.snippet.model.update(
    width=32,
    local_heads=1,
    local_head_width=8,
    num_blocks=1,
    global_heads=1,
    global_head_width=16,
    feed_forward_width=32,
  )
  config.video.model.update(width=32, attention_width=32)
  return config


def epoch(root: Path, variant: str) -> dict[str, float]:
  """Reads each training crop of the smaller class once, in batches."""
  from adplg_jax.experiment import open_experiment

  config = narrow_config(root, variant)
  experiment = open_experiment(config)
  size = config.batch_size
  data = experiment.dataset
  smaller = min(len(data.train_normal), len(data.train_anomalous))
  batches = experiment.training_iterator(0)
  start = time.perf_counter()
  for _ in range(smaller // size):
    next(batches)
  seconds = time.perf_counter() - start
  return {
    "batches": smaller // size,
    "crops_per_second": round(2 * size * (smaller // size) / seconds),
  }


def evaluate(root: Path, variant: str) -> dict[str, float]:
  """Scores the test split with a narrow model as it is at the start."""
  import jax

  from adplg_jax.experiment import open_experiment
  from adplg_jax.scoring import metrics, scorer

  experiment = open_experiment(narrow_config(root, variant))
  with jax.set_mesh(experiment.mesh):
    videos = scorer.score_split(
      experiment.config,
      experiment.mesh,
      scorer.make_scorer(experiment.method),
      experiment.init_state().snippet.params,
      experiment.test,
    )
  results = metrics.evaluate_videos(videos)
  return {
    "videos": len(videos),
    "frames": sum(len(video.scores) for video in videos),
    "frame_auc": round(results["frame_auc"], 4),
  }


if __name__ == "__main__":
  sys.exit(main())
