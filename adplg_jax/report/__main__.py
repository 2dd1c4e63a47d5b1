"""Writes one HTML page of what a run, or several, learned and scored.

  python -m adplg_jax.report --workdir=RUN [--workdir=RUN2 ...] [--out=FILE]

Curves, timelines of all test videos, pseudo-labels over training and the
configuration, side by side for several runs; the seeds of one are runs, too.
The page needs no network. docs/report.md has the rest.
"""

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from adplg_jax.run.allocator import keep_memory


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.report",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  parser.add_argument(
    "--workdir",
    required=True,
    action="append",
    metavar="RUN",
    help="folder of a run; may be given several times",
  )
  parser.add_argument(
    "--out", metavar="FILE", help="the page [report.html in the first RUN]"
  )
  arguments = parser.parse_args(argv)
  keep_memory()
  # Here: the help is shown without the seconds that it takes to import JAX.
  from adplg_jax.run.workdir import WorkdirError

  try:
    path = write(arguments.workdir, arguments.out)
  except (WorkdirError, OSError, ValueError) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1
  print(f"{path} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser.")
  return 0


def write(
  workdirs: Sequence[str | Path], out: str | Path | None = None
) -> Path:
  """Writes the page of one or several runs.

  Args:
    workdirs: Their folders.
    out: The page; by default report.html in the first of them.

  Returns:
    Where it is.

  Raises:
    OSError: It cannot be written.
    ValueError: A run's file is damaged, or plotly is not installed.
    WorkdirError: A folder is not a run's.
  """
  import adplg_jax
  from adplg_jax.report.contents import contents, find_runs, find_seeds
  from adplg_jax.report.page import render
  from adplg_jax.run.files import write_atomically

  runs = find_runs(workdirs)
  names = ", ".join(Path(workdir).resolve().name for workdir in workdirs)
  now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
  count = "" if len(runs) == 1 else f"{len(runs)} runs · "
  about = {
    "about": f"{count}adplg_jax {adplg_jax.__version__} · {now}",
    "seeds": find_seeds(workdirs),
  }
  page = render(f"Report: {names}", about | contents(runs))
  path = Path(out) if out else Path(workdirs[0]) / "report.html"
  write_atomically(path, page)
  return path


if __name__ == "__main__":
  sys.exit(main())
