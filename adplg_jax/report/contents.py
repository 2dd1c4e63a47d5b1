"""What the page of a report shows, as JSON has it; all of bounded size."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from adplg_jax.data.frames import mask_to_spans
from adplg_jax.report import thinning
from adplg_jax.report.label_memory import read_labels
from adplg_jax.report.operating import (
  histograms,
  misranked,
  operating_points,
)
from adplg_jax.report.run_files import RunFiles, read_files, read_json
from adplg_jax.run.checkpoint import Checkpointer, CheckpointError
from adplg_jax.run.config import flatten
from adplg_jax.run.workdir import read_config, seed_folders
from adplg_jax.scoring.metrics import roc_area
from adplg_jax.scoring.results import TITLES, scalars

# Shared by all runs of a page, so that it stays below 15 MB.
_TIMELINE_POINTS = 300_000
_TIMELINE_SHORTEST, _TIMELINE_LONGEST = 30, 500
_HEAT_MAP_BYTES = 2_000_000
_STEPS = 1000
_DIGITS = 5


class Run(NamedTuple):
  """A run of one seed.

  Attributes:
    name: As the page calls it.
    folder: Its folder.
    config: Its configuration.
  """

  name: str
  folder: Path
  config: Any


def find_runs(workdirs: Sequence[str | Path]) -> list[Run]:
  """The runs of folders, one for each seed.

  Raises:
    ValueError: A folder is named twice.
    WorkdirError: A folder is not a run's.
  """
  paths = [Path(workdir) for workdir in workdirs]
  places = [path.resolve() for path in paths]
  for place, path in zip(places, paths, strict=True):
    if places.count(place) > 1:
      raise ValueError(
        f"--workdir {path} is named {places.count(place)} times; name each "
        "run once."
      )
  short = [place.name for place in places]
  runs = []
  for path, place in zip(paths, places, strict=True):
    config = read_config(path)
    name = place.name if short.count(place.name) == 1 else str(path)
    for folder in seed_folders(path, config).values():
      own = name if config.seeds == 1 else f"{name}/{folder.name}"
      runs.append(Run(own, folder, read_config(folder)))
  return runs


def find_seeds(workdirs: Sequence[str | Path]) -> list[dict[str, Any]]:
  """Means and deviations of runs of several seeds that have ended.

  Raises:
    ValueError: A file is damaged.
  """
  found = []
  for workdir in map(Path, workdirs):
    for name in ("results", "evaluation"):
      file = workdir / name / "seeds.json"
      if file.is_file():
        found.append({"name": workdir.resolve().name, **read_json(file)})
        break
  return found


def contents(runs: Sequence[Run]) -> dict[str, Any]:
  """Everything that a page of runs shows.

  Raises:
    ValueError: A file of a run is damaged.
  """
  files = {run.name: read_files(run.folder) for run in runs}
  videos = sum(len(own.scores["names"]) for own in files.values() if own.scores)
  most = _TIMELINE_POINTS // max(videos, 1)
  most = int(np.clip(most, _TIMELINE_SHORTEST, _TIMELINE_LONGEST))
  room = _HEAT_MAP_BYTES // len(runs)
  return {
    "titles": TITLES,
    "runs": [_run(run, files[run.name], most, room) for run in runs],
  }


def _run(run: Run, files: RunFiles, most: int, room: int) -> dict[str, Any]:
  scored = {} if files.scores is None else _scored(files, most)
  return {
    "name": run.name,
    "folder": str(run.folder),
    "training": _series(files.steps),
    "evaluations": [
      {k: v for k, v in line.items() if not isinstance(v, (dict, str))}
      for line in files.evaluations
    ],
    "metrics": {
      which: {"step": found["step"], **scalars(found)}
      for which, found in files.results.items()
    },
    "categories": files.results.get("selected", {}).get("categories", {}),
    "undefined": files.results.get("selected", {}).get("undefined", {}),
    "chosen_by": files.selection.get("chosen_by", ""),
    **scored,
    **_from_checkpoints(run, files, room),
    "config": {k: _text(v) for k, v in flatten(run.config.to_dict()).items()},
    "data": {k: _text(v) for k, v in files.data.items()},
  }


def _text(value: Any) -> str:
  text = str(list(value) if isinstance(value, tuple) else value)
  return text if len(text) <= 300 else text[:299] + "…"


def _series(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  """Every metric over steps, by name, in at most so many points."""
  names = sorted({name for line in lines for name in line} - {"step", "time"})
  steps = np.array([line["step"] for line in lines])
  if len(steps) > _STEPS:
    # The last of each block that is averaged.
    ends = np.linspace(0, len(steps), _STEPS + 1).astype(int)[1:] - 1
    steps = steps[ends]
  columns = {
    name: _rounded(
      thinning.block_means(
        np.array([line.get(name, np.nan) for line in lines], float), _STEPS
      )
    )
    for name in names
  }
  return {"step": steps.tolist(), "lines": len(lines), "metrics": columns}


def _rounded(values: np.ndarray) -> list[float | None]:
  """To so many significant digits; None for NaN."""
  return [
    float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    for value in np.asarray(values, float)
  ]


def _scored(files: RunFiles, most: int) -> dict[str, Any]:
  """Curves, histograms and timelines of the selected checkpoint."""
  arrays: Any = files.scores
  borders = np.cumsum(arrays["frames"])[:-1]
  scores = np.split(arrays["scores"], borders)
  truths = np.split(arrays["truth"], borders)
  if arrays["has_truth"].all():
    what, truth, score = "frames", arrays["truth"], arrays["scores"]
  else:
    what, truth = "videos", arrays["labels"]
    score = np.array([own.max() for own in scores])
  both = 0 < truth.sum() < len(truth)
  points = operating_points(truth, score) if both else None
  errors: Any = [None] * len(scores)
  if both and what == "frames":
    errors = np.split(misranked(truth, score), borders)
  return {
    "judged": what,
    "share": float(np.mean(truth)),
    "best_f1": files.results["selected"]["best_f1"],
    "points": points
    and {name: _rounded(values) for name, values in points.items()},
    "histograms": {
      name: values if values is None else _rounded(np.asarray(values))
      for name, values in histograms(truth, score).items()
    },
    "videos": [
      _video(arrays, place, scores[place], truths[place], most)
      | {"error": None if own is None else float(own.mean())}
      for place, own in enumerate(errors)
    ],
  }


def _video(
  arrays: Mapping[str, np.ndarray],
  place: int,
  scores: np.ndarray,
  truth: np.ndarray,
  most: int,
) -> dict[str, Any]:
  """A video's timeline, and numbers to sort it by."""
  known = bool(arrays["has_truth"][place])
  inside = truth.astype(bool)
  found = thinning.envelope(scores, most)
  mixed = known and 0 < inside.sum() < len(inside)
  return {
    "name": str(arrays["names"][place]),
    "category": str(arrays["categories"][place]),
    "label": int(arrays["labels"][place]),
    "frames": len(scores),
    "spans": mask_to_spans(truth) if known else None,
    "share": float(inside.mean()) if known else None,
    "peak": float(scores.max()),
    "mean": float(scores.mean()),
    "auc": roc_area(truth, scores) if mixed else None,
    "edges": found.edges.tolist(),
    "low": np.round(1000 * found.low).astype(int).tolist(),
    "high": np.round(1000 * found.high).astype(int).tolist(),
  }


def _from_checkpoints(run: Run, files: RunFiles, room: int) -> dict[str, Any]:
  """Library versions and the memory of labels, where they can be read."""
  versions: dict[str, str] = {}
  labels: dict[str, Any] = {"steps": [], "keys": [], "left_out": 0}
  folder = run.folder / "checkpoints"
  if not folder.is_dir():
    return {"versions": versions, "labels": labels}
  try:
    with contextlib.closing(Checkpointer(folder, read_only=True)) as found:
      if found.steps():
        versions = found.meta(found.steps()[-1]).get("versions", {})
    labels = read_labels(
      run.folder,
      run.config,
      fingerprint=str(files.data.get("fingerprint")),
      room=room,
    )
  except CheckpointError as error:
    logging.warning("%s The report lacks what is in it.", error)
  return {"versions": versions, "labels": labels}
