"""The memory of pseudo-labels in a run's checkpoints, as heat maps."""

import base64
import contextlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adplg_jax import pseudo_labels
from adplg_jax.data import store
from adplg_jax.prepare.segments import segment_truth
from adplg_jax.run.checkpoint import Checkpointer

_MOST_CHECKPOINTS = 12
# Of a hard segment, beside its label in percent.
_HARD = 128


class _Video(NamedTuple):
  """An anomalous training video, or one crop of it.

  Attributes:
    name: Its name.
    segments: Those that are not padding.
    truth: Percent of anomalous frames in each segment, None where not known.
  """

  name: str
  segments: int
  truth: list[float] | None


def read_labels(
  folder: Path, config: Any, *, fingerprint: str, room: int
) -> dict[str, Any]:
  """What the memory held for each anomalous training video.

  Args:
    folder: The run's.
    config: Its configuration.
    fingerprint: Of its data set.
    room: Bytes that the heat maps may take.

  Returns:
    {"steps", "keys", "left_out"}; a key has its "name", "truth" (percent of
    each segment, or None) and "rows", one for each step: base64 of a byte a
    segment, the mean label in percent, and 128 more where it is hard. Names and
    truth are there where the data set still is.

  Raises:
    CheckpointError: A checkpoint is damaged.
  """
  with contextlib.closing(
    Checkpointer(folder / "checkpoints", read_only=True)
  ) as checkpoints:
    steps = _chosen(checkpoints.steps(), _MOST_CHECKPOINTS)
    memories = {step: _memory(checkpoints, step) for step in steps}
  if not memories:
    return {"steps": [], "keys": [], "left_out": 0}
  counts = np.stack([memory.count for memory in memories.values()])
  segments = next(iter(memories.values())).history.shape[-1]
  filled = np.flatnonzero(counts.max(0)).tolist()
  most = max(room // (len(steps) * segments * 4 // 3), 1)
  shown = _chosen(filled, most)
  found = _training_videos(config, fingerprint, shown)
  videos = found or [_Video(f"key {key}", segments, None) for key in shown]
  lengths = np.array([video.segments for video in videos])
  rows = [
    _rows(memory, np.array(shown), lengths, config.pseudo_labels)
    for memory in memories.values()
  ]
  keys = [
    {"name": video.name, "truth": video.truth, "rows": list(own)}
    for video, own in zip(videos, zip(*rows, strict=True), strict=True)
  ]
  return {
    "steps": steps,
    "keys": keys,
    "left_out": len(filled) - len(shown),
  }


def _chosen(items: list[int], most: int) -> list[int]:
  """At most so many, evenly, the last among them."""
  if len(items) <= most:
    return items
  places = np.linspace(len(items) - 1, 0, most).astype(int)
  return [items[place] for place in sorted(places)]


def _memory(checkpoints: Checkpointer, step: int) -> pseudo_labels.Memory:
  place = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  shapes = checkpoints.saved_shapes(step, place)
  stored = checkpoints.restore(step, shapes).state["memory"]
  return pseudo_labels.Memory(
    np.asarray(stored["history"]), np.asarray(stored["count"])
  )


def _rows(
  memory: pseudo_labels.Memory,
  keys: np.ndarray,
  lengths: np.ndarray,
  settings: Any,
) -> list[str | None]:
  """Label and hardness of the segments of each key; None without any label."""
  window, count = memory.history[keys], memory.count[keys]
  places, segments = window.shape[1:]
  # Entries are right-aligned, zeros before.
  mean = window.sum(1) / np.maximum(count, 1)[:, None]
  found = pseudo_labels.denoise(
    jnp.asarray(window),
    jnp.arange(segments) < jnp.asarray(lengths)[:, None],
    mean_threshold=settings.mean_threshold,
    variance_threshold=settings.variance_threshold,
  )
  hard = np.asarray(found.hard) & (count == places)[:, None]
  levels = np.round(100 * mean).astype(np.uint8) + _HARD * hard.astype(np.uint8)
  return [
    base64.b64encode(row.tobytes()).decode() if entries else None
    for row, entries in zip(levels.astype(np.uint8), count, strict=True)
  ]


def _training_videos(
  config: Any, fingerprint: str, keys: list[int]
) -> list[_Video]:
  """The videos of keys, from the data set.

  Nothing where the data set is not there, is another one, or was prepared
  before it knew the names of its videos.
  """
  data = config.data
  try:
    dataset = store.open_dataset(
      config.data_dir, data.builder, data.variant, config.num_segments
    )
  except (store.NotPreparedError, OSError):
    return []
  facts, split = dataset.metadata, dataset.train_anomalous
  if facts.fingerprint != fingerprint:
    return []
  first: dict[str, int] = {}
  for row, name in enumerate(split.videos):
    first.setdefault(name, row)
  by_video = config.switches.history_key == "video"
  if by_video and facts.num_video_keys != len(first):
    return []
  rows = list(first.values()) if by_video else list(range(len(split)))
  found = []
  for key in keys:
    row = rows[key]
    name = split.videos[row]
    length, truth = config.num_segments, None
    if facts.training_truth:
      example = split[row]
      length = int(example["length"])
      shares = segment_truth(example, span_ends=config.switches.span_ends)
      truth = (
        None if np.isnan(shares).any() else np.round(100 * shares).tolist()
      )
    if not by_video:
      name += f" · crop {row - first[name]}"
    found.append(_Video(name, length, truth))
  return found
