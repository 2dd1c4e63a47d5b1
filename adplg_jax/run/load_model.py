"""A trained model from a run's folder or one of its checkpoints.

Needs no prepared data set: what it was trained on is in its checkpoint.
"""

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

import jax

from adplg_jax.data import normalize
from adplg_jax.data.normalize import Normalization
from adplg_jax.run import legacy
from adplg_jax.run.checkpoint import Checkpointer, Selection
from adplg_jax.run.config import from_json
from adplg_jax.run.workdir import WorkdirError, read_config, seed_folders


class TrainedModel(NamedTuple):
  """What scoring needs.

  Attributes:
    step: Steps it was trained for.
    config: The run's configuration.
    params: Parameters of both branches, {"video": ..., "snippet": ...}.
    feature_width: D, width of the features it was trained on.
    categories: Classes of the anomalous videos; empty where not known.
    normalization: What is done with features before they are scored.
    selection: The selection metric of this checkpoint, if it was evaluated.
    frames_per_snippet: Frames from one snippet's start to the next one's in the
      data set it was trained on; 0 where that is not known.
    window: Frames that each snippet was extracted from; likewise.
    kind: What made the features it was trained on; "" where that is not known.
  """

  step: int
  config: Any
  params: dict[str, Any]
  feature_width: int
  categories: tuple[str, ...]
  normalization: Normalization
  selection: Selection | None
  frames_per_snippet: int = 0
  window: int = 0
  kind: str = ""


def load_model(
  path: str | Path,
  which: str | int = "best",
  *,
  sharding: jax.sharding.Sharding | None = None,
) -> TrainedModel:
  """Loads a model and verifies its checksums.

  Args:
    path: A run's folder, or one of its checkpoints (`RUN/checkpoints/STEP`).
    which: "best" by the selection metric, "last", or a step; a path of a
      checkpoint says it itself.
    sharding: Where the parameters are put; by default on the first device.

  Returns:
    The model.

  Raises:
    CheckpointError: No such checkpoint, or a damaged one.
    WorkdirError: The path is neither a run nor a checkpoint, or it is a run of
      several seeds.
  """
  path = Path(path)
  is_run = (path / "config.json").exists()
  if not is_run:
    if not (path.name.isdecimal() and path.is_dir()):
      raise WorkdirError(
        f"{path} has no config.json: it is not the workdir of a run, nor one "
        "of its checkpoints (RUN/checkpoints/STEP)."
      )
    which = path.name
  directory = path / "checkpoints" if is_run else path.parent
  config = read_config(path) if is_run else None
  if config is not None and config.seeds > 1:
    folders = [str(folder) for folder in seed_folders(path, config).values()]
    raise WorkdirError(
      f"{path} is a run of {config.seeds} seeds; name one of them: "
      f"{', '.join(folders)}."
    )
  with contextlib.closing(
    Checkpointer(directory, read_only=True)
  ) as checkpoints:
    return from_checkpoint(
      checkpoints, checkpoints.find_step(which), config, sharding=sharding
    )


def from_checkpoint(
  checkpoints: Checkpointer,
  step: int,
  config: Any = None,
  *,
  sharding: jax.sharding.Sharding | None = None,
) -> TrainedModel:
  """Loads the model of a step; see `load_model`.

  Args:
    checkpoints: Those of its run.
    step: Which.
    config: The run's configuration; by default the checkpoint's own.
    sharding: See `load_model`.

  Returns:
    The model.

  Raises:
    CheckpointError: No such checkpoint, or a damaged one.
  """
  if sharding is None:
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  shapes = checkpoints.saved_shapes(step, sharding)
  restored = checkpoints.restore(step, shapes)
  meta = restored.meta
  params = {
    name: restored.state[name]["params"] for name in ("video", "snippet")
  }
  if config is None:
    config = from_json(legacy.upgrade(meta["config"]))
  return TrainedModel(
    step=step,
    config=config,
    params=params,
    feature_width=meta.get("feature_width") or _feature_width(params),
    categories=tuple(meta.get("categories", ())),
    normalization=normalize.from_json(meta.get("normalization")),
    selection=checkpoints.selection(step),
    frames_per_snippet=meta.get("frames_per_snippet", 0),
    window=meta.get("window", 0),
    kind=meta.get("kind", ""),
  )


def _feature_width(params: dict[str, Any]) -> int:
  """D, from the first map that features pass, where it was not saved."""
  snippet = params["snippet"]
  first = "input" if "input" in snippet else "embedding"
  return snippet[first]["kernel"].shape[-2]


def model_meta(
  config: Any,
  feature_width: int,
  categories: tuple[str, ...],
  normalization: Normalization = normalize.NONE,
  *,
  frames_per_snippet: int = 0,
  window: int = 0,
  kind: str = "",
) -> dict[str, Any]:
  """What `load_model` reads from a checkpoint's meta data."""
  return {
    "config": config.to_dict(),
    "feature_width": feature_width,
    "categories": list(categories),
    "normalization": normalization.to_json(),
    "frames_per_snippet": frames_per_snippet,
    "window": window,
    "kind": kind,
  }
