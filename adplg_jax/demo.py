"""The demo: trains on synthetic videos and compares with simpler methods.

  python -m adplg_jax.demo [--workdir=runs/demo]

Scores three of its test videos from their files alone, as videos of one's own,
and ends with frame AUC and AP of the untrained model, of the best of three
simple scores, of a linear max-pooling MIL model, and of the trained model, and
with the run's page (docs/report.md), for which the extra `report` is needed.
"""

import argparse
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from adplg_jax import main
from adplg_jax.configs import synthetic
from adplg_jax.experiment import Experiment, open_experiment
from adplg_jax.report import __main__ as report_command
from adplg_jax.report.run_files import read_json
from adplg_jax.run.workdir import read_config
from adplg_jax.score import __main__ as score_command
from adplg_jax.scoring import baselines, metrics, scorer


def compare(experiment: Experiment, trained: dict) -> dict[str, dict]:
  """Metrics of the trained model and of all it is compared with."""
  config = experiment.config
  examples = list(experiment.test)
  score = scorer.make_scorer(experiment.method)
  with jax.set_mesh(experiment.mesh):
    untrained = scorer.score_split(
      config,
      experiment.mesh,
      score,
      experiment.init_state().snippet.params,
      examples,
    )
  spans = {"span_ends": config.switches.span_ends}
  simple = {
    name: score_crops(examples, function, **spans)
    for name, function in baselines.SIMPLE_SCORES.items()
  }
  linear = baselines.train_linear_mil(
    experiment.training_iterator(0), steps=config.total_steps
  )
  return {
    "untrained": metrics.evaluate_videos(untrained),
    "best_simple": max(simple.values(), key=lambda r: r["frame_auc"]),
    "linear_mil": score_crops(
      examples, lambda x: baselines.score_linear_mil(linear, x), **spans
    ),
    "trained": trained,
  }


def score_crops(
  examples: Iterable[Mapping[str, Any]], function, *, span_ends: str
) -> dict:
  """Metrics of a score that looks at one crop [t d] at a time."""
  crops: dict[str, list[np.ndarray]] = {}
  videos = {}
  for example in examples:
    scores = np.asarray(function(example["features"]), np.float64)
    crops.setdefault(example["video"], []).append(scores)
    videos[example["video"]] = example
  return metrics.evaluate_videos(
    [
      scorer.video_score(
        example, np.mean(crops[name], axis=0), span_ends=span_ends
      )
      for name, example in videos.items()
    ]
  )


def score_as_own(experiment: Experiment, workdir: Path, count: int = 3) -> int:
  """Scores test videos as videos of one's own are: by their files alone.

  Args:
    experiment: What was trained.
    workdir: The run's folder; files are written to `videos/`, their scores to
      `scored/`.
    count: How many: the first anomalous ones.

  Returns:
    The exit code of the command that scores them.
  """
  crops: dict[str, list[np.ndarray]] = {}
  for example in experiment.test:
    if example["label"]:
      crops.setdefault(example["video"], []).append(example["features"])
  folder = workdir / "videos"
  folder.mkdir(exist_ok=True)
  for name in sorted(crops)[:count]:
    np.save(folder / f"{name}.npy", np.stack(crops[name], axis=1))
  out = workdir / "scored"
  code = score_command.main(
    [
      *("--workdir", str(workdir), "--features", str(folder)),
      *("--out", str(out), "--fps", "30"),
    ]
  )
  print(f"{count} videos, scored from their features: {out}/timelines.png")
  return code


def run(arguments: argparse.Namespace) -> int:
  """Trains, compares, prints."""
  config = synthetic.get_config()
  config.data_dir = arguments.data_dir or str(Path(arguments.workdir) / "data")
  code = main.run(config, arguments.workdir)
  if code:
    return code
  workdir = Path(arguments.workdir)
  trained = read_json(workdir / "results/last/metrics.json")
  experiment = open_experiment(read_config(workdir))
  code = score_as_own(experiment, workdir)
  if code:
    return code
  for name, results in compare(experiment, trained).items():
    auc, ap = results["frame_auc"], results["frame_ap"]
    print(f"{name} frame_auc={auc:.3f} frame_ap={ap:.3f}")
  if importlib.util.find_spec("plotly") is None:
    print("A page to look at comes with: pip install .[report]")
    return 0
  return report_command.main(["--workdir", arguments.workdir])


if __name__ == "__main__":
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.demo",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    "--workdir", default="runs/demo", help="folder of the run [%(default)s]"
  )
  parser.add_argument("--data_dir", help="[below the workdir]")
  sys.exit(run(parser.parse_args()))
