"""Scores the videos of a split with the snippet branch.

Each crop is scored by itself, crops are averaged by video, snippet scores are
repeated for their frames. Source: docs/method.md, section 6.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from adplg_jax.data import pipeline
from adplg_jax.data.frames import frame_labels
from adplg_jax.method import Method
from adplg_jax.run import sharding
from adplg_jax.scoring import metrics

Scorer = Callable[[Any, Array, Array], Array]


class StoppedError(Exception):
  """Scoring was asked to stop."""


def make_scorer(method: Method) -> Scorer:
  """The jitted function (params, features, lengths) -> snippet scores.

  Its scores [c t] of features [c t d] do not depend on what follows a crop's
  length.
  """

  @jax.jit
  def score(
    params: Any, features: Float[Array, "c t d"], lengths: Int[Array, "c"]
  ) -> Float[Array, "c t"]:
    # A run may be scored in another precision than it was trained in.
    params, features = jax.tree.map(
      lambda x: x.astype(method.snippet_branch.param_dtype), (params, features)
    )
    logits: Any = method.snippet_branch.apply(
      {"params": params}, features, lengths
    )
    return jax.nn.sigmoid(logits)

  return score


def _never(number: int) -> bool:
  del number
  return False


@dataclasses.dataclass
class _Video:
  """A video's crops, added up as they are scored."""

  example: Mapping[str, Any]
  total: np.ndarray
  crops: int = 1

  def add(self, scores: np.ndarray, example: Mapping[str, Any]) -> None:
    if scores.shape != self.total.shape:
      raise ValueError(
        f"The crops of {example['video']} differ in length: {len(self.total)} "
        f"snippets, but {len(scores)} in crop {example['crop']}. Prepare the "
        "data set again from complete features."
      )
    self.total = self.total + scores
    self.crops += 1


class Batch(NamedTuple):
  """Crops of similar length on the devices, padded.

  Attributes:
    features: [c t d], see `pipeline.PaddedBatch`.
    lengths: [c].
    snippets: The same lengths on the host.
    examples: The crops' other fields.
  """

  features: jax.Array
  lengths: jax.Array
  snippets: np.ndarray
  examples: list[Mapping[str, Any]]


def put_batches(
  examples: Iterable[Mapping[str, Any]],
  *,
  batch_snippets: int,
  longest: int,
  mesh: jax.sharding.Mesh,
) -> Iterator[Batch]:
  """Crops in padded batches of few distinct shapes, brought to the devices.

  Args:
    examples: Crops, in any order.
    batch_snippets: Snippets, padding included, of a batch.
    longest: Longest video the model takes [snippets].
    mesh: The devices.
  """
  for batch in pipeline.padded_batches(
    iter(examples),
    batch_snippets=batch_snippets,
    longest=longest,
    multiple=mesh.size,
  ):
    features, lengths = sharding.put_whole(
      (batch.features, batch.lengths), mesh
    )
    yield Batch(features, lengths, batch.lengths, batch.examples)


class KeptBatches(Iterable[Batch]):
  """Batches that are made once and then stay on the devices."""

  def __init__(
    self, make: Callable[[], Iterable[Batch]], limit: int | None = None
  ):
    """Nothing is made yet.

    Args:
      make: Makes them; again each time where they are not kept.
      limit: Bytes that they may take together, or they are not kept.
    """
    self._make = make
    self._limit = limit
    self._kept: list[Batch] | None = None

  def __iter__(self) -> Iterator[Batch]:
    if self._kept is not None:
      yield from self._kept
      return
    kept: list[Batch] | None = []
    size = 0
    for batch in self._make():
      size += batch.features.nbytes
      if self._limit is not None and size > self._limit:
        kept = None
      if kept is not None:
        kept.append(batch)
      yield batch
    self._kept = kept


