"""SIGTERM and Ctrl-C: save before the next step and leave.

A thread waits for the signals, since Python's handlers do not run during a
compilation. A first signal asks for a stop or, when nothing is unsaved, ends
the process at once; a second one always ends it at once.
"""

import os
import signal
import threading

import jax
import numpy as np
from absl import logging
from jax.experimental import multihost_utils

# The run was asked to stop and lost nothing: start it again to continue.
EXIT_CODE = 42
# In a job of several processes, steps between two exchanges about being asked.
# Each exchange waits for the slowest process and for the step before it
# (docs/scaling.md has its cost).
AGREE_EVERY = 16
_SIGNALS = {signal.SIGTERM, signal.SIGINT}


class Preempted(Exception):  # noqa: N818 - it is a state, not an error
  """The run was asked to stop, and everything is saved."""


class Preemption:
  """Listens for the signals while it is open.

  Attributes:
    unsaved: Whether something would be lost if the process ended now.
  """

  def __init__(self):
    self.unsaved = False
    self._asked = threading.Event()
    self._closed = threading.Event()
    # Threads that already run may receive a signal in spite of the mask.
    self._handlers = {
      number: signal.signal(number, lambda got, _: self._take(got))
      for number in _SIGNALS
    }
    self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    self._thread = threading.Thread(target=self._listen, daemon=True)
    self._thread.start()

  def _listen(self) -> None:
    while not self._closed.is_set():
      got = signal.sigtimedwait(_SIGNALS, 0.2)
      if got is not None:
        self._take(got.si_signo)

  def _take(self, number: int) -> None:
    name = signal.Signals(number).name
    if self._asked.is_set() or not self.unsaved:
      logging.warning("%s: leaving at once.", name)
      logging.flush()
      os._exit(EXIT_CODE)
    logging.warning("%s: saving, then leaving.", name)
    self._asked.set()

  def asked(self) -> bool:
    """Whether this process was asked to stop."""
    return self._asked.is_set()

  def agreed(self, step: int) -> bool:
    """Whether any process of the job was; the same answer in all of them.

    Args:
      step: The number of the step, or of the batch of an evaluation. Processes
        of a job exchange answers at every 16th; at others it is no.
    """
    if jax.process_count() == 1:
      return self.asked()
    if step % AGREE_EVERY:
      return False
    asked = multihost_utils.process_allgather(np.array(self.asked()))
    return bool(np.any(asked))

  def close(self) -> None:
    """Stops listening."""
    self._closed.set()
    self._thread.join()
    for number, handler in self._handlers.items():
      signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
