"""Scores a prepared test split from checkpoints alone.

  python -m adplg_jax.evaluate --workdir=RUN [--checkpoint=best|last|STEP]
    [--config=folder:OTHER] [--config.FIELD=VALUE ...]

Without --checkpoint the last and the selected one are reported.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from adplg_jax.data import store
from adplg_jax.experiment import Experiment, open_experiment, set_up_jax
from adplg_jax.report import console, picture
from adplg_jax.run import sharding
from adplg_jax.run.checkpoint import Checkpointer, CheckpointError
from adplg_jax.run.config import load_config, override, split_overrides
from adplg_jax.run.load_model import TrainedModel, from_checkpoint
from adplg_jax.run.workdir import WorkdirError, read_config
from adplg_jax.scoring import metrics, scorer
from adplg_jax.scoring.results import (
  Outcome,
  Scored,
  write_outcome,
  write_results,
)

# Of another data set's configuration: how its videos are scored.
_SCORING_SWITCHES = ("span_ends", "single_clip_crop")
# Of a trained model.
_FIXED = ("config.video.", "config.snippet.", "config.data.normalize")


def main(argv: Sequence[str] | None = None) -> int:
  """The command line; returns its exit status."""
  overrides, rest = split_overrides(sys.argv[1:] if argv is None else argv)
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.evaluate",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument("--workdir", required=True, help="folder of a run")
  parser.add_argument(
    "--checkpoint",
    help="best, last or a step [the last and the selected one]",
  )
  parser.add_argument(
    "--config",
    help="configuration file of another data set, or of another choice of "
    "crops and span ends; the model stays as it was trained",
  )
  parser.add_argument("--data_dir", help="where the data sets are, if moved")
  parser.add_argument("--output", help="folder for results [in the workdir]")
  arguments = parser.parse_args(rest)
  try:
    outcome = evaluate_workdir(
      arguments.workdir,
      arguments.checkpoint,
      config_file=arguments.config,
      overrides=overrides,
      data_dir=arguments.data_dir,
      output=arguments.output,
    )
  except (CheckpointError, WorkdirError, OSError, ValueError) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1
  print(console.table(outcome))
  return 0


def evaluate_workdir(
  workdir: str | Path,
  checkpoint: str | None = None,
  *,
  config_file: str | None = None,
  overrides: Sequence[str] = (),
  data_dir: str | None = None,
  output: str | Path | None = None,
) -> Outcome:
  """Restores a run's checkpoints, scores a test split, writes the results.

  Args:
    workdir: The run's folder.
    checkpoint: "best" by the selection metric, "last", or a step; None for the
      last and the selected one.
    config_file: Configuration file (with its argument after a colon) of
      another data set to score, and of how its videos are scored; by default
      the run's own. It may be prepared with any number of segments.
    overrides: Fields to change, as in "--config.evaluation.batch_snippets=64".
    data_dir: Where the data sets are, if they have moved.
    output: Where results are written; by default in the workdir.

  Returns:
    Both; with `checkpoint` given, that one twice.

  Raises:
    CheckpointError: No such checkpoint, or a damaged one.
    OSError: The results cannot be written.
    ValueError: The configuration or the data set cannot be used.
    WorkdirError: The folder is not a run's.
  """
  config = read_config(workdir)
  name = "evaluation"
  if config_file is not None:
    other = load_config(config_file)
    config.data = other.data
    for switch in _SCORING_SWITCHES:
      config.switches[switch] = other.switches[switch]
    name += f"_{config.data.builder}-{config.data.variant}"
  _check_overrides(overrides)
  config = override(config, overrides).unlock()
  if data_dir is not None:
    config.data_dir = data_dir
  config.num_segments = _prepared_segments(config)
  # That of the checkpoint is applied, with its statistics.
  config.data.normalize = "none"
  set_up_jax(config)
  experiment = open_experiment(config)
  checkpoints = Checkpointer(Path(workdir) / "checkpoints", read_only=True)
  if checkpoint is not None:
    steps = (checkpoints.find_step(checkpoint),)
    name += f"_{steps[0]}"
  else:
    steps = tuple(checkpoints.find_step(which) for which in ("last", "best"))
  folder = Path(output or Path(workdir) / name)
  # Before the work: a folder that cannot be written is reported at once.
  folder.mkdir(parents=True, exist_ok=True)
  place = sharding.replicated(experiment.mesh)
  scored = {}
  for step in dict.fromkeys(steps):
    model = from_checkpoint(checkpoints, step, config, sharding=place)
    scored[step] = _score(experiment, model)
  if checkpoint is not None:
    outcome = Outcome(scored[steps[0]], scored[steps[0]])
    write_results(folder, outcome.selected)
  else:
    last, selected = (scored[step] for step in steps)
    selection = checkpoints.selection(selected.step)
    outcome = Outcome(last, selected, selection.chosen_by if selection else "")
    write_outcome(folder, outcome)
  picture.draw(folder / "report.png", outcome.selected)
  return outcome


def _prepared_segments(config: Any) -> int:
  """N of the data set to open: the test split is the same in all of them.

  Returns:
    The run's own N where it is prepared or nothing is, else the smallest.
  """
  found = store.prepared_segments(
    config.data_dir, config.data.builder, config.data.variant
  )
  own = config.num_segments
  return own if own in found or not found else found[0]


def _check_overrides(overrides: Sequence[str]) -> None:
  """Refuses fields that only training can change.

  Raises:
    ValueError: Naming them.
  """
  fixed = [word for word in overrides if word.lstrip("-").startswith(_FIXED)]
  if fixed:
    raise ValueError(
      f"{', '.join(fixed)}: the models stay as they were trained; fields of "
      "config.video and config.snippet, and config.data.normalize, cannot be "
      "changed in an evaluation."
    )


def _score(experiment: Experiment, model: TrainedModel) -> Scored:
  """Scores and measures the test split with a model.

  Raises:
    ValueError: Features of another width than those trained on.
  """
  width = experiment.method.feature_width
  if model.feature_width != width:
    data = experiment.config.data
    raise ValueError(
      f"Features of {data.builder}/{data.variant} are {width} wide, but the "
      f"checkpoint was trained on {model.feature_width}; score features of the "
      "kind it was trained on."
    )
  experiment = experiment.normalized(model.normalization)
  with jax.set_mesh(experiment.mesh):
    videos = scorer.score_split(
      experiment.config,
      experiment.mesh,
      scorer.make_scorer(experiment.method),
      model.params["snippet"],
      scorer.with_progress(experiment.test),
    )
  return Scored(model.step, videos, metrics.evaluate_videos(videos))


if __name__ == "__main__":
  sys.exit(main())
