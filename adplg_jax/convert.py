"""Converts the authors' trained weights to a run of this package, and back.

  python -m adplg_jax.convert from-torch --video V.pkl --snippet S.pkl --to DIR
      [--config ucf_crime:i3d]
  python -m adplg_jax.convert to-torch --checkpoint DIR --video V.pkl
      --snippet S.pkl [--step best|last|STEP]
  python -m adplg_jax.convert video-weights [--from FILE] --to OUT.safetensors

The folder that `from-torch` makes is a run's: evaluate scores with it, main
continues its training, to-torch converts it back; both need the extra `torch`.
`video-weights` brings weights of I3D, by any public naming scheme, to the form
that needs no PyTorch; without --from, those that come with the extra `video`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from adplg_jax.interop.torch_weights import from_torch, to_torch
from adplg_jax.run.checkpoint import CheckpointError
from adplg_jax.run.config import load_config, split_overrides
from adplg_jax.run.workdir import WorkdirError
from adplg_jax.video import i3d_weights

_PROGRAM = "python -m adplg_jax.convert"


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog=_PROGRAM,
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  commands = parser.add_subparsers(dest="command", required=True)
  there = _add(
    commands,
    "from-torch",
    "state dicts to a run's folder",
    "--video V.pkl --snippet S.pkl --to runs/theirs",
  )
  there.add_argument("--to", required=True, help="folder to make")
  there.add_argument(
    "--config",
    default="ucf_crime:i3d",
    help="configuration [%(default)s]; --config.FIELD=VALUE changes fields",
  )
  there.add_argument("--data_dir", default="", help="where the data sets are")
  back = _add(
    commands,
    "to-torch",
    "a run's folder to state dicts",
    "--checkpoint runs/ucf --video V.pkl --snippet S.pkl",
  )
  back.add_argument("--checkpoint", required=True, help="the run's folder")
  back.add_argument("--step", default="best", help="best, last or a step")
  video = _add(
    commands,
    "video-weights",
    "weights of I3D to safetensors",
    "--from rgb_imagenet.pt --to imagenet.safetensors",
  )
  video.add_argument("--from", dest="source", help="the file of the weights")
  video.add_argument("--to", required=True, help=".safetensors to write")
  for command in (there, back):
    command.add_argument("--video", required=True, help=".pkl, video branch")
    command.add_argument(
      "--snippet", required=True, help=".pkl, snippet branch"
    )
  return parser


def _add(
  commands: Any, name: str, does: str, example: str
) -> argparse.ArgumentParser:
  """Adds a command with an example of it."""
  return commands.add_parser(
    name,
    help=does,
    description=f"From {does}.\n\n  {_PROGRAM} {name} {example}",
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  overrides, rest = split_overrides(sys.argv[1:] if argv is None else argv)
  arguments = _parser().parse_args(rest)
  try:
    if overrides and arguments.command != "from-torch":
      raise ValueError(
        f"{' '.join(overrides)}: {arguments.command} changes no fields; leave "
        "this out."
      )
    if arguments.command == "video-weights":
      weights = i3d_weights.load_weights(arguments.source)
      i3d_weights.save(weights, arguments.to)
      print(f"{arguments.to}: {weights.source}, {weights.sha256}")
      return 0
    if arguments.command == "to-torch":
      step = to_torch(
        arguments.checkpoint,
        arguments.video,
        arguments.snippet,
        arguments.step,
      )
      print(f"step {step}: {arguments.video}, {arguments.snippet}")
      return 0
    config = load_config(arguments.config, overrides)
    config.data_dir = arguments.data_dir or config.data_dir
    from_torch(arguments.video, arguments.snippet, arguments.to, config)
    print(f"{arguments.to}: step 0")
  except (CheckpointError, OSError, WorkdirError, ValueError) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1
  return 0


if __name__ == "__main__":
  sys.exit(main())
