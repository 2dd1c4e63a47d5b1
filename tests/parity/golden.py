"""Golden directories: the recipe of their inputs, and what their files hold.

A golden file holds numbers that the authors' program computed in float64 from
weights and features that anyone can make again (tests/golden/README.md).
NumPy alone.
"""

import functools
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

WIDTH = 1024


def _rng(name: str, seed: int) -> np.random.RandomState:
  return np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)


@functools.lru_cache(maxsize=256)
def weight(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
  """The recipe's weight of a name in the torch state dict."""
  z = _rng(name, seed).standard_normal(shape)
  if len(shape) == 1:
    return 1 + 0.1 * z if name.endswith("weight") else 0.05 * z
  if "pos_emb" in name:
    return 0.5 * z
  return z / np.sqrt(np.prod(shape[1:]))


def features(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
  """The recipe's features: non-negative, mean 0.4."""
  return 0.5 * np.abs(_rng(name, seed).standard_normal(shape))


def projection(name: str, values: np.ndarray) -> np.ndarray:
  """[sum, 2-norm, four projections] of a weight in torch's layout."""
  flat = values.astype(float).ravel()
  head = flat[:200_000]
  rng = np.random.RandomState((zlib.crc32(name.encode()) + 99) % 2**32)
  projected = rng.standard_normal((4, head.size)) @ head
  return np.array([flat.sum(), np.linalg.norm(flat), *projected])


class Step(NamedTuple):
  """Inputs of a training step; keys are the anomalous videos' indices."""

  normal: np.ndarray
  anomalous: np.ndarray
  keys: np.ndarray


class Trajectory:
  """A training run of the authors' program.

  Attributes:
    arrays: All the file holds.
    config: The program's options.
  """

  def __init__(self, path: Path):
    with np.load(path, allow_pickle=False) as file:
      self.arrays = dict(file)
    self.config: dict[str, Any] = json.loads(str(self.arrays["config"]))

  def steps(self, seed: int) -> Iterator[Step]:
    """Inputs of every step."""
    arrays = self.arrays
    for s in range(self.config["steps"]):
      normal, anomalous = arrays["normal_index"][s], arrays["abnormal_index"][s]
      yield Step(
        self._batch("n", normal, arrays["crops"][s, 0], seed),
        self._batch("a", anomalous, arrays["crops"][s, 1], seed),
        anomalous.astype(np.int32),
      )

  def _batch(self, kind, indices, crops, seed) -> np.ndarray:
    segments = self.config["num_segments"]
    batch = []
    for index, crop in zip(indices, crops, strict=True):
      x = features(f"{kind}{index}/{crop}", (segments, WIDTH), seed)
      if kind == "a":
        start = 3 * index % segments
        x[start : start + segments // 4] += 0.4
      batch.append(x)
    return np.stack(batch)


def load(path: Path) -> Mapping[str, np.ndarray]:
  """All arrays of a golden file."""
  with np.load(path, allow_pickle=False) as file:
    return dict(file)
