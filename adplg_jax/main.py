"""Trains ADPLG: flags, start-up of the process, hand-over to the loop.

  python -m adplg_jax.main --config=configs/ucf_crime.py --workdir=runs/ucf
  python -m adplg_jax.main --config=... --config.snippet.learning_rate=3e-4

Without --config the synthetic data set is made and trained on. Exit codes: 0
done, 1 refused or failed (the reason is printed), 42 asked to stop and saved,
43 another process of the job is gone.
"""

import os
import sys
from pathlib import Path
from typing import Any

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from adplg_jax import train
from adplg_jax.agreement import DisagreementError
from adplg_jax.checkpoint import CheckpointError
from adplg_jax.experiment import set_up_jax
from adplg_jax.preemption import EXIT_CODE, Preempted, Preemption
from adplg_jax.workdir import WorkdirError

# A peer of the job died: start the job again to go on.
EXIT_PEER_LOST = 43

_CONFIG = config_flags.DEFINE_config_file(
  "config",
  str(Path(__file__).parent / "configs" / "synthetic.py"),
  "Configuration file, with its argument behind a colon.",
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Folder of the run; by default runs/BUILDER-VARIANT."
)
_DISTRIBUTED = flags.DEFINE_string(
  "distributed",
  "none",
  "Processes of the job: none | auto (Slurm, TPU, ...) | "
  "HOST:PORT,PROCESSES,INDEX.",
)


def start_distributed(how: str) -> None:
  """Joins the other processes of the job, before any device is used.

  Raises:
    ValueError: Not one of the forms of --distributed.
  """
  if how == "none":
    return
  # The job has its own way with SIGTERM (preemption.py).
  jax.config.update("jax_enable_preemption_service", False)
  if how == "auto":
    jax.distributed.initialize()
    return
  parts = how.split(",")
  if len(parts) != 3 or not parts[1].isdigit() or not parts[2].isdigit():
    raise ValueError(
      f"--distributed is {how!r}; allowed: none, auto, or "
      "HOST:PORT,PROCESSES,INDEX."
    )
  jax.distributed.initialize(parts[0], int(parts[1]), int(parts[2]))


def run(config: Any, workdir: str, distributed: str = "none") -> int:
  """Trains, and says what stopped it if something did.

  Returns:
    The exit code.
  """
  preemption = Preemption()
  try:
    set_up_jax(config)
    start_distributed(distributed)
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
  ) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return _leave(1, distributed)
  except jax.errors.JaxRuntimeError as error:
    if distributed == "none":
      raise
    print(
      "Another process of the job is gone, or cannot be reached: "
      f"{str(error).splitlines()[0]}\nStart all of them again to go on from "
      "the last checkpoint.",
      file=sys.stderr,
    )
    return _leave(EXIT_PEER_LOST, distributed)
  finally:
    preemption.close()
  print(f"\nresults, picture and checkpoints: {workdir}")
  return 0


def _leave(code: int, distributed: str) -> int:
  """Ends a process of a job without waiting for the others, who may hang."""
  if distributed != "none":
    sys.stderr.flush()
    os._exit(code)
  return code


def main(argv: list[str]) -> int:
  """Reads the flags."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
  if not flags.FLAGS["verbosity"].present:
    # Libraries tell much at INFO; what a user must know is a warning here.
    logging.set_verbosity(logging.WARNING)
  config = _CONFIG.value
  name = f"{config.data.builder}-{config.data.variant}"
  workdir = _WORKDIR.value or os.path.join("runs", name)
  return run(config, workdir, _DISTRIBUTED.value)


if __name__ == "__main__":
  app.run(main)
