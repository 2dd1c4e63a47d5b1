"""A video to be scored, as any source gives it: features, and their times.

Feature files are one source; another may extract features from a video file.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from adplg_jax.data.frames import frame_labels
from adplg_jax.data.sidecar import Sidecar
from adplg_jax.scoring.metrics import VideoScore


@dataclasses.dataclass(frozen=True)
class Times:
  """Where a video's snippets are in time.

  Each snippet has the frames whose score it gives: they follow each other
  without a gap, also where snippets are extracted from frames that overlap.

  Attributes:
    frames: Where each snippet begins, and where the last one ends [frames].
    seconds: The same in seconds; None where that is not known.
  """

  frames: Int[np.ndarray, "edges"]
  seconds: Float[np.ndarray, "edges"] | None = None

  @property
  def duration(self) -> float:
    """Of the video, in seconds where they are known, else in frames."""
    return float((self.frames if self.seconds is None else self.seconds)[-1])


def regular_times(
  snippets: int,
  frames_per_snippet: int,
  *,
  window: int | None = None,
  frames: int | None = None,
  fps: float | None = None,
) -> Times:
  """Times of snippets at equal distances.

  Args:
    snippets: T.
    frames_per_snippet: Frames from one snippet's start to the next one's.
    window: Frames a snippet is extracted from, None for frames_per_snippet.
    frames: Frames of the video, None for those that the snippets cover.
    fps: Frames in a second, None where that is not known.

  Returns:
    The times; each frame is of the snippet whose centre is nearest.
  """
  window = window or frames_per_snippet
  if frames is None:
    frames = (snippets - 1) * frames_per_snippet + window
  edges = np.arange(snippets + 1) * frames_per_snippet
  edges = np.clip(edges + (window - frames_per_snippet) // 2, 0, frames)
  edges[0], edges[-1] = 0, frames
  return Times(edges, None if fps is None else edges / fps)


def noted_times(sidecar: Sidecar) -> Times:
  """Times of snippets as extraction noted them beside their features.

  Args:
    sidecar: What it noted.

  Returns:
    The times; each snippet ends where the next one begins.
  """
  snippets, step = len(sidecar.seconds), sidecar.frames_per_snippet
  starts = [start for start, _ in sidecar.seconds]
  return Times(
    np.arange(snippets + 1) * step,
    np.array([*starts, sidecar.seconds[-1][1]]),
  )


class Truth(NamedTuple):
  """What is known of a video besides its features.

  Attributes:
    label: 1 if it has an anomaly.
    category: Class of the anomaly, or of normal videos.
    spans: Spans of anomalous frames; None where they are not known.
    exact_spans: Whether they are half-open whatever is said of their ends.
  """

  label: int
  category: str
  spans: tuple[tuple[int, int], ...] | None
  exact_spans: bool = False


# Of each snippet the most likely classes, with their probabilities.
Looks = tuple[tuple[tuple[str, float], ...], ...]


@dataclasses.dataclass(frozen=True)
class FeatureSequence:
  """A video to be scored.

  Attributes:
    name: Unique among the videos scored together; folders before a slash.
    features: One row for each snippet and crop.
    times: Where its snippets are.
    files: Where the features come from.
    kind: What made the features, as `config.data.variant` names it; "" where
      that is not known.
    fps: Frames in a second, where that is known.
    truth: What is known of its anomalies, if anything is.
    looks: Of each snippet names of classes and their probabilities: what it
      looks like to a classifier of other videos; empty where there is none.
    spent: Seconds of work, by its kind.
  """

  name: str
  features: Float[np.ndarray, "c t d"]
  times: Times
  files: tuple[str, ...] = ()
  kind: str = ""
  fps: float | None = None
  truth: Truth | None = None
  looks: Looks = ()
  spent: Mapping[str, float] = dataclasses.field(default_factory=dict)


class Failure(NamedTuple):
  """A video that cannot be scored.

  Attributes:
    where: The file, or the video.
    reason: What is wrong and what to do.
  """

  where: str
  reason: str


@runtime_checkable
class Source(Protocol):
  """Where videos to be scored come from, one after the other.

  What cannot be used comes as a failure, and the next videos follow.
  """

  def __len__(self) -> int:
    """How many videos there are, for a progress bar."""
    ...

  def __iter__(self) -> Iterator[FeatureSequence | Failure]:
    """The videos; a failure may come besides its video."""
    ...


@dataclasses.dataclass(frozen=True)
class ScoredSequence:
  """A scored video, its features left out.

  Attributes:
    name: See `FeatureSequence`.
    scores: Of each snippet.
    times: Where the snippets are.
    windows: Windows it was scored in; 1 for the whole video.
    overlap: Snippets that neighbouring windows share at least.
    crops: C.
    files: See `FeatureSequence`.
    fps: See `FeatureSequence`.
    truth: See `FeatureSequence`.
    looks: See `FeatureSequence`.
    spent: See `FeatureSequence`.
  """

  name: str
  scores: Float[np.ndarray, "t"]
  times: Times
  windows: int = 1
  overlap: int = 0
  crops: int = 1
  files: tuple[str, ...] = ()
  fps: float | None = None
  truth: Truth | None = None
  looks: Looks = ()
  spent: Mapping[str, float] = dataclasses.field(default_factory=dict)

  @property
  def peak(self) -> float:
    """The highest score."""
    return float(self.scores.max())

  @property
  def peak_snippet(self) -> int:
    """The first snippet that has it."""
    return int(self.scores.argmax())

  def frame_scores(self) -> Float[np.ndarray, "frames"]:
    """A score for each frame: that of its snippet."""
    return np.repeat(self.scores, np.diff(self.times.frames))

  def video_score(self, span_ends: str) -> VideoScore | None:
    """As the metrics take it; None where nothing is known of the video.

    Args:
      span_ends: Whether annotated spans end "exclusive" or "inclusive"; exact
        ones are half-open.
    """
    if self.truth is None:
      return None
    scores, spans = self.frame_scores(), self.truth.spans
    ends = "exclusive" if self.truth.exact_spans else span_ends
    return VideoScore(
      name=self.name,
      category=self.truth.category,
      label=self.truth.label,
      snippet_scores=self.scores,
      scores=scores,
      truth=None
      if spans is None
      else frame_labels(spans, len(scores), span_ends=ends),
    )
