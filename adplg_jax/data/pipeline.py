"""Batches: paired training batches (grain), padded test batches.

Order is a function of (seed, step) alone, the same for any number of processes;
each process reads only its own rows of every batch. Source: docs/method.md,
sections 1 and 6.
"""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import grain
import numpy as np
from tqdm import tqdm

Example = Mapping[str, Any]


class TrainingSet:
  """Training crops of one class, kept in memory or read when needed."""

  def __init__(
    self,
    source: Sequence[Example],
    rows: np.ndarray,
    columns: Mapping[str, str | Callable[[Example], Any]],
    *,
    in_memory: bool,
    name: str,
  ):
    """Opens the crops `rows` of a split.

    Args:
      source: The split.
      rows: Which of its examples are used.
      columns: {name in a batch: field of the examples, or a function of one}.
      in_memory: Read all of them now.
      name: Their name in a progress bar.
    """
    self._columns = dict(columns)
    self._source = source
    self._rows = rows
    self._held = None
    if in_memory:
      bar = tqdm(self._rows, desc=f"reading {name}", unit="crop", leave=False)
      self._held = self._stack([source[int(row)] for row in bar])

  def __len__(self) -> int:
    return len(self._rows)

  def read(self, places: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of a batch: {column: [*places.shape, ...]}."""
    if self._held is not None:
      return {name: held[places] for name, held in self._held.items()}
    rows = self._rows[places]
    stacked = self._stack([self._source[int(row)] for row in rows.ravel()])
    return {
      name: value.reshape(rows.shape + value.shape[1:])
      for name, value in stacked.items()
    }

  def _stack(self, examples: Sequence[Example]) -> dict[str, np.ndarray]:
    return {
      name: np.stack(
        [field(e) if callable(field) else e[field] for e in examples]
      )
      for name, field in self._columns.items()
    }


def batch_places(
  sizes: Mapping[str, int], *, batch_size: int, seeds: Sequence[int]
) -> grain.MapDataset:
  """Which crops every batch has: reshuffled streams without an end.

  Args:
    sizes: Crops of each class, {"normal": ..., "anomalous": ...}; at least as
      many as a batch has.
    batch_size: B, crops of each class in a batch over all processes.
    seeds: Every seed has streams of its own, one for each class.

  Returns:
    Step -> {class: [B]}; [s, B] for several seeds.
  """
  streams = {
    name: [_Stream(size, batch_size, (seed, number)) for seed in seeds]
    for number, (name, size) in enumerate(sizes.items())
  }

  def places(step: int) -> dict[str, np.ndarray]:
    return {
      name: np.stack([stream.batch(step) for stream in own])
      if len(own) > 1
      else own[0].batch(step)
      for name, own in streams.items()
    }

  return grain.MapDataset.range(sys.maxsize).map(places)


class _Stream:
  """Whole batches of a shuffled range, shuffled anew when it runs out."""

  def __init__(self, size: int, batch_size: int, seed: tuple[int, ...]):
    self._steps = size // batch_size
    self._batch_size = batch_size

    @functools.lru_cache(maxsize=4)
    def order(epoch: int) -> np.ndarray:
      return np.random.default_rng((*seed, epoch)).permutation(size)

    self._order = order

  def batch(self, step: int) -> np.ndarray:
    """Places [batch_size] of a step."""
    epoch, number = divmod(step, self._steps)
    start = number * self._batch_size
    return self._order(epoch)[start : start + self._batch_size]


def iterate(
  dataset: grain.MapDataset, *, first_step: int, threads: int
) -> grain.DatasetIterator:
  """Elements from `first_step` on, read ahead by `threads` threads."""
  iterator = iter(
    dataset.to_iter_dataset(
      grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    )
  )
  iterator.set_state({"next_index": first_step})
  return iterator


def training_batches(
  places: grain.MapDataset,
  crops: Mapping[str, TrainingSet],
  rows: slice = slice(None),
) -> grain.MapDataset:
  """Paired training batches.

  Args:
    places: See `batch_places`.
    crops: Those of each class.
    rows: Which rows of each batch this process reads.

  Returns:
    Step -> {class: {column: [b, ...]}}; [s, b, ...] for several seeds.
  """
  return places.map(
    lambda batch: {
      name: crops[name].read(where[..., rows]) for name, where in batch.items()
    }
  )


class PaddedBatch(NamedTuple):
  """Crops padded to a common number of snippets.

  Attributes:
    features: Zero rows follow each crop; crops of zeros may follow the last.
    lengths: Snippets of each crop, 0 for those that are only padding.
    examples: The crops' other fields, padding left out.
  """

  features: np.ndarray
  lengths: np.ndarray
  examples: list[Example]


def padded_length(snippets: int, longest: int) -> int:
  """Length a crop is padded to: few distinct values, little waste.

  Args:
    snippets: Length of the crop.
    longest: Longest the model takes, never exceeded but by the crop itself.

  Returns:
    64 times a power of 1.25, rounded up to a multiple of 64.
  """
  length = 64
  while length < snippets:
    length = -(-int(length * 1.25) // 64) * 64
  return max(min(length, longest), snippets)


def padded_batches(
  examples: Iterator[Example],
  *,
  batch_snippets: int,
  longest: int,
  multiple: int = 1,
) -> Iterator[PaddedBatch]:
  """Groups crops of similar length into batches of few distinct shapes.

  Args:
    examples: Crops, with "features" [t, d].
    batch_snippets: Snippets, padding included, of a batch.
    longest: See `padded_length`.
    multiple: The number of crops is a multiple of this (devices).

  Yields:
    Batches; the order of crops is not kept.
  """
  waiting: dict[int, list[Example]] = {}
  for example in examples:
    length = padded_length(len(example["features"]), longest)
    group = waiting.setdefault(length, [])
    group.append(example)
    crops = max(batch_snippets // length // multiple, 1) * multiple
    if len(group) == crops:
      yield _pad(waiting.pop(length), length, crops)
  for length, group in waiting.items():
    crops = multiple
    while crops < len(group):
      crops *= 2
    yield _pad(group, length, crops)


def _pad(group: list[Example], length: int, crops: int) -> PaddedBatch:
  """Stacks crops with zeros after each and after the last."""
  first = group[0]["features"]
  features = np.zeros((crops, length, first.shape[1]), first.dtype)
  for i, example in enumerate(group):
    features[i, : len(example["features"])] = example["features"]
  lengths = [len(e["features"]) for e in group] + [0] * (crops - len(group))
  rest: list[Example] = [
    {name: value for name, value in example.items() if name != "features"}
    for example in group
  ]
  return PaddedBatch(features, np.asarray(lengths, np.int32), rest)
