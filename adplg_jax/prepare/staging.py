"""Atomic preparation: a data set exists completely or not at all.

Everything is written below a staging folder next to the final one and renamed
at the end. A lock, which the system releases when its process ends, shows
whether a staging folder is in use or of a dead preparation.
"""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from adplg_jax.data.store import VERSION, config_name
from adplg_jax.prepare import checking, writing
from adplg_jax.prepare.findings import PreparationError
from adplg_jax.prepare.source import Options, Source


class Prepared(NamedTuple):
  """A prepared data set.

  Attributes:
    path: Its folder.
    summary: Lines on what was found in its files.
  """

  path: Path
  summary: list[str]


def prepare(
  source: Source,
  options: Options,
  root: Path,
  *,
  overwrite: bool = False,
  exist_ok: bool = False,
) -> Prepared:
  """Prepares a data set.

  Args:
    source: Which.
    options: What it is given.
    root: Root of the data sets.
    overwrite: Replace the data set if it exists; the old one stays until
      the new one is complete.
    exist_ok: Use the data set if it exists, and wait for it while another
      process prepares it.

  Returns:
    The data set's folder, and what was found.

  Raises:
    PreparationError: It exists already, is being prepared by another
      process, or its files have errors.
  """
  name = config_name(options.variant, options.num_segments)
  target = root / source.name / name / VERSION
  with _lock(target, wait=exist_ok):
    if exist_ok and target.exists():
      return Prepared(target, [])
    staging = target.parent / "incomplete"
    shutil.rmtree(staging, ignore_errors=True)
    if target.exists() and not overwrite:
      raise PreparationError(
        f"{target} is prepared already; --overwrite replaces it."
      )
    try:
      collection = source.collect(options)
      checked = checking.check(collection, options)
      staging.mkdir()
      writing.write(checked, collection, options, source.name, staging)
      made = staging / source.name / name / VERSION
      if collection.manifest:
        (made / "manifest.csv").write_text(collection.manifest, "utf-8")
      if target.exists():
        target.rename(staging / "replaced")
      made.rename(target)
    finally:
      shutil.rmtree(staging, ignore_errors=True)
  return Prepared(target, checked.summary)


@contextlib.contextmanager
def _lock(target: Path, *, wait: bool) -> Iterator[None]:
  """Holds a data set's lock.

  Raises:
    PreparationError: Another process has it.
  """
  target.parent.mkdir(parents=True, exist_ok=True)
  path = target.parent / ".lock"
  with path.open("w") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
      raise PreparationError(
        f"{target} is being prepared by another process; wait for it."
      ) from error
    yield
