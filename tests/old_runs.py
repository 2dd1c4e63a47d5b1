"""Runs as they were written before configurations mirrored the models."""

import json
import shutil
from pathlib import Path

from adplg_jax.run import checkpoint

CHOSEN_BY = "frame_auc on the test split"


def old_config(config):
  """A configuration, as JSON has it, in the old layout."""
  config = json.loads(json.dumps(config))
  for branch in ("video", "snippet"):
    fields = config[branch]
    config[branch] = {**fields["model"], **fields["optimizer"]}
  # Fields that came later.
  del config["video"]["cross_attention"]
  del config["pseudo_labels"]["synchronous"]
  config["loss_weights"]["snippet_classification"] = 1.0
  return config


def make_old(run, to, values):
  """A copy of a run with the files of before.

  Args:
    run: The run's folder.
    to: The folder to make.
    values: Selection metrics by step.

  Returns:
    `to`.
  """
  to = Path(shutil.copytree(run, to))
  file = to / "config.json"
  config = old_config(json.loads(file.read_text()))
  file.write_text(json.dumps(config))
  for folder in (to / "checkpoints").iterdir():
    shutil.rmtree(folder / "metrics", ignore_errors=True)
    items = folder / "_CHECKPOINT_METADATA"
    stored = json.loads(items.read_text())
    stored["item_handlers"].pop("metrics", None)
    items.write_text(json.dumps(stored))
    file = folder / "meta" / "metadata"
    meta = json.loads(file.read_text())
    meta = {
      "config": config,
      "data": {"next_index": int(folder.name)},
      "versions": meta["versions"],
      "checksums": meta["checksums"],
    }
    meta["checksum"] = checkpoint._text_checksum(meta)
    file.write_text(json.dumps(meta))
  selection = {
    "chosen_by": CHOSEN_BY,
    "values": {str(step): value for step, value in values.items()},
  }
  (to / "checkpoints" / "selection.json").write_text(json.dumps(selection))
  return to
