"""Scores a test split with the snippet branch, and measures the scores.

Each crop is scored by itself, crops are averaged by video, snippet scores are
repeated to frames. Source: docs/method.md, section 6. Alone, from a checkpoint:

  python -m adplg_jax.evaluate --workdir=DIR [--checkpoint=best|last|STEP]
    [--config=configs/folder.py:OTHER]

Without --checkpoint the last one stands beside the selected one.
"""

import argparse
import dataclasses
import runpy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from adplg_jax import metrics, report, sharding
from adplg_jax.checkpoint import Checkpointer, CheckpointError
from adplg_jax.data import ground_truth, pipeline
from adplg_jax.experiment import Experiment, open_experiment, set_up_jax
from adplg_jax.method import Method
from adplg_jax.report import Outcome, Scored
from adplg_jax.workdir import WorkdirError, load_config

Scorer = Callable[[Any, Array, Array], Array]


class StoppedError(Exception):
  """An evaluation that was asked to stop."""


def make_scorer(method: Method) -> Scorer:
  """The jitted function (params, features, lengths) -> snippet scores.

  Its scores [c t] of features [c t d] do not depend on what follows a crop's
  length.
  """

  @jax.jit
  def score(
    params: Any, features: Float[Array, "c t d"], lengths: Int[Array, "c"]
  ) -> Float[Array, "c t"]:
    features = features.astype(method.snippet_branch.param_dtype)
    logits: Any = method.snippet_branch.apply(
      {"params": params}, features, lengths
    )
    return jax.nn.sigmoid(logits)

  return score


@dataclasses.dataclass
class _Video:
  """A video's crops as they come in."""

  example: Mapping[str, Any]
  total: np.ndarray
  crops: int = 1

  def add(self, scores: np.ndarray, example: Mapping[str, Any]) -> None:
    if scores.shape != self.total.shape:
      raise ValueError(
        f"The crops of {example['video']} differ in length: {len(self.total)} "
        f"snippets, but {len(scores)} in crop {example['crop']}. Prepare the "
        "data set again from complete features."
      )
    self.total = self.total + scores
    self.crops += 1


def score_videos(
  score: Scorer,
  params: Any,
  examples: Iterable[Mapping[str, Any]],
  *,
  batch_snippets: int,
  longest: int,
  mesh: jax.sharding.Mesh,
  span_ends: str,
  stop: Callable[[], bool] = lambda: False,
) -> list[metrics.VideoScore]:
  """Scores every video of a split.

  Args:
    score: See `make_scorer`.
    params: Parameters of the snippet branch.
    examples: Crops, in any order.
    batch_snippets: Snippets, padding included, scored at once.
    longest: Longest video the model takes [snippets].
    mesh: The devices.
    span_ends: Whether annotated spans end "exclusive" or "inclusive".
    stop: Asked before each batch.

  Returns:
    The videos, in order of their names.

  Raises:
    StoppedError: `stop` said so.
    ValueError: Crops of a video that differ in length.
  """
  videos: dict[str, _Video] = {}
  batches = pipeline.padded_batches(
    iter(examples),
    batch_snippets=batch_snippets,
    longest=longest,
    multiple=mesh.size,
  )
  for batch in batches:
    if stop():
      raise StoppedError
    features, lengths = sharding.put_whole(
      (batch.features, batch.lengths), mesh
    )
    scores = sharding.fetch(score(params, features, lengths)).astype(float)
    for row, example in enumerate(batch.examples):
      own = scores[row, : batch.lengths[row]]
      name = example["video"]
      if name in videos:
        videos[name].add(own, example)
      else:
        videos[name] = _Video(example, own)
  return [_finish(videos[name], span_ends=span_ends) for name in sorted(videos)]


def _finish(video: _Video, *, span_ends: str) -> metrics.VideoScore:
  """Mean over the crops, frame scores, frame truth."""
  example = video.example
  mean = video.total / video.crops
  frames, per_snippet = (
    int(example["frames"]),
    int(example["frames_per_snippet"]),
  )
  truth = None
  if example["has_spans"]:
    truth = ground_truth.frame_labels(
      example["spans"], frames, span_ends=span_ends
    )
  return metrics.VideoScore(
    name=example["video"],
    category=example["category"],
    label=int(example["label"]),
    snippet_scores=mean,
    scores=metrics.frame_scores(mean, per_snippet, frames),
    truth=truth,
  )


def score_split(
  experiment: Experiment,
  score: Scorer,
  params: Any,
  examples: Iterable[Mapping[str, Any]],
  stop: Callable[[], bool] = lambda: False,
) -> list[metrics.VideoScore]:
  """`score_videos` with what the experiment's configuration says."""
  config = experiment.config
  return score_videos(
    score,
    params,
    examples,
    batch_snippets=config.evaluation.batch_snippets,
    longest=config.snippet.max_snippets,
    mesh=experiment.mesh,
    span_ends=config.switches.span_ends,
    stop=stop,
  )


def selection_metric(config: Any, results: Mapping[str, Any]) -> str:
  """The metric that a run's checkpoints are chosen by.

  Args:
    config: The run's configuration.
    results: Metrics of a scored split.

  Returns:
    config.selection.metric; video_auc on validation videos, which have no frame
    labels, and on a test split of which they are not known.
  """
  metric = config.selection.metric
  if metric == "frame_ap" and config.switches.average_precision == "step":
    metric = "frame_ap_step"
  known = config.selection.split == "test" and results[metric] is not None
  return metric if known else "video_auc"


def with_progress(
  examples: Sequence[Mapping[str, Any]],
) -> Iterator[Mapping[str, Any]]:
  """Shows how many crops are scored, until all are."""
  return iter(
    tqdm(
      examples,
      desc="scoring",
      unit="crop",
      leave=False,
      disable=jax.process_index() > 0,
    )
  )


