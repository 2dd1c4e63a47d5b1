"""Trains ADPLG: the command line.

  python -m adplg_jax.main --config=ucf_crime:i3d --workdir=runs/ucf
  python -m adplg_jax.main --config=FILE.py --config.snippet.model.dropout=0.5

Without --config the synthetic data set is made and trained on. Exit codes: 0
done, 1 refused or failed (the reason is printed), 42 asked to stop and saved,
43 another process of the job died.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from absl import logging

from adplg_jax.run.allocator import keep_memory
from adplg_jax.run.config import load_config, split_overrides


def parse(argv: Sequence[str]) -> argparse.Namespace:
  """Parses a command line.

  Args:
    argv: Its words, without the program's own name.

  Returns:
    `config`, loaded and with its overrides; `workdir`; `distributed`.

  Raises:
    ValueError: The configuration cannot be loaded.
  """
  overrides, rest = split_overrides(argv)
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.main",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  parser.add_argument(
    "--config",
    default="synthetic",
    help="configuration file, or the name of a packaged one, with its argument "
    "after a colon [%(default)s]; fields are changed by --config.FIELD=VALUE",
  )
  parser.add_argument(
    "--workdir", help="folder of the run [runs/BUILDER-VARIANT]"
  )
  parser.add_argument(
    "--distributed",
    default="none",
    help="processes of the job: none, auto (Slurm, TPU, ...) or "
    "HOST:PORT,PROCESSES,INDEX [%(default)s]",
  )
  arguments = parser.parse_args(rest)
  arguments.config = load_config(arguments.config, overrides)
  data = arguments.config.data
  if not arguments.workdir:
    arguments.workdir = os.path.join("runs", f"{data.builder}-{data.variant}")
  return arguments


def run(config: Any, workdir: str, distributed: str = "none") -> int:
  """Trains, and prints what stopped it if something did.

  Returns:
    The exit code.
  """
  # Here: what is wrong with a command line is said, and the help shown, without
  # the seconds that it takes to import JAX.
  import jax

  from adplg_jax import train
  from adplg_jax.run import job
  from adplg_jax.run.agreement import DisagreementError
  from adplg_jax.run.checkpoint import CheckpointError
  from adplg_jax.run.preemption import EXIT_CODE, Preempted, Preemption
  from adplg_jax.run.workdir import WorkdirError

  try:
    job.start(distributed)
    # Not before: a signal ends a process that waits for the others.
    with contextlib.closing(Preemption()) as preemption:
      train.train(config, workdir, preemption)
  except Preempted as stop:
    logging.warning("%s", stop)
    return EXIT_CODE
  except (
    CheckpointError,
    DisagreementError,
    WorkdirError,
    train.NotFiniteError,
    OSError,
    ValueError,
    jax.errors.JaxRuntimeError,
  ) as error:
    if job.peer_is_gone(error):
      print(f"{error}\n{job.PEER_GONE}", file=sys.stderr)
      job.leave(job.EXIT_PEER_LOST)
    if isinstance(error, jax.errors.JaxRuntimeError):
      raise
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    job.leave(1)
    return 1
  print(f"\nresults, picture and checkpoints: {workdir}")
  return 0


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  # Timestamps in the logs, and only what a user must know.
  logging.use_absl_handler()
  logging.set_verbosity(logging.WARNING)
  try:
    arguments = parse(sys.argv[1:] if argv is None else argv)
  except ValueError as error:
    print(error, file=sys.stderr)
    return 1
  keep_memory()
  return run(arguments.config, arguments.workdir, arguments.distributed)


if __name__ == "__main__":
  sys.exit(main())
