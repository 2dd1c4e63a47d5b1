"""Prepares a data set: feature files -> TFDS data set.

  python -m adplg_jax.prepare synthetic [--variant small]
  python -m adplg_jax.prepare folder --name NAME --manifest manifest.csv
  python -m adplg_jax.prepare ucf_crime:i3d --features DIR --annotations FILE
  python -m adplg_jax.prepare xd_violence:i3d_vggish --features DIR ...
  python -m adplg_jax.prepare shanghaitech:i3d --features DIR ...

`python -m adplg_jax.prepare DATA_SET --help` lists the options of one.
"""

import argparse
import sys
from collections.abc import Sequence

from adplg_jax.data import store
from adplg_jax.data.schema import FEATURE_TYPES
from adplg_jax.prepare import registry
from adplg_jax.prepare.findings import SKIPPABLE
from adplg_jax.prepare.source import Source
from adplg_jax.prepare.staging import prepare

_PROGRAM = "python -m adplg_jax.prepare"


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  arguments = _parse(sys.argv[1:] if argv is None else argv)
  try:
    prepared = prepare(
      arguments.source,
      arguments.source.options(arguments),
      store.data_root(arguments.data_dir),
      overwrite=arguments.overwrite,
    )
  except ValueError as error:
    print(error, file=sys.stderr)
    return 1
  except OSError as error:
    print(
      f"{error.filename or arguments.data_dir}: {error.strerror or error}. "
      "Fix this, or choose another --data_dir; nothing was left behind.",
      file=sys.stderr,
    )
    return 1
  except KeyboardInterrupt:
    print("Interrupted; nothing was left behind.", file=sys.stderr)
    return 130
  print("\n".join([*prepared.summary, f"prepared {prepared.path}"]))
  return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
  """Which data set, then the options that this one takes."""
  first = argparse.ArgumentParser(
    prog=_PROGRAM,
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  first.add_argument(
    "data_set", metavar="DATA_SET", help="NAME or NAME:FEATURES"
  )
  name, _, variant = first.parse_args(argv[:1]).data_set.partition(":")
  try:
    source = registry.find(name)
  except ValueError as error:
    first.error(str(error))
  parser = _parser(source, argv[0])
  parser.set_defaults(source=source)
  if variant:
    parser.set_defaults(variant=variant)
  arguments = parser.parse_args(argv[1:])
  if variant and arguments.variant != variant:
    parser.error(
      f"{argv[0]} and {arguments.variant} are two names; give one of them."
    )
  return arguments


def _parser(source: Source, called: str) -> argparse.ArgumentParser:
  """The options of a data set, and those that all of them take."""
  parser = argparse.ArgumentParser(
    prog=f"{_PROGRAM} {called}",
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.set_defaults(variant="")
  source.add_arguments(parser)
  usual = parser.get_default("variant") or "NAME"
  parser.description = (
    "Checks features, and writes the data set that training reads.\n\n"
    f"  {_PROGRAM} {source.usage(usual)}"
  )
  parser.add_argument(
    "--data_dir", default="", help="root of the data sets [TFDS' own]"
  )
  parser.add_argument(
    "--segments",
    dest="num_segments",
    metavar="N",
    type=int,
    default=source.default_segments,
    help="rows a training crop is averaged into [%(default)s]",
  )
  parser.add_argument("--dtype", default="float32", choices=FEATURE_TYPES)
  parser.add_argument(
    "--overwrite", action="store_true", help="replace a prepared data set"
  )
  parser.add_argument(
    "--skip-bad",
    type=_kinds,
    default=(),
    metavar="KIND,KIND",
    help="leave out videos with findings of these kinds; all for any",
  )
  return parser


def _kinds(text: str) -> tuple[str, ...]:
  if text == "all":
    return SKIPPABLE
  kinds = tuple(kind.strip() for kind in text.split(","))
  for kind in kinds:
    if kind not in SKIPPABLE:
      raise argparse.ArgumentTypeError(
        f"{kind!r}; allowed: all, {', '.join(SKIPPABLE)}"
      )
  return kinds


if __name__ == "__main__":
  sys.exit(main())
