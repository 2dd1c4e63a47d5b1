"""Puts faults into a copy of the project, and shows that the tests fail.

  python -m tests.mutants [--only NAME ...] [--list]

The faults are those of `tests/faults.py`. Mutmut and cosmic-ray generate
mutants by rewriting operators and constants, thousands for this package at
seconds each, and take no list of faults that people make in such code (one seed
for two streams, a mask of the other class): hence a list of our own.

Exit status: 0 when every fault was noticed, 1 when one survived, 2 when that
could not be judged.
"""

import argparse
import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from tests.faults import FAULTS, Fault

ROOT = Path(__file__).parent.parent
# Runs at a time: a process of JAX keeps about one core busy.
JOBS = 2
# The Makefile's, too.
FAST_COMPILATION = (
  "--xla_backend_optimization_level=0 "
  "--xla_cpu_parallel_codegen_split_count=1 "
  "--xla_cpu_use_fusion_emitters=false"
)
# Seconds for the tests of one fault, and for those of all without a fault.
TIMEOUT, UNCHANGED_TIMEOUT = 300, 1200

KILLED, SURVIVED, ERROR = "killed", "SURVIVED", "ERROR"


class MutantError(Exception):
  """Faults that cannot be applied, or tests that fail without any."""


class Run(NamedTuple):
  """A run of pytest.

  Attributes:
    status: Its exit status; None when it took too long.
    failed: The first test that failed, "" for none.
    output: What it printed.
  """

  status: int | None
  failed: str
  output: str


class Verdict(NamedTuple):
  """What the tests made of a fault.

  Attributes:
    fault: The fault.
    result: KILLED, SURVIVED, or ERROR where pytest could not run.
    seconds: How long the tests ran.
    reason: The test that failed; for an error, what happened.
  """

  fault: Fault
  result: str
  seconds: float
  reason: str


def apply(fault: Fault, source: str) -> str:
  """The source of a file with a fault in it.

  Raises:
    MutantError: The text to replace does not occur exactly once.
  """
  count = source.count(fault.text)
  if count != 1:
    raise MutantError(
      f"{fault.name}: its text occurs {count} times in {fault.file}; it must "
      "occur exactly once. Correct it in tests/faults.py."
    )
  return source.replace(fault.text, fault.replacement)


def copy_project(root: Path, to: Path) -> None:
  """Copies what git tracks or would track, links as links."""
  listed = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd=root,
    capture_output=True,
    text=True,
    check=True,
  ).stdout
  for name in sorted(set(filter(None, listed.split("\0")))):
    source = root / name
    # Files that are deleted, but not in the index yet, are listed too.
    if source.is_symlink() or source.exists():
      (to / name).parent.mkdir(parents=True, exist_ok=True)
      shutil.copy2(source, to / name, follow_symlinks=False)


def run_tests(
  project: Path, targets: Sequence[str], *, cache: Path, timeout: float
) -> Run:
  """Runs tests of a copy up to the first that fails.

  Args:
    project: The copy.
    targets: Files or tests, as pytest names them.
    cache: Folder of JAX's compilation cache, shared by all runs.
    timeout: Seconds.

  Returns:
    What happened.
  """
  flags = os.environ.get("XLA_FLAGS", "")
  environment = {
    **os.environ,
    "JAX_COMPILATION_CACHE_DIR": str(cache),
    # Bytecode is told apart by the source's size and second, which a mutant
    # may share with the one before.
    "PYTHONDONTWRITEBYTECODE": "1",
    # As in `make test`: compilation takes most of the time.
    "XLA_FLAGS": f"{flags} {FAST_COMPILATION}".strip(),
  }
  options = ["-x", "-q", "-rfE", "-m", "not slow", "-p", "no:cacheprovider"]
  with subprocess.Popen(
    [sys.executable, "-m", "pytest", *options, *targets],
    cwd=project,
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    start_new_session=True,
  ) as process:
    try:
      output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
      return Run(None, "", f"took more than {timeout} s")
    finally:
      # The session: processes that tests started, too.
      with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
  # A file that cannot be collected has no "::".
  failed = re.search(
    r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - .*)?$", output, re.MULTILINE
  )
  return Run(process.returncode, failed[1] if failed else "", output)


def judge(fault: Fault, project: Path, cache: Path) -> Verdict:
  """Runs a fault's tests in a copy that has it, and takes it out again."""
  file = project / fault.file
  source = file.read_text("utf-8")
  start = time.monotonic()
  try:
    file.write_text(apply(fault, source), "utf-8")
    run = run_tests(project, fault.targets, cache=cache, timeout=TIMEOUT)
  finally:
    file.write_text(source, "utf-8")
  seconds = time.monotonic() - start
  if run.status == 0:
    return Verdict(fault, SURVIVED, seconds, ", ".join(fault.targets))
  if run.status == 1 and run.failed:
    return Verdict(fault, KILLED, seconds, run.failed)
  what = run.output.strip().splitlines()[-1:] or ["no output"]
  return Verdict(fault, ERROR, seconds, f"exit status {run.status}: {what[0]}")


