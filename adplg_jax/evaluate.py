"""Scores a prepared test split from checkpoints alone.

  python -m adplg_jax.evaluate --workdir=RUN [--checkpoint=best|last|STEP]
    [--config=folder:OTHER] [--config.FIELD=VALUE ...]

Without --checkpoint the last and the selected one are reported.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax

from adplg_jax.data import store
from adplg_jax.experiment import Experiment, open_experiment, set_up_jax
from adplg_jax.report import console, picture
from adplg_jax.run import sharding
from adplg_jax.run.allocator import keep_memory
from adplg_jax.run.checkpoint import Checkpointer, CheckpointError
from adplg_jax.run.config import (
  load_config,
  overridden,
  override,
  split_overrides,
)
from adplg_jax.run.load_model import TrainedModel, from_checkpoint
from adplg_jax.run.workdir import (
  WorkdirError,
  differences,
  read_config,
  seed_folders,
)
from adplg_jax.scoring import metrics, scorer
from adplg_jax.scoring.results import (
  Outcome,
  Scored,
  write_outcome,
  write_results,
  write_seeds,
)

# Of another data set's configuration: how its videos are scored.
_SCORING_SWITCHES = ("span_ends", "single_clip_crop")
# Fields that an evaluation can change: all others are the trained model's, or
# have no effect here.
_FIELDS = (
  "data.builder",
  "data.variant",
  "data_dir",
  "evaluation.batch_snippets",
  "precision",
  "matmul_precision",
  "deterministic",
  *(f"switches.{name}" for name in _SCORING_SWITCHES),
)


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
  parser.add_argument(
    "--output",
    help="folder for results [in the workdir]; needed where fields are changed "
    "that change the results",
  )
  arguments = parser.parse_args(rest)
  keep_memory()
  try:
    outcomes = evaluate_seeds(
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
  print(console.report(outcomes))
  return 0


def evaluate_seeds(
  workdir: str | Path,
  checkpoint: str | int | None = None,
  *,
  output: str | Path | None = None,
  **settings: Any,
) -> dict[int, Outcome]:
  """Evaluates every seed of a run, and writes them together.

  Args:
    workdir: The run's folder.
    checkpoint: See `evaluate_workdir`, which has the errors, too.
    output: Where results are written, of several seeds one folder each; by
      default in the workdir.
    **settings: See `evaluate_workdir`.

  Returns:
    The outcome of each seed.
  """
  folders = seed_folders(workdir, read_config(workdir))
  if len(folders) == 1:
    ((seed, folder),) = folders.items()
    return {
      seed: evaluate_workdir(folder, checkpoint, output=output, **settings)
    }
  outcomes = {
    seed: evaluate_workdir(
      folder,
      checkpoint,
      output=Path(output) / folder.name if output else None,
      **settings,
    )
    for seed, folder in folders.items()
  }
  write_seeds(output or Path(workdir) / "evaluation", outcomes)
  return outcomes


def evaluate_workdir(
  workdir: str | Path,
  checkpoint: str | int | None = None,
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
    output: Where results are written; by default in the workdir, where
      `overrides` leave the results the run's own.

  Returns:
    Both; with `checkpoint` given, that one twice.

  Raises:
    CheckpointError: No such checkpoint, or a damaged one.
    OSError: The results cannot be written.
    ValueError: The configuration or the data set cannot be used, or the folder
      for the results cannot be made or is not named where it must be.
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
  config = _override(config, overrides, output)
  if data_dir is not None:
    config.data_dir = data_dir
  config.num_segments = _prepared_segments(config)
  # That of the checkpoint is applied, with its statistics.
  config.data.normalize = "none"
  experiment = open_experiment(config)
  set_up_jax(config)
  with contextlib.closing(
    Checkpointer(Path(workdir) / "checkpoints", read_only=True)
  ) as checkpoints:
    if checkpoint is not None:
      steps = (checkpoints.find_step(checkpoint),)
      name += f"_{steps[0]}"
    else:
      steps = tuple(checkpoints.find_step(which) for which in ("last", "best"))
    folder = _make_folder(output or Path(workdir) / name)
    scored = _score_steps(experiment, checkpoints, steps)
    selection = checkpoints.selection(steps[-1])
  if checkpoint is not None:
    outcome = Outcome(scored[steps[0]], scored[steps[0]])
    write_results(folder, outcome.selected)
  else:
    last, selected = (scored[step] for step in steps)
    outcome = Outcome(last, selected, selection)
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


def _override(
  config: Any, overrides: Sequence[str], output: str | Path | None
) -> Any:
  """The configuration of an evaluation, with fields changed.

  Raises:
    ValueError: A field that an evaluation cannot change, or one that changes
      the results, which are then not the run's own, without an `output`.
  """
  changed = override(config, overrides).unlock()
  fixed = [name for name in overridden(overrides) if name not in _FIELDS]
  if fixed:
    raise ValueError(
      f"An evaluation cannot change {_fields(fixed)}; allowed: "
      f"{_fields(_FIELDS)}."
    )
  other = differences(config.to_dict(), changed.to_dict())
  if other and output is None:
    raise ValueError(
      f"Changing {_fields(other)} changes the results: name another "
      "folder for them with --output."
    )
  return changed


def _fields(names: Iterable[str]) -> str:
  return ", ".join(f"config.{name}" for name in names)


def _make_folder(folder: str | Path) -> Path:
  """A folder for results, made before the work that fills it.

  Raises:
    ValueError: It cannot be made.
  """
  try:
    Path(folder).mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise ValueError(
      f"{folder} cannot be made ({error.strerror}); name a folder for the "
      "results with --output."
    ) from error
  return Path(folder)


def _score_steps(
  experiment: Experiment, checkpoints: Checkpointer, steps: Sequence[int]
) -> dict[int, Scored]:
  """Scores the test split with the model of each step."""
  place = sharding.replicated(experiment.mesh)
  score = scorer.make_scorer(experiment.method)
  return {
    step: _score(
      experiment,
      score,
      from_checkpoint(checkpoints, step, experiment.config, sharding=place),
    )
    for step in dict.fromkeys(steps)
  }


def _score(
  experiment: Experiment, score: scorer.Scorer, model: TrainedModel
) -> Scored:
  """Scores and measures the test split with a model.

  Raises:
    ValueError: Features of another width or kind than those trained on.
  """
  width = experiment.method.feature_width
  kind = experiment.dataset.metadata.kind
  data = experiment.config.data
  if kind and model.kind and kind != model.kind:
    raise ValueError(
      f"Features of {data.builder}/{data.variant} are of the kind {kind!r}, "
      f"but the checkpoint was trained on {model.kind!r}, and the two do not "
      "mix; extract the videos as those were (docs/extraction.md)."
    )
  if model.feature_width != width:
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
      score,
      model.params["snippet"],
      scorer.with_progress(experiment.test),
    )
  return Scored(model.step, videos, metrics.evaluate_videos(videos))


if __name__ == "__main__":
  sys.exit(main())
