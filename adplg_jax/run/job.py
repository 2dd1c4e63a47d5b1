"""The processes of a job: how they find each other, and how one leaves."""

import ctypes
import os
import re
import signal
import sys
from typing import Any

import jax

# Another process of the job died: start the job again to continue.
EXIT_PEER_LOST = 43
PEER_GONE = (
  "Another process of the job died, or cannot be reached. Start all of them "
  "again to continue from the last checkpoint."
)
# What collectives and the coordinator then report, in errors of any type: those
# of JAX or NumPy, or a failed save.
_LOST = re.compile(
  "Gloo|NCCL|UNAVAILABLE|DEADLINE_EXCEEDED|CoordinationService"
)
# Callbacks of C code; they must not be garbage-collected.
_KEPT: list[Any] = []


def start(how: str) -> None:
  """Joins the other processes of the job, before any device is used.

  Args:
    how: none | auto | HOST:PORT,PROCESSES,INDEX.

  Raises:
    ValueError: Not one of these forms.
  """
  if how == "none":
    return
  # The job has its own way with SIGTERM (preemption.py).
  jax.config.update("jax_enable_preemption_service", False)
  if how == "auto":
    jax.distributed.initialize()
  else:
    found = re.fullmatch(r"(.+:[0-9]+),([0-9]+),([0-9]+)", how)
    if found is None or int(found[3]) >= int(found[2]):
      raise ValueError(
        f"--distributed is {how!r}; allowed: none, auto, or "
        "HOST:PORT,PROCESSES,INDEX with an INDEX below PROCESSES."
      )
    jax.distributed.initialize(found[1], int(found[2]), int(found[3]))
  _end_aborts_with(EXIT_PEER_LOST)


def _end_aborts_with(code: int) -> None:
  """Gives an abort an exit code of our own.

  JAX aborts a process whose coordinator or peer died, from a thread of its
  own, without running any Python first. The last checkpoint is unchanged.
  """

  def leave_now(_: int) -> None:
    os.write(sys.stderr.fileno(), f"{PEER_GONE}\n".encode())
    os._exit(code)

  handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(leave_now)
  _KEPT.append(handler)
  ctypes.CDLL(None).signal(signal.SIGABRT, handler)


def peer_is_gone(error: BaseException) -> bool:
  """Whether an error of a process of a job means that another one is gone."""
  if not jax.distributed.is_initialized():
    return False
  causes: list[BaseException] = []
  cause: BaseException | None = error
  while cause is not None:
    causes.append(cause)
    cause = cause.__cause__
  return any(_LOST.search(str(cause)) for cause in causes)


def leave(code: int) -> None:
  """Ends a process of a job without waiting for the others, who may hang.

  Elsewhere it does nothing.
  """
  if jax.distributed.is_initialized():
    sys.stderr.flush()
    os._exit(code)
