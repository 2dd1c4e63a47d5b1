"""Sweeps whose runs are made, not trained."""

import json

from adplg_jax.configs.ablations import find_rows
from adplg_jax.run.workdir import configs_by_seed, seed_folders
from adplg_jax.sweep.plan import plan
from tests.runs import tiny


def made_plan(out, rows="no_denoising", seeds=(0, 1), most=0, **changes):
  """The runs of a sweep over the full method and others."""
  config = tiny(changes.pop("data_dir", "data"), **changes)
  return plan(config, find_rows(rows), seeds, out, most)


def finish(task, *, step=8, **metrics):
  """Leaves a run's folder as training does; metrics are those of each seed."""
  configs = configs_by_seed(task.config)
  for seed, folder in seed_folders(task.folder, task.config).items():
    for which in ("last", "selected"):
      own = folder / "results" / which
      own.mkdir(parents=True)
      values = {
        name.removeprefix(f"{which}_"): value[seed]
        for name, value in metrics.items()
        if name.startswith(which)
      }
      found = {"frame_auc": 0.5, "frame_ap": 0.25, **values, "step": step}
      (own / "metrics.json").write_text(json.dumps(found))
    (folder / "config.json").write_text(json.dumps(configs[seed].to_dict()))
    selection = {"last_step": step}
    (folder / "results" / "selection.json").write_text(json.dumps(selection))
  if task.config.seeds > 1:
    (task.folder / "results").mkdir()
    (task.folder / "results" / "seeds.json").write_text("{}")
