"""Does the port learn as well as the PyTorch reference?

  python -m benchmarks.quality [--seeds 8] [--first_seed 0] [--steps N]
    [--config configs/folder.py:NAME] [--data_dir DIR]

Trains both with several seeds on the same data set, batches and settings, from
the same weights (tests/parity holds the initial distributions to each other),
each with dropout of its own. Prints mean and spread of frame AUC and AP at the
end, and the mean difference with its 90 % interval (paired t). "Shown" means:
the interval lies within +-0.02.
"""

import argparse
import dataclasses
import functools
import statistics
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import torch
from scipy import stats
from tqdm import tqdm

from adplg_jax import demo, train_state, train_step
from adplg_jax.configs import synthetic
from adplg_jax.experiment import Experiment, open_experiment
from adplg_jax.interop import torch_names
from adplg_jax.run import sharding
from adplg_jax.run.config import load_config
from adplg_jax.scoring import metrics, scorer
from tests.parity import torch_reference

MARGIN = 0.02
METRICS = ("frame_auc", "frame_ap")
_SIZES = (
  "batch_size",
  "num_segments",
  "total_steps",
  "warm_up_steps",
  "video",
  "snippet",
)


def narrow(config: Any) -> Any:
  """Any data set with the demo's widths, so that two cores are enough."""
  small = synthetic.get_config()
  for name in _SIZES:
    config[name] = small[name]
  config.snippet.model.max_snippets = 1024
  return config


def options(config: Any, feature_width: int) -> torch_reference.Options:
  """The reference's settings for a configuration."""
  video, snippet, labels = config.video, config.snippet, config.pseudo_labels
  return torch_reference.Options(
    feature_width=feature_width,
    attention_width=video.model.attention_width,
    **snippet.model,
    warm_up=config.warm_up_steps,
    video_learning_rate=video.optimizer.learning_rate,
    snippet_learning_rate=snippet.optimizer.learning_rate,
    weight_decay=video.optimizer.weight_decay,
    decay_factor=snippet.optimizer.decay_factor,
    decay_every=snippet.optimizer.decay_every,
    history_length=labels.history_length,
    mean_threshold=labels.mean_threshold,
    variance_threshold=labels.variance_threshold,
  )


def converted(
  reference: torch_reference.Reference, experiment: Experiment
) -> train_state.TrainState:
  """The port's state before the first step, with the reference's weights."""
  config, method = experiment.config, experiment.method
  projected = config.snippet.model.width != method.feature_width
  entries = {
    "video": torch_names.video_entries(projected=projected),
    "snippet": torch_names.snippet_entries(
      windows=tuple(config.snippet.model.windows),
      num_blocks=config.snippet.model.num_blocks,
      projected=projected,
    ),
  }
  state = experiment.init_state()
  for name, branch_entries in entries.items():
    module = getattr(reference, name)
    weights = {k: v.numpy().copy() for k, v in module.state_dict().items()}
    params = torch_names.params_from_torch(branch_entries, weights)
    params = jax.device_put(params, sharding.replicated(experiment.mesh))
    branch = dataclasses.replace(getattr(state, name), params=params)
    state = dataclasses.replace(state, **{name: branch})
  return state


def train_jax(
  experiment: Experiment, step: Any, state: train_state.TrainState
) -> dict[str, Any]:
  """Metrics of the port at the end of training."""
  config = experiment.config
  batches = experiment.training_iterator(0)
  with jax.set_mesh(experiment.mesh):
    for _ in range(config.total_steps):
      batch = sharding.put_batch(next(batches), experiment.mesh)
      state, _ = step(state, batch, seed=config.seed)
    videos = scorer.score_split(
      config,
      experiment.mesh,
      scorer.make_scorer(experiment.method),
      state.snippet.params,
      experiment.test,
    )
  return metrics.evaluate_videos(videos)


def train_torch(
  experiment: Experiment, reference: torch_reference.Reference
) -> dict[str, Any]:
  """Metrics of the reference, on the same batches."""
  batches = experiment.training_iterator(0)
  for _ in range(experiment.config.total_steps):
    batch = next(batches)
    reference.step(
      batch["normal"]["features"],
      batch["anomalous"]["features"],
      batch["anomalous"]["key"].tolist(),
    )
  reference.snippet.eval()

  def score(features: np.ndarray) -> np.ndarray:
    with torch.no_grad():
      x = torch.tensor(features, dtype=torch.float32)[None]
      return reference.snippet(x)[0].numpy()

  spans = experiment.config.switches.span_ends
  return demo.score_crops(experiment.test, score, span_ends=spans)


def compare(name: str, ours: Sequence[float], theirs: Sequence[float]) -> str:
  """Lines for one metric."""
  lines = []
  for who, values in (("jax", ours), ("torch", theirs)):
    lines.append(
      f"{name} {who:5} mean {statistics.mean(values):.4f}  deviation "
      f"{statistics.stdev(values):.4f}  ({min(values):.4f} to "
      f"{max(values):.4f})"
    )
  interval = stats.ttest_rel(ours, theirs).confidence_interval(0.9)
  difference = statistics.mean(ours) - statistics.mean(theirs)
  shown = interval.low >= -MARGIN and interval.high <= MARGIN
  lines.append(
    f"{name} jax - torch {difference:+.4f}, 90 % interval "
    f"[{interval.low:+.4f}, {interval.high:+.4f}]: "
    f"{'shown' if shown else 'not shown'} to be within {MARGIN}"
  )
  return "\n".join(lines)


def main() -> None:
  """Trains everything and prints the table."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.quality")
  parser.add_argument("--seeds", type=int, default=8)
  parser.add_argument("--first_seed", type=int, default=0)
  parser.add_argument("--config", help="data set to take [synthetic]")
  parser.add_argument("--data_dir", default="")
  parser.add_argument("--steps", type=int, help="training steps [800]")
  arguments = parser.parse_args()
  if arguments.config is None:
    config = synthetic.get_config()
  else:
    config = narrow(load_config(arguments.config))
  config.data_dir = arguments.data_dir
  config.total_steps = arguments.steps or config.total_steps
  found: dict[str, list[dict[str, Any]]] = {"jax": [], "torch": []}
  begin = time.time()
  method = open_experiment(config).method
  # The seed is an argument here, so that one compilation serves all.
  step = jax.jit(
    functools.partial(train_step.train_step, method=method),
    donate_argnums=0,
  )
  seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
  for seed in tqdm(seeds, unit="seed"):
    config.seed = seed
    experiment = open_experiment(config)
    torch.manual_seed(seed)
    reference = torch_reference.Reference(options(config, method.feature_width))
    state = converted(reference, experiment)
    found["jax"].append(train_jax(experiment, step, state))
    found["torch"].append(train_torch(experiment, reference))
    aucs = [results[-1]["frame_auc"] for results in found.values()]
    tqdm.write(f"seed {seed}: frame_auc jax {aucs[0]:.4f} torch {aucs[1]:.4f}")
  data = f"{config.data.builder}/{config.data.variant}"
  print(
    f"{time.strftime('%Y-%m-%d')}, {data}, "
    f"seeds {seeds.start} to {seeds.stop - 1}, {config.total_steps} steps, "
    f"{(time.time() - begin) / 60:.0f} minutes"
  )
  for name in METRICS:
    ours, theirs = ([r[name] for r in results] for results in found.values())
    print(compare(name, ours, theirs))


if __name__ == "__main__":
  main()