def main(argv: list[str] | None = None) -> int:
  """Scores a prepared test split from checkpoints alone."""
  parser = argparse.ArgumentParser(prog="python -m adplg_jax.evaluate")
  parser.add_argument("--workdir", required=True, help="folder of a run")
  parser.add_argument(
    "--checkpoint",
    help="best, last or a step [the last beside the selected one]",
  )
  parser.add_argument(
    "--config",
    help="configuration file of another data set, or of another choice of "
    "crops and span ends; the model stays as it was trained",
  )
  parser.add_argument("--data_dir", help="where the data sets lie, if moved")
  parser.add_argument("--output", help="folder for results [in the workdir]")
  arguments = parser.parse_args(argv)
  try:
    outcome = evaluate_workdir(
      arguments.workdir,
      arguments.checkpoint,
      config_file=arguments.config,
      data_dir=arguments.data_dir,
      output=arguments.output,
    )
  except (CheckpointError, WorkdirError, OSError, ValueError) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1
  print(report.console_table(outcome))
  return 0


def evaluate_workdir(
  workdir: str | Path,
  checkpoint: str | None = None,
  *,
  config_file: str | None = None,
  data_dir: str | None = None,
  output: str | Path | None = None,
) -> Outcome:
  """Restores a run's checkpoints, scores a test split, writes the results.

  Args:
    workdir: The run's folder.
    checkpoint: "best" by the selection metric, "last", or a step; None for the
      last one beside the selected one.
    config_file: Configuration file (with its argument behind a colon) of
      another data set to score, and of how its videos are scored; by default
      the run's own.
    data_dir: Where the data sets lie, when they have moved.
    output: Where results are written; by default in the workdir.

  Returns:
    Both; one that was named stands for both.

  Raises:
    CheckpointError: No such checkpoint, or a damaged one.
    OSError: The results cannot be written.
    ValueError: The configuration or the data set cannot be used.
    WorkdirError: The folder is not a run's.
  """
  config = load_config(workdir)
  name = "evaluation"
  if config_file is not None:
    other = load_config_file(config_file)
    config.data, config.num_segments = other.data, other.num_segments
    for switch in ("span_ends", "single_clip_crop"):
      config.switches[switch] = other.switches[switch]
    name += f"_{config.data.builder}-{config.data.variant}"
  if data_dir is not None:
    config.data_dir = data_dir
  set_up_jax(config)
  experiment = open_experiment(config)
  checkpoints = Checkpointer(Path(workdir) / "checkpoints", read_only=True)
  if checkpoint is not None:
    steps = (find_step(checkpoints, checkpoint),)
    name += f"_{steps[0]}"
  else:
    steps = tuple(find_step(checkpoints, which) for which in ("last", "best"))
  folder = Path(output or Path(workdir) / name)
  # Before the work: what cannot be written is said at once.
  folder.mkdir(parents=True, exist_ok=True)
  scored = {
    step: _score_checkpoint(experiment, checkpoints, step)
    for step in dict.fromkeys(steps)
  }
  if checkpoint is not None:
    outcome = Outcome(scored[steps[0]], scored[steps[0]])
    report.write_results(folder, outcome.selected)
  else:
    last, selected = (scored[step] for step in steps)
    outcome = Outcome(last, selected, checkpoints.chosen_by)
    report.write_outcome(folder, outcome)
  report.draw(folder / "report.png", outcome.selected)
  return outcome


def _score_checkpoint(
  experiment: Experiment, checkpoints: Checkpointer, step: int
) -> Scored:
  """Scores and measures the test split with the parameters of a step."""
  with jax.set_mesh(experiment.mesh):
    place = sharding.replicated(experiment.mesh)
    shapes = checkpoints.saved_shapes(step, place)
    params = checkpoints.restore(step, shapes).state["snippet"]["params"]
    _check_width(params, experiment)
    videos = score_split(
      experiment,
      make_scorer(experiment.method),
      params,
      with_progress(experiment.test),
    )
  return Scored(step, videos, metrics.evaluate_videos(videos))


def load_config_file(argument: str) -> Any:
  """The configuration of "FILE" or "FILE:ARGUMENT".

  Raises:
    ValueError: There is no such file.
  """
  path, *arguments = argument.split(":", 1)
  if not Path(path).is_file():
    raise ValueError(
      f"--config is {argument!r}, but there is no file {path}; allowed: a "
      "configuration file, with its argument behind a colon."
    )
  return runpy.run_path(path)["get_config"](*arguments)


def _check_width(params: Any, experiment: Experiment) -> None:
  """Refuses features of another width than those trained on."""
  method = experiment.method
  first = "input" if "input" in params else "embedding"
  trained = params[first]["kernel"].shape[-2]
  if trained != method.feature_width:
    data = experiment.config.data
    raise ValueError(
      f"Features of {data.builder}/{data.variant} are {method.feature_width} "
      f"wide, but the checkpoint was trained on {trained}; score features of "
      "the kind it was trained on."
    )


def find_step(checkpoints: Checkpointer, which: str) -> int:
  """The step "best", "last" or a number stands for.

  Raises:
    CheckpointError: There is none.
  """
  steps = checkpoints.steps()
  if not steps:
    raise CheckpointError(f"{checkpoints.directory} holds no checkpoint.")
  if which == "last":
    return steps[-1]
  if which == "best":
    best = checkpoints.best_step()
    return steps[-1] if best is None else best
  if not which.isdigit() or int(which) not in steps:
    raise CheckpointError(
      f"--checkpoint is {which!r}; allowed: best, last, or one of {steps}."
    )
  return int(which)


if __name__ == "__main__":
  sys.exit(main())
