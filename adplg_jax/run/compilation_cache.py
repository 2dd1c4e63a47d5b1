"""Compiled programs that are kept, so that a run's first step comes sooner.

JAX's persistent compilation cache, by default in `~/.cache/adplg_jax/xla`
($XDG_CACHE_HOME); $JAX_COMPILATION_CACHE_DIR names another folder, and
JAX_ENABLE_COMPILATION_CACHE=false turns it off. It may be removed at any time.
"""

import hashlib
import os
import platform
from pathlib import Path

import jax
from absl import logging


def keep_programs() -> None:
  """Turns the cache on, unless JAX was told of one.

  A folder that cannot be written is named in a warning, and nothing is kept.
  """
  if jax.config.jax_compilation_cache_dir:  # pyright: ignore
    return
  folder = default_folder()
  try:
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
      raise PermissionError(None, "Permission denied")
  except OSError as error:
    logging.warning(
      "Compiled programs are not kept: %s cannot be written (%s). Name another "
      "folder in $JAX_COMPILATION_CACHE_DIR.",
      folder,
      error.strerror,
    )
    return
  jax.config.update("jax_compilation_cache_dir", str(folder))


def default_folder() -> Path:
  """The cache's folder: one for each kind of processor.

  Programs for a CPU use the instructions that it has, and home folders are
  shared between machines.
  """
  cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
  return Path(cache) / "adplg_jax" / "xla" / _processor()


def _processor() -> str:
  """A name that differs where processors have different instructions."""
  info = Path("/proc/cpuinfo")
  lines = info.read_text().splitlines() if info.exists() else []
  features = {line for line in lines if line.startswith(("flags", "Features"))}
  digest = hashlib.sha256("\n".join(sorted(features)).encode()).hexdigest()
  return f"{platform.machine()}-{digest[:12]}"