def score_batches(
  score: Scorer,
  params: Any,
  batches: Iterable[Batch],
  stop: Callable[[int], bool] = _never,
) -> Iterator[tuple[Mapping[str, Any], Float[np.ndarray, "t"]]]:
  """Scores crops; a batch's scores are fetched while the next is computed.

  Args:
    score: See `make_scorer`.
    params: Parameters of the snippet branch.
    batches: See `put_batches`.
    stop: Called before each batch with its number; true stops.

  Yields:
    Each crop, its features left out, and its snippets' scores; the order is not
    kept.

  Raises:
    StoppedError: `stop` returned true.
  """

  def fetch(
    batch: Batch, scores: jax.Array
  ) -> Iterator[tuple[Mapping[str, Any], np.ndarray]]:
    fetched = sharding.fetch(scores).astype(float)
    for row, example in enumerate(batch.examples):
      yield example, fetched[row, : batch.snippets[row]]

  before = None
  for number, batch in enumerate(batches):
    if stop(number):
      raise StoppedError
    now = batch, score(params, batch.features, batch.lengths)
    if before is not None:
      yield from fetch(*before)
    before = now
  if before is not None:
    yield from fetch(*before)


def score_videos(
  score: Scorer,
  params: Any,
  batches: Iterable[Batch],
  *,
  span_ends: str,
  stop: Callable[[int], bool] = _never,
) -> list[metrics.VideoScore]:
  """Scores every video of a split.

  Args:
    score: See `make_scorer`.
    params: Parameters of the snippet branch.
    batches: See `put_batches`.
    span_ends: Whether annotated spans end "exclusive" or "inclusive"; exact
      ones are half-open.
    stop: See `score_batches`.

  Returns:
    The videos, in order of their names.

  Raises:
    StoppedError: `stop` returned true.
    ValueError: Crops of a video that differ in length.
  """
  videos: dict[str, _Video] = {}
  for example, own in score_batches(score, params, batches, stop):
    name = example["video"]
    if name in videos:
      videos[name].add(own, example)
    else:
      videos[name] = _Video(example, own)
  return [
    video_score(
      videos[name].example,
      videos[name].total / videos[name].crops,
      span_ends=span_ends,
    )
    for name in sorted(videos)
  ]


def video_score(
  example: Mapping[str, Any],
  snippet_scores: Float[np.ndarray, "t"],
  *,
  span_ends: str,
) -> metrics.VideoScore:
  """A video's frame scores and frame truth.

  Args:
    example: One of its crops.
    snippet_scores: Mean over its crops.
    span_ends: See `score_videos`.

  Returns:
    Both.
  """
  frames = int(example["frames"])
  truth = None
  if example["has_spans"]:
    if example["exact_spans"]:
      span_ends = "exclusive"
    truth = frame_labels(example["spans"], frames, span_ends=span_ends)
  return metrics.VideoScore(
    name=example["video"],
    category=example["category"],
    label=int(example["label"]),
    snippet_scores=snippet_scores,
    scores=metrics.frame_scores(
      snippet_scores,
      int(example["frames_per_snippet"]),
      frames,
      window=int(example["window"]),
    ),
    truth=truth,
  )


def score_split(
  config: Any,
  mesh: jax.sharding.Mesh,
  score: Scorer,
  params: Any,
  examples: Iterable[Mapping[str, Any]],
  stop: Callable[[int], bool] = _never,
) -> list[metrics.VideoScore]:
  """`score_videos` with the settings of a configuration."""
  return score_videos(
    score,
    params,
    split_batches(config, mesh, examples),
    span_ends=config.switches.span_ends,
    stop=stop,
  )


def split_batches(
  config: Any, mesh: jax.sharding.Mesh, examples: Iterable[Mapping[str, Any]]
) -> Iterator[Batch]:
  """`put_batches` with the settings of a configuration."""
  return put_batches(
    examples,
    batch_snippets=config.evaluation.batch_snippets,
    longest=config.snippet.model.max_snippets,
    mesh=mesh,
  )


def with_progress(
  examples: Sequence[Mapping[str, Any]],
) -> Iterator[Mapping[str, Any]]:
  """Shows a progress bar of the crops while they are scored."""
  return iter(
    tqdm(
      examples,
      desc="scoring",
      unit="crop",
      leave=False,
      disable=jax.process_index() > 0,
    )
  )
