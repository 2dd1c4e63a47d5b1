"""Cost of agreeing on pre-emption, in a job of two processes on this machine.

  python -m benchmarks.agreement [--rounds 200]

Times `Preemption.agreed` at a step where the processes exchange answers, and at
one where they do not.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time

import jax

from adplg_jax.run import preemption

# What each process runs: argv are the coordinator, its index and the rounds.
_PROCESS = """
import json, statistics, sys, time
from adplg_jax.run import job, preemption
job.start(f"{sys.argv[1]},2,{sys.argv[2]}")
agreed = preemption.Preemption().agreed
times = {}
for name, step in (("exchange", 0), ("none", 1)):
  agreed(step)
  times[name] = []
  for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    agreed(step)
    times[name].append(1e3 * (time.perf_counter() - start))
if sys.argv[2] == "0":
  print(json.dumps(times))
"""


def free_port() -> int:
  """A port for the coordinator."""
  with socket.socket() as s:
    s.bind(("localhost", 0))
    return s.getsockname()[1]


def main() -> None:
  """Measures and prints a table."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement")
  parser.add_argument("--rounds", type=int, default=200)
  arguments = parser.parse_args()
  address = f"localhost:{free_port()}"
  processes = [
    subprocess.Popen(
      [sys.executable, "-c", _PROCESS, address, index, str(arguments.rounds)],
      stdout=subprocess.PIPE,
      text=True,
      env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    for index in ("0", "1")
  ]
  outputs = [process.communicate()[0] for process in processes]
  if any(process.returncode for process in processes):
    raise SystemExit("a process failed; its error is above")
  # Gloo prints, too.
  times = json.loads(outputs[0].splitlines()[-1])
  print(
    f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} CPUs "
    f"({platform.machine()}), jax {jax.__version__}, 2 processes, "
    f"{arguments.rounds} rounds"
  )
  for name, what in (
    ("exchange", "a step with an exchange"),
    ("none", f"the {preemption.AGREE_EVERY - 1} steps between"),
  ):
    values = times[name]
    print(
      f"{what}: {statistics.median(values):.4f} ms ({min(values):.4f} to "
      f"{max(values):.4f})"
    )


if __name__ == "__main__":
  main()
