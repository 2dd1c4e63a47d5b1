"""Preparation as one indivisible act: a data set is there whole or not at all.

All is written below a staging folder beside the data set's place and renamed at
the end. A lock, which the system drops with the process that held it, tells a
dead preparation's staging folder from one at work.
"""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from absl import logging

from adplg_jax.data.builders.base import WsvadBuilder, WsvadConfig
from adplg_jax.data.findings import PreparationError
from adplg_jax.data.store import VERSION


class Prepared(NamedTuple):
  """A data set that is there now.

  Attributes:
    path: Its folder.
    summary: Lines on what was found in its files.
  """

  path: Path
  summary: list[str]


def prepare(
  builder: type[WsvadBuilder],
  config: WsvadConfig,
  root: Path,
  *,
  overwrite: bool = False,
  exist_ok: bool = False,
) -> Prepared:
  """Prepares a data set.

  Args:
    builder: Its builder.
    config: What the builder is told.
    root: Root of the data sets.
    overwrite: Replace the data set if it is there; the old one stays until
      the new one is whole.
    exist_ok: Take the data set if it is there, and wait for it while another
      process prepares it.

  Returns:
    The data set's folder, and what was found.

  Raises:
    PreparationError: It is there already, is being prepared by another
      process, or its files have faults.
  """
  target = root / builder.name / config.name / VERSION
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
      summary = _write(builder, config, staging)
      if target.exists():
        target.rename(staging / "replaced")
      (staging / builder.name / config.name / VERSION).rename(target)
    finally:
      shutil.rmtree(staging, ignore_errors=True)
  return Prepared(target, summary)


def _write(
  builder: type[WsvadBuilder], config: WsvadConfig, staging: Path
) -> list[str]:
  verbosity = logging.get_verbosity()
  # tfds warns that the configuration is none of its own, announces a
  # download, and prints the staging folder's name.
  logging.set_verbosity(logging.ERROR)
  try:
    with contextlib.redirect_stdout(None):
      made = builder(
        data_dir=staging, config=config, file_format="array_record"
      )
      made.download_and_prepare()
  finally:
    logging.set_verbosity(verbosity)
  return list(made.summary)


@contextlib.contextmanager
def _lock(target: Path, *, wait: bool) -> Iterator[None]:
  """Holds a data set's lock.

  Raises:
    PreparationError: Another process holds it.
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
