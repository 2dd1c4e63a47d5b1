"""The runs of a sweep: which are finished, and one after the other."""

import traceback

from adplg_jax import main
from adplg_jax.report.run_files import read_json
from adplg_jax.run.workdir import (
  WorkdirError,
  configs_by_seed,
  differences,
  read_config,
  seed_folders,
)
from adplg_jax.sweep.plan import Task


def is_finished(task: Task) -> bool:
  """Whether a run has all its results, and is one of this configuration."""
  configs = configs_by_seed(task.config)
  several = task.config.seeds > 1
  if several and not (task.folder / "results" / "seeds.json").is_file():
    return False
  for seed, folder in seed_folders(task.folder, task.config).items():
    try:
      # The last file that is written of a seed's results.
      done = read_json(folder / "results" / "selection.json")["last_step"]
      there = read_config(folder)
    except (ValueError, KeyError, WorkdirError):
      return False
    if done < task.config.total_steps:
      return False
    if differences(there.to_dict(), configs[seed].to_dict()):
      return False
  return True


def train(task: Task) -> int:
  """Trains a run to its end, from where it was; prints what stopped it.

  Returns:
    The exit code of `adplg_jax.main`; 1 for any error, so that others go on.
  """
  # Here: the sweep's table is written without the seconds that JAX takes.
  import jax

  try:
    return main.run(task.config, str(task.folder))
  except Exception:
    traceback.print_exc()
    return 1
  finally:
    # Programs of one configuration are of no use to the next.
    jax.clear_caches()