def check(faults: Sequence[Fault], root: Path) -> None:
  """Refuses a list whose faults cannot all be applied.

  Raises:
    MutantError: Saying which, and why.
  """
  names = [fault.name for fault in faults]
  twice = sorted({name for name in names if names.count(name) > 1})
  if twice:
    raise MutantError(f"Names of more than one fault: {', '.join(twice)}.")
  for fault in faults:
    source = root / fault.file
    if not source.is_file():
      raise MutantError(f"{fault.name}: there is no file {fault.file}.")
    apply(fault, source.read_text("utf-8"))


def judge_all(faults: Sequence[Fault], root: Path) -> Iterator[Verdict]:
  """Judges faults in copies of a project, a few at a time.

  Args:
    faults: The faults.
    root: The project, a git work tree; it stays as it is.

  Yields:
    Verdicts, as they come.

  Raises:
    MutantError: A fault cannot be applied, or the tests fail without one.
  """
  check(faults, root)
  with tempfile.TemporaryDirectory(prefix="mutants_") as folder:
    cache = Path(folder, "cache")
    copies = queue.SimpleQueue()
    for number in range(JOBS):
      copy = Path(folder, str(number))
      copy_project(root, copy)
      copies.put(copy)
    targets = dict.fromkeys(t for fault in faults for t in fault.targets)
    run = run_tests(copy, list(targets), cache=cache, timeout=UNCHANGED_TIMEOUT)
    if run.status != 0:
      raise MutantError(
        f"The tests fail without a fault (exit status {run.status}):\n"
        f"{run.output[-4000:]}"
      )

    def judge_one(fault: Fault) -> Verdict:
      project = copies.get()
      try:
        return judge(fault, project, cache)
      finally:
        copies.put(project)

    with ThreadPoolExecutor(JOBS) as pool:
      futures = [pool.submit(judge_one, fault) for fault in faults]
      try:
        for future in as_completed(futures):
          yield future.result()
      finally:
        pool.shutdown(cancel_futures=True)


def table(verdicts: Sequence[Verdict]) -> str:
  """The verdicts as text, one a line."""
  rows = [("fault", "file", "result", "s", "noticed by")]
  rows += [
    (v.fault.name, v.fault.file, v.result, f"{v.seconds:.1f}", v.reason)
    for v in verdicts
  ]
  name, file, result, seconds = (
    max(len(row[i]) for row in rows) for i in range(4)
  )
  return "\n".join(
    f"{a:<{name}}  {b:<{file}}  {c:<{result}}  {d:>{seconds}}  {e}"
    for a, b, c, d, e in rows
  )


def choose(faults: Sequence[Fault], only: Sequence[str]) -> list[Fault]:
  """The faults of these names; all where none is named.

  Raises:
    MutantError: There is none of a name.
  """
  unknown = sorted(set(only) - {fault.name for fault in faults})
  if unknown:
    raise MutantError(
      f"No fault is called {', '.join(unknown)}; --list names them all."
    )
  return [fault for fault in faults if not only or fault.name in only]


def main(
  argv: Sequence[str] | None = None,
  *,
  faults: Sequence[Fault] = FAULTS,
  root: Path = ROOT,
) -> int:
  """The command line; returns its exit status."""
  parser = argparse.ArgumentParser(
    prog="python -m tests.mutants",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    "--only", action="append", default=[], metavar="NAME", help="this fault"
  )
  parser.add_argument("--list", action="store_true", help="only list them")
  arguments = parser.parse_args(argv)
  start = time.monotonic()
  verdicts: list[Verdict] = []
  try:
    chosen = choose(faults, arguments.only)
    if arguments.list:
      print("\n".join(f"{fault.name}  {fault.file}" for fault in chosen))
      return 0
    print("running the tests without a fault", file=sys.stderr, flush=True)
    for verdict in judge_all(chosen, root):
      verdicts.append(verdict)
      print(
        f"{len(verdicts)}/{len(chosen)} {verdict.fault.name}: "
        f"{verdict.result} after {verdict.seconds:.1f} s",
        file=sys.stderr,
        flush=True,
      )
  except MutantError as error:
    print(f"error: {error}", file=sys.stderr)
    return 2
  verdicts.sort(key=lambda verdict: chosen.index(verdict.fault))
  results = [verdict.result for verdict in verdicts]
  print(table(verdicts))
  print(
    f"{len(results)} faults: {results.count(KILLED)} killed, "
    f"{results.count(SURVIVED)} survived, {results.count(ERROR)} not judged; "
    f"{time.monotonic() - start:.0f} s"
  )
  if ERROR in results:
    return 2
  return int(SURVIVED in results)


if __name__ == "__main__":
  sys.exit(main())
