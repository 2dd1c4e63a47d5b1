"""Writes a trained model as one file that runs without this package.

  python -m adplg_jax.export --workdir=RUN --to=model.jax
  python -m adplg_jax.export --workdir=RUN --to=model.onnx --format=onnx

The file is a program of jax.export for CPUs, GPUs and TPUs, or an ONNX graph,
for any number of crops and snippets; model.jax.json beside it says what it
takes (docs/serving.md).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import adplg_jax
from adplg_jax.run.allocator import keep_memory


def main(argv: Sequence[str] | None = None) -> int:
  """The command line; returns its exit status."""
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.export",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  parser.add_argument(
    "--workdir",
    type=Path,
    required=True,
    help="folder of a run, or of one of its checkpoints",
  )
  parser.add_argument(
    "--checkpoint", default="best", help="best, last or a step [%(default)s]"
  )
  parser.add_argument(
    "--to", type=Path, required=True, metavar="FILE", help="the file to write"
  )
  parser.add_argument(
    "--format", default="jax", choices=("jax", "onnx"), help="[%(default)s]"
  )
  arguments = parser.parse_args(argv)
  keep_memory()
  # Here: the help is shown without the seconds that it takes to import JAX.
  from adplg_jax.interop.exported import MissingPackageError
  from adplg_jax.run.checkpoint import CheckpointError
  from adplg_jax.run.workdir import WorkdirError

  try:
    _export(
      arguments.workdir, arguments.checkpoint, arguments.to, arguments.format
    )
  except (
    CheckpointError,
    MissingPackageError,
    WorkdirError,
    OSError,
    ValueError,
  ) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1
  return 0


def _export(path: Path, which: str, to: Path, form: str) -> None:
  """Writes both files, and says what they are."""
  from adplg_jax.interop.exported import write_program
  from adplg_jax.scoring.threshold import best_f1_threshold
  from adplg_jax.scoring.trained import load_scorer

  scorer = load_scorer(path, which)
  model, data = scorer.model, scorer.model.config.data
  is_run = (path / "config.json").exists()
  workdir = path if is_run else path.absolute().parent.parent
  threshold = best_f1_threshold(workdir, model.config, model.step)
  written = write_program(
    to,
    model,
    form,
    {
      "feature_kind": scorer.kind,
      "frames_per_snippet": model.frames_per_snippet or None,
      "threshold": threshold and threshold._asdict(),
      "data": f"{data.builder}/{data.variant}",
      "step": model.step,
      "fingerprint": scorer.fingerprint(),
      "adplg_jax": adplg_jax.__version__,
    },
  )
  print(
    f"{to}: {to.stat().st_size / 2**20:.1f} MiB, step {model.step}, features "
    f"[crops, up to {written['longest']} snippets, {written['feature_width']} "
    f"channels]; what else is to be known is in {to}.json"
  )


if __name__ == "__main__":
  sys.exit(main())
