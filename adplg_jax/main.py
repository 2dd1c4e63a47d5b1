"""Trains ADPLG: flags, start-up of the process, hand-over to the loop.

  python -m adplg_jax.main --config=configs/ucf_crime.py --workdir=runs/ucf
  python -m adplg_jax.main --config=... --config.snippet.learning_rate=3e-4

Without --config the synthetic data set is made and trained on. Exit codes: 0
done, 1 refused or failed (the reason is printed), 42 asked to stop and saved,
43 another process of the job is gone.
"""

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import Any

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from adplg_jax import job, train
from adplg_jax.agreement import DisagreementError
from adplg_jax.checkpoint import CheckpointError
from adplg_jax.config_checks import check_fields
from adplg_jax.evaluate import load_config_file
from adplg_jax.experiment import set_up_jax
from adplg_jax.preemption import EXIT_CODE, Preempted, Preemption
from adplg_jax.workdir import WorkdirError

_CONFIG_FILE = str(Path(__file__).parent / "configs" / "synthetic.py")


def define_flags() -> None:
  """Defines the command line; fields given in sys.argv are set at once."""
  config_flags.DEFINE_config_file(
    "config",
    _CONFIG_FILE,
    "Configuration file, with its argument behind a colon.",
  )
  flags.DEFINE_string(
    "workdir", None, "Folder of the run; by default runs/BUILDER-VARIANT."
  )
  flags.DEFINE_string(
    "distributed",
    "none",
    "Processes of the job: none | auto (Slurm, TPU, ...) | "
    "HOST:PORT,PROCESSES,INDEX.",
  )


def check_command_line(argv: list[str]) -> None:
  """Refuses fields that are not there before ml_collections does, at length.

  Raises:
    ValueError: Naming them, and the nearest that are.
  """
  names = [
    match[1]
    for word in argv
    if (match := re.match(r"--?config\.([\w.]+)(=|$)", word))
  ]
  files = [
    match[1] for word in argv if (match := re.match(r"--?config=(.+)", word))
  ]
  try:
    config = load_config_file(files[-1] if files else _CONFIG_FILE)
  except Exception:  # Of any kind: the flag says what is wrong with a file.
    return
  check_fields(names, config)


def run(config: Any, workdir: str, distributed: str = "none") -> int:
  """Trains, and says what stopped it if something did.

  Returns:
    The exit code.
  """
  try:
    set_up_jax(config)
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


def main(argv: list[str]) -> int:
  """Reads the flags."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
  if not flags.FLAGS["verbosity"].present:
    # Libraries tell much at INFO; what a user must know is a warning here.
    logging.set_verbosity(logging.WARNING)
  given = flags.FLAGS
  name = f"{given.config.data.builder}-{given.config.data.variant}"
  workdir = given.workdir or os.path.join("runs", name)
  return run(given.config, workdir, given.distributed)


if __name__ == "__main__":
  try:
    check_command_line(sys.argv)
  except ValueError as error:
    sys.exit(str(error))
  define_flags()
  app.run(main)
