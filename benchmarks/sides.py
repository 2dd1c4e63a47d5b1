"""Two sides measured fairly: a process of its own each, taking turns.

In one process the sides disturb each other: threads of one spin on while the
other works, and each gets memory that the other gave back. A side is a command
that answers each line on its standard input by a line of JSON; `serve` is its
loop.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

# Threads of a side spin for a while after its work.
PAUSE_SECONDS = 0.3


class Timing(NamedTuple):
  """What a side took.

  Attributes:
    seconds: Of each round.
    facts: What the side said of itself.
  """

  seconds: list[float]
  facts: dict[str, Any]

  @property
  def median(self) -> float:
    """Median of the rounds [s]."""
    return statistics.median(self.seconds)

  def row(self, name: str, base: "Timing") -> str:
    """A line of a table: median, range, ratio to another side."""
    low, high = min(self.seconds), max(self.seconds)
    return (
      f"{name:28}{self.median:9.4f} s{low:10.4f} to {high:.4f}"
      f"{self.median / base.median:8.3f} x"
    )


def serve(work: Callable[[], None], **facts: Any) -> None:
  """A side's loop: does the work once for each line, and says how long it took.

  Args:
    work: Does it, and waits for it.
    **facts: Said once, before the first round.
  """
  print(json.dumps(facts), flush=True)
  for _ in sys.stdin:
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "memory": peak_bytes()}), flush=True)


def peak_bytes() -> int:
  """Largest resident size of this process so far."""
  import resource

  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def take_turns(
  sides: Mapping[str, Sequence[str]], *, rounds: int, warm_up: int = 2
) -> dict[str, Timing]:
  """Measures sides in turn.

  Args:
    sides: Commands by name, as arguments of `python -m`.
    rounds: Measured rounds.
    warm_up: Rounds before, not measured.

  Returns:
    What each took.

  Raises:
    RuntimeError: A side ended.
  """
  seconds: dict[str, list[float]] = {name: [] for name in sides}
  facts: dict[str, dict[str, Any]] = {}
  with contextlib.ExitStack() as stack:
    processes = {}
    for name, command in sides.items():
      processes[name] = stack.enter_context(_started(command))
      facts[name] = _answer(name, processes[name])
    for number in range(warm_up + rounds):
      for name, process in processes.items():
        process.stdin.write("\n")
        process.stdin.flush()
        answer = _answer(name, process)
        facts[name]["memory"] = answer["memory"]
        if number >= warm_up:
          seconds[name].append(answer["seconds"])
        time.sleep(PAUSE_SECONDS)
  return {name: Timing(seconds[name], facts[name]) for name in sides}


@contextlib.contextmanager
def _started(command: Sequence[str]) -> Iterator[Any]:
  process = subprocess.Popen(
    [sys.executable, "-m", *command],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )
  try:
    yield process
  finally:
    process.kill()
    process.wait()


def _answer(name: str, process: Any) -> dict[str, Any]:
  line = process.stdout.readline()
  if not line:
    raise RuntimeError(f"{name} ended with status {process.wait()}.")
  return json.loads(line)
