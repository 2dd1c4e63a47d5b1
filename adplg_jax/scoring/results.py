"""The results of scoring a test split: last and selected checkpoint, files."""

import io
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adplg_jax.run.checkpoint import Selection
from adplg_jax.run.files import write_atomically, write_json
from adplg_jax.scoring.metrics import VideoScore, frame_truth

# Metrics of a whole split, with their titles in tables.
TITLES = {
  "frame_auc": "frame AUC",
  "frame_ap": "frame AP, trapezoid",
  "frame_ap_step": "frame AP, step-wise",
  "anomalous_auc": "frame AUC, anomalous videos",
  "anomalous_ap": "frame AP, anomalous videos",
  "anomalous_ap_step": "  step-wise",
  "video_auc": "video AUC",
  "false_alarm_rate": "false alarm rate at 0.5",
  "best_f1/f1": "best F1",
  "best_f1/threshold": "  its threshold",
  "best_f1/precision": "  its precision",
  "best_f1/recall": "  its recall",
}


class Scored(NamedTuple):
  """A scored test split.

  Attributes:
    step: Of the parameters.
    videos: Scores and truth of every video.
    results: Metrics.
  """

  step: int
  videos: list[VideoScore]
  results: dict[str, Any]


class Outcome(NamedTuple):
  """A run's last checkpoint and the selected one, scored.

  Attributes:
    last: The last one.
    selected: The best by the selection metric.
    selection: That metric's value, and its name and split in words; None where
      none was chosen.
  """

  last: Scored
  selected: Scored
  selection: Selection | None = None

  @property
  def chosen_by(self) -> str:
    """The selection metric and its split; "" where none was chosen."""
    return self.selection.chosen_by if self.selection else ""


def selection_metric(config: Any, results: Mapping[str, Any]) -> str:
  """The metric that a run's checkpoints are chosen by.

  Args:
    config: The run's configuration.
    results: Metrics of a scored split.

  Returns:
    config.selection.metric; video_auc on validation videos, which have no frame
    labels, and on a test split without them.
  """
  metric = config.selection.metric
  if metric == "frame_ap" and config.switches.average_precision == "step":
    metric = "frame_ap_step"
  known = config.selection.split == "test" and results[metric] is not None
  return metric if known else "video_auc"


def scalars(results: dict[str, Any]) -> dict[str, float | None]:
  """The metrics of the whole split, one number each."""
  found = {}
  for name in TITLES:
    outer, _, inner = name.partition("/")
    value = results[outer]
    found[name] = value[inner] if inner and value is not None else value
  return found


def differences(outcome: Outcome) -> dict[str, float | None]:
  """Selected - last of every metric of the whole split."""
  last, selected = (
    scalars(s.results) for s in (outcome.last, outcome.selected)
  )
  return {
    name: None if value is None or old is None else value - old
    for (name, value), old in zip(selected.items(), last.values(), strict=True)
  }


def over_seeds(
  outcomes: Mapping[int, Outcome], which: str
) -> dict[str, dict[str, Any]]:
  """Mean and deviation over seeds of every metric of the whole split.

  Args:
    outcomes: Of each seed.
    which: "last" or "selected".

  Returns:
    {metric: {"mean", "deviation" (n - 1), "lowest", "highest", "values"}}; all
    but the values are None where a seed's is not defined, the deviation of one
    seed, too.
  """
  columns = [scalars(getattr(o, which).results) for o in outcomes.values()]
  found = {}
  for name in TITLES:
    values = [column[name] for column in columns]
    known = [value for value in values if value is not None]
    whole = len(known) == len(values)
    found[name] = {
      "mean": statistics.mean(known) if whole else None,
      "deviation": statistics.stdev(known) if whole and known[1:] else None,
      "lowest": min(known) if whole else None,
      "highest": max(known) if whole else None,
      "values": values,
    }
  return found


def best_seed(outcomes: Mapping[int, Outcome]) -> int | None:
  """The seed whose selected checkpoint is best by the metric it was chosen by.

  The first among equals; None where nothing was chosen.
  """
  values = {
    seed: outcome.selection.value
    for seed, outcome in outcomes.items()
    if outcome.selection
  }
  return max(values, key=lambda seed: (values[seed], -seed), default=None)


def write_seeds(folder: str | Path, outcomes: Mapping[int, Outcome]) -> None:
  """Writes seeds.json: every metric over the seeds, and the best seed.

  Args:
    folder: Where; made if missing.
    outcomes: Of each seed.
  """
  first = next(iter(outcomes.values()))
  write_json(
    Path(folder) / "seeds.json",
    {
      "seeds": list(outcomes),
      "chosen_by": first.chosen_by,
      "best_seed": best_seed(outcomes),
      "last": over_seeds(outcomes, "last"),
      "selected": over_seeds(outcomes, "selected"),
    },
  )


def write_outcome(folder: str | Path, outcome: Outcome) -> None:
  """Writes `last/` and `selected/`, and their difference in selection.json.

  Args:
    folder: Where; made if missing.
    outcome: Both checkpoints, scored.
  """
  folder = Path(folder)
  for name in ("last", "selected"):
    write_results(folder / name, getattr(outcome, name))
  selection = {
    "chosen_by": outcome.chosen_by,
    "selected_step": outcome.selected.step,
    "last_step": outcome.last.step,
    "selected_minus_last": differences(outcome),
  }
  write_json(folder / "selection.json", selection)


def write_results(folder: str | Path, scored: Scored) -> None:
  """Writes metrics.json and scores.npz.

  scores.npz: `names`, `categories`, `labels`, `has_truth`, `frames` [videos],
  and, one video after the other, `scores` and `truth` [all frames] (truth is 0
  where has_truth is false); docs/results.md has the types. No pickle in it.

  Args:
    folder: Where; made if missing.
    scored: What is written.
  """
  folder, videos = Path(folder), scored.videos
  write_json(folder / "metrics.json", {"step": scored.step, **scored.results})
  known = [frame_truth(video) for video in videos]
  truths = [
    np.zeros(len(video.scores), np.uint8) if truth is None else truth
    for video, truth in zip(videos, known, strict=True)
  ]
  buffer = io.BytesIO()
  np.savez_compressed(
    buffer,
    names=np.array([video.name for video in videos]),
    categories=np.array([video.category for video in videos]),
    labels=np.array([video.label for video in videos]),
    has_truth=np.array([truth is not None for truth in known]),
    frames=np.array([len(video.scores) for video in videos]),
    scores=np.concatenate([video.scores for video in videos]),
    truth=np.concatenate(truths).astype(np.uint8),
  )
  write_atomically(folder / "scores.npz", buffer.getvalue())
