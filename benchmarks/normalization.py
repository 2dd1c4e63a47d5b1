"""Which `config.data.normalize` suits features of any scale?

  python -m benchmarks.normalization DIR --root ROOT [--seeds 3] [--steps 800]
    [--width 64 | --full] [--copies NAME,NAME] [--kinds KIND,KIND]

DIR has a manifest.csv and its feature files. They are copied below ROOT at
other scales, prepared, and trained on with each kind of normalisation, with
several seeds and the same settings: the demo's, but for the width, or the
method's own with --full (for a GPU). Prints, for each, mean and deviation of
the metrics at the end, and the mean over the last 50 steps of the two losses
that stay at 1 where the attention is uniform.
"""

import argparse
import functools
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from adplg_jax import train_step
from adplg_jax.configs import folder, synthetic
from adplg_jax.data import store
from adplg_jax.data.normalize import KINDS
from adplg_jax.experiment import Experiment, open_experiment
from adplg_jax.prepare.__main__ import main as prepare
from adplg_jax.run import sharding
from adplg_jax.scoring import metrics, scorer

METRICS = ("video_auc", "frame_auc", "frame_ap")
LOSSES = ("loss/dissimilarity", "loss/separation")
_SIZES = (
  "batch_size",
  "num_segments",
  "total_steps",
  "warm_up_steps",
  "video",
  "snippet",
)


@functools.cache
def _rotation(width: int) -> np.ndarray:
  """A fixed rotation [d d], float32."""
  matrix = np.random.default_rng(0).normal(size=(width, width))
  return np.linalg.qr(matrix)[0].astype(np.float32)


# Copies of the features, by their names.
COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
  "as-they-are": lambda x: x,
  # Channels that are mixtures, as a network's are, not principal components.
  "mixed": lambda x: x @ _rotation(x.shape[1]),
  "times-0.01": lambda x: 0.01 * x,
  "times-100": lambda x: 100 * x,
  # As features of 829 real videos were: a mean and a spread both far below 1.
  "small-spread": lambda x: 0.011 + 0.0024 * x,
  "mixed-small-spread": lambda x: 0.011 + 0.0024 * x @ _rotation(x.shape[1]),
}


def copy_scaled(source: Path, name: str, root: Path) -> Path:
  """A copy of the features at another scale; the path of its manifest."""
  target = root / "copies" / name
  manifest = target / "manifest.csv"
  if manifest.exists():
    return manifest
  for path in sorted(source.rglob("*.npy")):
    to = target / path.relative_to(source)
    to.parent.mkdir(parents=True, exist_ok=True)
    np.save(to, COPIES[name](np.load(path).astype(np.float32)))
  shutil.copy(source / "manifest.csv", manifest)
  return manifest


def make_config(name: str, root: Path, arguments: argparse.Namespace) -> Any:
  """The configuration of a copy; prepares it if need be."""
  config = folder.get_config(name)
  if not arguments.full:
    small = synthetic.get_config()
    for size in _SIZES:
      config[size] = small[size]
    for branch in (config.video, config.snippet):
      branch.model.width = arguments.width
    config.video.model.attention_width = arguments.width
    config.snippet.model.feed_forward_width = arguments.width
    config.snippet.model.max_snippets = 1024
  config.total_steps = arguments.steps
  config.data_dir = str(root / "data")
  if not store.is_prepared(
    config.data_dir, "folder", name, config.num_segments
  ):
    manifest = copy_scaled(Path(arguments.features), name, root)
    words = ["folder", "--name", name, "--manifest", str(manifest)]
    words += ["--segments", str(config.num_segments)]
    if prepare([*words, "--data_dir", config.data_dir]):
      raise SystemExit(1)
  return config


def train(experiment: Experiment, step: Any, seed: int) -> dict[str, float]:
  """Trains; metrics of the test split, and losses, at the end."""
  config = experiment.config
  batches = experiment.training_iterator(0)
  state, last = experiment.init_state(), []
  with jax.set_mesh(experiment.mesh):
    for number in range(config.total_steps):
      batch = sharding.put_batch(next(batches), experiment.mesh)
      state, values = step(state, batch, seed=seed)
      if number >= config.total_steps - 50:
        last.append({name: float(values[name]) for name in LOSSES})
    videos = scorer.score_split(
      config,
      experiment.mesh,
      scorer.make_scorer(experiment.method),
      state.snippet.params,
      experiment.test,
    )
  results = metrics.evaluate_videos(videos)
  found = {name: results[name] for name in METRICS}
  found |= {n: statistics.mean(entry[n] for entry in last) for n in LOSSES}
  scores = np.concatenate([video.snippet_scores for video in videos])
  return found | {"deviation of scores": float(scores.std())}


def main() -> None:
  """Trains everything; a line for each copy and kind as it is done."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.normalization")
  parser.add_argument("features", metavar="DIR", help="with a manifest.csv")
  parser.add_argument("--root", required=True, help="where copies are made")
  parser.add_argument("--seeds", type=int, default=3)
  parser.add_argument("--steps", type=int, default=800)
  parser.add_argument("--width", type=int, default=64)
  parser.add_argument("--full", action="store_true", help="the method's sizes")
  parser.add_argument("--copies", default=",".join(COPIES))
  parser.add_argument("--kinds", default=",".join(KINDS))
  arguments = parser.parse_args()
  begin, step = time.time(), None
  for name in arguments.copies.split(","):
    config = make_config(name, Path(arguments.root), arguments)
    for kind in arguments.kinds.split(","):
      config.data.normalize = kind
      runs = []
      for seed in range(arguments.seeds):
        config.seed = seed
        experiment = open_experiment(config)
        # The seed is an argument here, so that one compilation serves all.
        step = step or jax.jit(
          functools.partial(train_step.train_step, method=experiment.method),
          donate_argnums=0,
        )
        runs.append(train(experiment, step, seed))
      cells = []
      for metric in runs[0]:
        values = [run[metric] for run in runs]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        cells.append(f"{metric} {statistics.mean(values):.4f} +- {spread:.4f}")
      print(f"{name:12} {kind:11} " + "  ".join(cells), flush=True)
  width = config.snippet.model.width
  print(
    f"{time.strftime('%Y-%m-%d')}, {arguments.seeds} seeds, {arguments.steps} "
    f"steps, width {width}, {(time.time() - begin) / 60:.0f} minutes"
  )


if __name__ == "__main__":
  main()
