"""The demo: trains on synthetic videos and compares with simpler things.

  python -m adplg_jax.demo [--workdir=runs/demo]

Ends with frame AUC and AP of the untrained model, of the best of three simple
scores, of a linear max-pooling MIL model, and of the trained model.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from adplg_jax import baselines, evaluate, main, metrics
from adplg_jax.configs import synthetic
from adplg_jax.data import ground_truth
from adplg_jax.experiment import Experiment, open_experiment
from adplg_jax.workdir import load_config


def compare(experiment: Experiment, trained: dict) -> dict[str, dict]:
  """Metrics of everything the trained model is held against, and its own."""
  config = experiment.config
  examples = list(experiment.test)
  score = evaluate.make_scorer(experiment.method)
  with jax.set_mesh(experiment.mesh):
    untrained = evaluate.score_split(
      experiment, score, experiment.init_state().snippet.params, examples
    )
  simple = {
    name: score_crops(examples, function)
    for name, function in baselines.SIMPLE_SCORES.items()
  }
  linear = baselines.train_linear_mil(
    experiment.training_iterator(0), steps=config.total_steps
  )
  return {
    "untrained": metrics.evaluate_videos(untrained or []),
    "best_simple": max(simple.values(), key=lambda r: r["frame_auc"]),
    "linear_mil": score_crops(
      examples, lambda x: baselines.score_linear_mil(linear, x)
    ),
    "trained": trained,
  }


def score_crops(examples: Iterable[Mapping[str, Any]], function) -> dict:
  """Metrics of a score that looks at one crop [t d] at a time."""
  crops: dict[str, list[np.ndarray]] = {}
  videos = {}
  for example in examples:
    scores = np.asarray(function(example["features"]), np.float64)
    crops.setdefault(example["video"], []).append(scores)
    videos[example["video"]] = example
  scored = []
  for name, example in videos.items():
    mean = np.mean(crops[name], axis=0)
    frames, step = int(example["frames"]), int(example["frames_per_snippet"])
    scored.append(
      metrics.VideoScore(
        name=name,
        category=example["category"],
        label=int(example["label"]),
        snippet_scores=mean,
        scores=metrics.frame_scores(mean, step, frames),
        truth=ground_truth.frame_labels(example["spans"], frames),
      )
    )
  return metrics.evaluate_videos(scored)


def run(arguments: argparse.Namespace) -> int:
  """Trains, compares, prints."""
  config = synthetic.get_config()
  config.data_dir = arguments.data_dir or str(Path(arguments.workdir) / "data")
  code = main.run(config, arguments.workdir)
  if code:
    return code
  trained = evaluate.evaluate_workdir(arguments.workdir, "last").last.results
  experiment = open_experiment(load_config(arguments.workdir))
  for name, results in compare(experiment, trained).items():
    auc, ap = results["frame_auc"], results["frame_ap"]
    print(f"{name} frame_auc={auc:.3f} frame_ap={ap:.3f}")
  return 0


if __name__ == "__main__":
  parser = argparse.ArgumentParser(prog="python -m adplg_jax.demo")
  parser.add_argument("--workdir", default="runs/demo")
  parser.add_argument("--data_dir", help="[below the workdir]")
  sys.exit(run(parser.parse_args()))
