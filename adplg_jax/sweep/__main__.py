"""Trains rows of configurations with several seeds each, and writes a table.

  python -m adplg_jax.sweep --config=ucf_crime:i3d --seeds=0-4 --workdir=DIR
  python -m adplg_jax.sweep --set=pseudo_labels.mean_threshold=0.2,0.25,0.3

Rows are the ablations of configs/ablations.py or values of a field. The same
command skips what is finished and goes on with the rest. DIR/table.csv and
DIR/table.md have mean, deviation and the difference to the full method, seed by
seed (docs/ablations.md). Exit codes: 0 all are finished, 1 some failed, 42
asked to stop and saved.
"""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import logging

from adplg_jax.configs.ablations import FULL, Row, find_rows
from adplg_jax.run.allocator import keep_memory
from adplg_jax.run.config import load_config, split_overrides
from adplg_jax.sweep.plan import (
  Task,
  check_overrides,
  parse_seeds,
  parse_setting,
  part_of,
  plan,
)
from adplg_jax.sweep.runs import is_finished, train
from adplg_jax.sweep.table import (
  as_markdown,
  make_lines,
  read_results,
  write_table,
)

# Of a run that was asked to stop, as `adplg_jax.run.preemption` has it.
_STOPPED = 42
_STOPPED_TEXT = "Stopped; the same command goes on."


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  logging.use_absl_handler()
  logging.set_verbosity(logging.WARNING)
  try:
    with _stopped_between_runs():
      return _run(sys.argv[1:] if argv is None else argv)
  except (OSError, ValueError) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1


@contextlib.contextmanager
def _stopped_between_runs() -> Iterator[None]:
  """SIGTERM and Ctrl-C end the process with the code of a run that is stopped.

  Runs listen for themselves; between them nothing is unsaved.
  """

  def leave(*_: object) -> None:
    print(_STOPPED_TEXT, file=sys.stderr)
    sys.exit(_STOPPED)

  numbers = (signal.SIGTERM, signal.SIGINT)
  before = {number: signal.signal(number, leave) for number in numbers}
  try:
    yield
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.sweep",
    usage="%(prog)s [options] [--config.FIELD=VALUE ...]",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add = parser.add_argument
  add(
    "--config",
    default="synthetic",
    help="configuration file that rows change, as `adplg_jax.main` takes it "
    "[%(default)s]",
  )
  add(
    "--rows",
    metavar="NAMES",
    help=f"all, or names of ablations with commas; {FULL.name} is always among "
    f"them [all; with --set {FULL.name} alone]",
  )
  add(
    "--set",
    action="append",
    default=[],
    metavar="FIELD=V1,V2",
    help="a row for each value; may be given several times",
  )
  add("--seeds", default="0-4", help="such as 0-4 or 0-2,7 [%(default)s]")
  add(
    "--together",
    type=int,
    default=0,
    metavar="N",
    help="seeds of a row that one program trains at once [all]",
  )
  add(
    "--workdir",
    type=Path,
    default=Path("runs/sweep"),
    metavar="DIR",
    help="for all runs and the table [%(default)s]",
  )
  add("--shard", metavar="K/N", help="the K-th of N parts of the runs [all]")
  add("--table-only", action="store_true", help="train nothing")
  return parser


def _run(argv: Sequence[str]) -> int:
  """Trains and writes the table; see `main`."""
  overrides, rest = split_overrides(argv)
  arguments = _parser().parse_args(rest)
  check_overrides(overrides)
  if arguments.together < 0:
    raise ValueError(
      f"--together is {arguments.together}; allowed: 1 or more, 0 for all."
    )
  base = load_config(arguments.config, overrides)
  rows = find_rows(arguments.rows or (FULL.name if arguments.set else "all"))
  for text in arguments.set:
    rows += parse_setting(text, base)
  tasks = plan(
    base,
    rows,
    parse_seeds(arguments.seeds),
    arguments.workdir,
    arguments.together,
  )
  own = part_of(tasks, arguments.shard) if arguments.shard else tasks
  keep_memory()
  failed = [] if arguments.table_only else _train_all(own, rows, tasks)
  if failed is None:
    return _STOPPED
  print(f"\n{_update_table(arguments.workdir, rows, tasks)}")
  print(f"table: {arguments.workdir}/table.csv, {arguments.workdir}/table.md")
  if failed:
    print(f"{len(failed)} of {len(own)} runs failed:", file=sys.stderr)
    for task in failed:
      print(f"  {task.name}: {task.folder}", file=sys.stderr)
  return int(bool(failed))


def _train_all(
  own: Sequence[Task], rows: Sequence[Row], tasks: Sequence[Task]
) -> list[Task] | None:
  """Trains what is not finished, and keeps the table up to date.

  Args:
    own: The runs of this process.
    rows: All rows.
    tasks: All runs.

  Returns:
    The runs that failed; None when asked to stop.
  """
  failed = []
  for number, task in enumerate(own, 1):
    where = f"[{number}/{len(own)}] {task.name}"
    if is_finished(task):
      print(f"{where}: finished before", flush=True)
      continue
    print(f"{where}: {task.folder}", flush=True)
    code = train(task)
    if code == _STOPPED:
      print(_STOPPED_TEXT, file=sys.stderr)
      return None
    if code:
      print(f"{where}: failed (exit code {code})", file=sys.stderr)
      failed.append(task)
    else:
      _update_table(task.folder.parents[1], rows, tasks)
  return failed


def _update_table(
  folder: Path, rows: Sequence[Row], tasks: Sequence[Task]
) -> str:
  """Writes the table of what is finished; returns it, and what is not."""
  finished = [task for task in tasks if is_finished(task)]
  lines = make_lines(rows, read_results(finished))
  write_table(folder, lines)
  return as_markdown(lines) + f"{len(finished)} of {len(tasks)} runs finished"


if __name__ == "__main__":
  sys.exit(main())
