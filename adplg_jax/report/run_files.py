"""The files of a run, read for its report; a damaged one is named."""

import contextlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# Where a run's results are: of its end, or of an evaluation of its checkpoints.
_RESULTS = ("results", "evaluation")


class RunFiles(NamedTuple):
  """What a run wrote.

  Attributes:
    steps: Lines of training steps, {"step", "time", metrics}.
    evaluations: Lines of evaluations.
    results: Metrics of the "last" and the "selected" checkpoint; empty while
      the run has none.
    selection: How the selected one was chosen.
    scores: Arrays of the selected one's scores.npz, None likewise.
    data: Properties of its data set.
  """

  steps: list[dict[str, Any]]
  evaluations: list[dict[str, Any]]
  results: dict[str, dict[str, Any]]
  selection: dict[str, Any]
  scores: dict[str, np.ndarray] | None
  data: dict[str, Any]


def read_files(folder: Path) -> RunFiles:
  """Reads what there is of a run of one seed.

  Raises:
    ValueError: A file is damaged.
  """
  lines = _metrics(folder / "metrics.jsonl")
  found = [
    folder / name
    for name in _RESULTS
    if (folder / name / "selected" / "scores.npz").is_file()
  ]
  results, selection, scores = {}, {}, None
  if found:
    results = {
      which: read_json(found[0] / which / "metrics.json")
      for which in ("last", "selected")
    }
    selection = read_json(found[0] / "selection.json")
    scores = _arrays(found[0] / "selected" / "scores.npz")
  data = folder / "data.json"
  return RunFiles(
    steps=[line for line in lines if not line.get("evaluation")],
    evaluations=[line for line in lines if line.get("evaluation")],
    results=results,
    selection=selection,
    scores=scores,
    data=read_json(data) if data.is_file() else {},
  )


@contextlib.contextmanager
def _named(file: Path) -> Iterator[None]:
  """Says which file cannot be used."""
  try:
    yield
  except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
    raise ValueError(
      f"{file} is damaged ({error}); write it again: continue the run with "
      "python -m adplg_jax.main, which writes its results anew."
    ) from error


def read_json(file: Path) -> dict[str, Any]:
  """The fields of a file.

  Raises:
    ValueError: It is missing or damaged.
  """
  with _named(file):
    found = json.loads(file.read_text("utf-8"))
    if not isinstance(found, dict):
      raise ValueError("it has no fields")
    return found


def _metrics(file: Path) -> list[dict[str, Any]]:
  """The lines of metrics.jsonl; one that is being written is left out."""
  if not file.is_file():
    return []
  with _named(file):
    lines = file.read_text("utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def _arrays(file: Path) -> dict[str, np.ndarray]:
  """The arrays of a scores.npz; no pickle is loaded."""
  with _named(file), np.load(file, allow_pickle=False) as stored:
    arrays = dict(stored)
    frames = int(arrays["frames"].sum())
    for name in ("names", "categories", "labels", "has_truth"):
      if len(arrays[name]) != len(arrays["frames"]):
        raise ValueError(f"{name} and frames have different lengths")
    for name in ("scores", "truth"):
      if len(arrays[name]) != frames:
        raise ValueError(f"{name} has not one value for each frame")
    return arrays
