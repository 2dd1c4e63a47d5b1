"""Scores videos of which nothing is known, with a trained model.

  python -m adplg_jax.score --workdir=RUN --features PATH... --out=DIR --fps=25

Writes a csv and a picture a video, timelines.png and results.json with the
anomalous intervals (docs/scoring.md). Exit codes: 0 all were scored, 1 some
or all were not; the reasons are printed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adplg_jax.run.allocator import keep_memory


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  arguments = _parse(sys.argv[1:] if argv is None else argv)
  keep_memory()
  # Here: the help is shown without the seconds that it takes to import JAX.
  from adplg_jax.run.checkpoint import CheckpointError
  from adplg_jax.run.workdir import WorkdirError

  try:
    return _run(arguments)
  except (CheckpointError, WorkdirError, OSError, ValueError) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1
  except KeyboardInterrupt:
    print(
      f"Interrupted; csv files of videos scored so far are in "
      f"{arguments.out}/videos.",
      file=sys.stderr,
    )
    return 130


def _parse(argv: Sequence[str]) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.score",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add = parser.add_argument
  add("--workdir", type=Path, help="folder of the run")
  add(
    "--checkpoint",
    help="best, last or a step of the run [best]; or, without --workdir, a "
    "folder RUN/checkpoints/STEP",
  )
  add(
    "--features",
    nargs="+",
    type=Path,
    default=[],
    metavar="PATH",
    help="feature files, and folders of them",
  )
  add("--out", type=Path, required=True, help="folder of the results")
  add(
    "--overwrite", action="store_true", help="replace another model's results"
  )
  add("--fps", type=_positive, help="frames in a second [frames only]")
  add(
    "--frames-per-snippet",
    type=_natural,
    help="from one snippet's start to the next one's [the run's, or else 16]",
  )
  add("--kind", default="", help="what made the features, as i3d or clip")
  add(
    "--manifest",
    type=Path,
    help="manifest with labels and spans of the files; without --features, its "
    "test videos are scored",
  )
  add(
    "--annotations",
    type=Path,
    help="spans of the videos: rows of a data set, folder of masks, or lines "
    "VIDEO start-end ...",
  )
  add("--span-ends", choices=("exclusive", "inclusive"), default="exclusive")
  add("--threshold", type=float, help="opens an interval [the run's best F1]")
  add("--low", type=float, help="keeps an interval [0.8 of the threshold]")
  add(
    "--quantile",
    type=float,
    help="threshold by the share of snippets below it [0.95 without a run's]",
  )
  add("--shortest", type=_natural, default=1, help="interval, snippets [1]")
  add("--gap", type=int, default=1, help="largest bridged one, snippets [1]")
  add("--window", type=_natural, help="snippets scored at once [all it takes]")
  add("--overlap", type=int, help="of windows, snippets [a quarter]")
  arguments = parser.parse_args(argv)
  if not (arguments.workdir or arguments.checkpoint):
    parser.error("give --workdir RUN, or --checkpoint RUN/checkpoints/STEP")
  if not (arguments.features or arguments.manifest):
    parser.error("give --features PATH..., or --manifest FILE")
  if arguments.manifest and arguments.annotations:
    parser.error("give --manifest or --annotations, one of the two")
  return arguments


def _natural(text: str) -> int:
  if not text.isdecimal() or int(text) < 1:
    raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1 or more")
  return int(text)


def _positive(text: str) -> float:
  number = float(text)
  if not 0 < number < float("inf"):
    raise argparse.ArgumentTypeError(f"{text!r}; allowed: more than 0")
  return number


def _run(arguments: argparse.Namespace) -> int:
  """Scores, writes and prints; see `main`."""
  from adplg_jax.score import command
  from adplg_jax.score.feature_files import FeatureFiles, Inputs
  from adplg_jax.score.outputs import Outputs

  choice = command.Choice(
    threshold=arguments.threshold,
    low=arguments.low,
    quantile=arguments.quantile,
    shortest=arguments.shortest,
    largest_gap=arguments.gap,
  )
  scorer, path = _load(arguments)
  source = FeatureFiles(
    Inputs(
      tuple(arguments.features),
      manifest=arguments.manifest,
      annotations=arguments.annotations,
      span_ends=arguments.span_ends,
      fps=arguments.fps,
      frames_per_snippet=arguments.frames_per_snippet,
      kind=arguments.kind,
    ),
    scorer.model,
  )
  outputs = Outputs(
    arguments.out,
    command.model_facts(scorer, path),
    overwrite=arguments.overwrite,
  )
  result = command.score_source(scorer, source, outputs, choice, path)
  print("\n".join([*source.findings.note_lines(), result.text]))
  print(f"results: {arguments.out}")
  return int(bool(result.failures) or not result.timelines)


def _load(arguments: argparse.Namespace) -> tuple[Any, Path]:
  """The scorer, and the folder of its run."""
  from adplg_jax.scoring.trained import load_scorer

  windows = {"window": arguments.window, "overlap": arguments.overlap}
  if arguments.workdir:
    which = arguments.checkpoint or "best"
    return load_scorer(arguments.workdir, which, **windows), arguments.workdir
  folder = Path(arguments.checkpoint)
  return load_scorer(folder, **windows), folder.absolute().parent.parent


if __name__ == "__main__":
  sys.exit(main())
