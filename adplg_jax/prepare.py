"""Prepares a data set: feature files -> tfds data set.

python -m adplg_jax.prepare synthetic [--variant small]
python -m adplg_jax.prepare folder --name NAME --manifest manifest.csv
python -m adplg_jax.prepare ucf_crime:i3d --features DIR --annotations FILE
python -m adplg_jax.prepare xd_violence:i3d_vggish --features DIR ...
python -m adplg_jax.prepare shanghaitech:i3d --features DIR ...
"""

import argparse
import re
import sys

from adplg_jax.data import store
from adplg_jax.data.builders import folder, preparing, synthetic
from adplg_jax.data.builders.benchmark import BenchmarkConfig
from adplg_jax.data.builders.shanghaitech import Shanghaitech
from adplg_jax.data.builders.ucf_crime import UcfCrime
from adplg_jax.data.builders.xd_violence import XdViolence
from adplg_jax.data.findings import SKIPPABLE
from adplg_jax.data.synthetic import VARIANTS

BENCHMARKS = (UcfCrime, XdViolence, Shanghaitech)


def main(argv: list[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  arguments = _parser().parse_args(argv)
  try:
    prepared = arguments.prepare(arguments)
  except ValueError as error:
    print(error, file=sys.stderr)
    return 1
  except OSError as error:
    print(
      f"{error.filename or arguments.data_dir}: {error.strerror or error}. "
      "Mend this, or name another --data_dir; nothing was left behind.",
      file=sys.stderr,
    )
    return 1
  except KeyboardInterrupt:
    print("Interrupted; nothing was left behind.", file=sys.stderr)
    return 130
  print("\n".join([*prepared.summary, f"prepared {prepared.path}"]))
  return 0


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.prepare",
    description="Prepares a data set for training and evaluation.",
  )
  commands = parser.add_subparsers(metavar="DATA_SET", required=True)
  own = _command(commands, "synthetic", _prepare_synthetic, segments=32)
  own.add_argument("--variant", default="small", choices=sorted(VARIANTS))
  own = _command(commands, "folder", _prepare_folder)
  own.add_argument("--name", required=True, type=_name)
  own.add_argument("--manifest", required=True)
  _add_skip_bad(own)
  for builder in BENCHMARKS:
    for variant in builder.benchmark.features:
      name = f"{builder.benchmark.name}:{variant}"
      own = _command(commands, name, _prepare_benchmark)
      own.set_defaults(builder=builder, variant=variant)
      _add_benchmark_files(own)
      _add_skip_bad(own)
  return parser


def _add_benchmark_files(own: argparse.ArgumentParser) -> None:
  own.add_argument(
    "--features", required=True, help="folder that the official folders lie in"
  )
  own.add_argument(
    "--annotations", default="", help="annotation file, or folder of masks"
  )
  own.add_argument(
    "--list",
    action="append",
    default=[],
    help="list file or csv of a split, told by train or test in its name; "
    "may be given twice",
  )
  own.add_argument(
    "--ground-truth", default="", help="array with a 0 or 1 per test frame"
  )


def _command(commands, name: str, function, segments: int = 64):
  """A subcommand with what all preparations take."""
  own = commands.add_parser(name)
  own.set_defaults(prepare=function)
  own.add_argument(
    "--data_dir", default="", help="root of the data sets [tfds' own]"
  )
  own.add_argument(
    "--segments",
    type=int,
    default=segments,
    help="rows a training crop is averaged into [%(default)s]",
  )
  own.add_argument("--dtype", default="float32", choices=("float32", "float16"))
  own.add_argument(
    "--overwrite", action="store_true", help="replace a prepared data set"
  )
  return own


def _add_skip_bad(own: argparse.ArgumentParser) -> None:
  own.add_argument(
    "--skip-bad",
    type=_kinds,
    default=(),
    metavar="KIND,KIND",
    help="leave out videos with findings of these kinds; all for any",
  )


def _name(text: str) -> str:
  if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
    raise argparse.ArgumentTypeError(
      f"{text!r}: letters, digits, _ . - and first a letter or digit"
    )
  if text in ("official", "fixed"):
    raise argparse.ArgumentTypeError(
      f"{text!r} is a preset's name (configs/folder.py:NAME,PRESET); choose "
      "another"
    )
  return text


def _kinds(text: str) -> tuple[str, ...]:
  if text == "all":
    return SKIPPABLE
  kinds = tuple(text.split(","))
  for kind in kinds:
    if kind not in SKIPPABLE:
      raise argparse.ArgumentTypeError(
        f"{kind!r}; allowed: all, {', '.join(SKIPPABLE)}"
      )
  return kinds


def _prepare_synthetic(arguments: argparse.Namespace) -> preparing.Prepared:
  return synthetic.prepare_synthetic(
    arguments.data_dir,
    arguments.variant,
    arguments.segments,
    dtype=arguments.dtype,
    overwrite=arguments.overwrite,
  )


def _prepare_folder(arguments: argparse.Namespace) -> preparing.Prepared:
  config = folder.FolderConfig(
    variant=arguments.name,
    num_segments=arguments.segments,
    dtype=arguments.dtype,
    skip_bad=arguments.skip_bad,
    manifest=arguments.manifest,
  )
  return preparing.prepare(
    folder.Folder,
    config,
    store.data_root(arguments.data_dir),
    overwrite=arguments.overwrite,
  )


def _prepare_benchmark(arguments: argparse.Namespace) -> preparing.Prepared:
  config = BenchmarkConfig(
    variant=arguments.variant,
    num_segments=arguments.segments,
    dtype=arguments.dtype,
    skip_bad=arguments.skip_bad,
    features=arguments.features,
    annotations=arguments.annotations,
    lists=tuple(arguments.list),
    ground_truth=arguments.ground_truth,
  )
  return preparing.prepare(
    arguments.builder,
    config,
    store.data_root(arguments.data_dir),
    overwrite=arguments.overwrite,
  )


if __name__ == "__main__":
  sys.exit(main())
