"""Signals ask for a stop; processes of a job agree on it."""

import contextlib
import os
import signal
import threading

import numpy as np
import pytest

from adplg_jax.run import preemption
from adplg_jax.run.preemption import AGREE_EVERY, Preemption
from tests.jobs import LONG, finish, logged, start_job, steps_done
from tests.runs import wait_for


@pytest.fixture
def opened():
  """A pre-emption with something unsaved: a signal does not end the tests."""
  with contextlib.closing(Preemption()) as listening:
    listening.unsaved = True
    yield listening


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_by_itself_asks_nobody(opened, number, monkeypatch):
  monkeypatch.setattr(preemption.multihost_utils, "process_allgather", None)
  assert not any(opened.agreed(step) for step in range(AGREE_EVERY + 1))
  os.kill(os.getpid(), number)
  wait_for(opened.asked, seconds=10, pause=0.01)
  assert all(opened.agreed(step) for step in range(AGREE_EVERY + 1))


@pytest.mark.parametrize(("unsaved", "signals"), [(True, 2), (False, 1)])
def test_a_process_is_ended_where_saving_is_of_no_use(
  opened, monkeypatch, unsaved, signals
):
  """When nothing is unsaved, or when it is asked again."""
  codes = []
  monkeypatch.setattr(preemption.os, "_exit", codes.append)
  opened.unsaved = unsaved
  for _ in range(signals):
    assert codes == []
    os.kill(os.getpid(), signal.SIGTERM)
    wait_for(opened.asked, seconds=10, pause=0.01)
  wait_for(lambda: codes, seconds=10, pause=0.01)
  assert codes == [preemption.EXIT_CODE]


class Job:
  """Stands in for the other process of a job of two."""

  def __init__(self, monkeypatch):
    self.asked = False
    self.exchanged = []
    monkeypatch.setattr(preemption.jax, "process_count", lambda: 2)
    monkeypatch.setattr(
      preemption.multihost_utils, "process_allgather", self.allgather
    )

  def allgather(self, mine):
    self.exchanged.append(bool(mine))
    return np.stack([mine, np.array(self.asked)])


def test_processes_exchange_at_every_so_many_steps_only(opened, monkeypatch):
  job = Job(monkeypatch)
  steps = [step for step in range(3 * AGREE_EVERY) if opened.agreed(step)]
  assert steps == []
  assert len(job.exchanged) == 3
  job.asked = True
  steps = [step for step in range(3 * AGREE_EVERY) if opened.agreed(step)]
  assert steps == [0, AGREE_EVERY, 2 * AGREE_EVERY]


def test_one_that_was_asked_tells_the_others_at_the_next_exchange(
  opened, monkeypatch
):
  job = Job(monkeypatch)
  os.kill(os.getpid(), signal.SIGTERM)
  wait_for(opened.asked, seconds=10, pause=0.01)
  assert not opened.agreed(AGREE_EVERY - 1)
  assert job.exchanged == []
  assert opened.agreed(AGREE_EVERY)
  assert job.exchanged == [True]


def test_handlers_and_mask_are_given_back():
  numbers = (signal.SIGTERM, signal.SIGINT)
  threads = threading.active_count()
  before = [signal.getsignal(number) for number in numbers]
  with contextlib.closing(Preemption()):
    assert set(numbers) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
  assert [signal.getsignal(number) for number in numbers] == before
  assert not set(numbers) & signal.pthread_sigmask(signal.SIG_BLOCK, ())
  assert threading.active_count() == threads


@pytest.mark.slow
@pytest.mark.parametrize("asked", [(0,), (1,), (0, 1)])
def test_all_processes_leave_at_the_same_step(data_dir, tmp_path, asked):
  """Whichever is asked to."""
  job = start_job(tmp_path, data_dir, flags=LONG)
  # In a state that is not saved: elsewhere a signal ends a process at once.
  wait_for(lambda: steps_done(tmp_path) % 10 > 3 and steps_done(tmp_path) > 12)
  for index in asked:
    job[index].send_signal(signal.SIGTERM)
  for process in job:
    finish(process, code=42)
  saved = [int(p.name) for p in (tmp_path / "checkpoints").glob("[0-9]*[0-9]")]
  assert max(saved) == logged(tmp_path)[-1][0]
