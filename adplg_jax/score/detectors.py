"""What gives snippets their scores: a trained model, or novelty."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

import adplg_jax
from adplg_jax.scoring import novelty
from adplg_jax.scoring.sequence import Failure, FeatureSequence
from adplg_jax.scoring.threshold import Threshold, best_f1_threshold
from adplg_jax.scoring.trained import TrainedScorer, VideoScores


@runtime_checkable
class Detector(Protocol):
  """What scores videos.

  Attributes:
    described: It, in words that follow "scored by".
    step: Of its checkpoint, 0 where there is none.
    kind: What makes the features that it takes; "" where that is not known.
    span_ends: Whether annotated spans end "exclusive" or "inclusive".
    window: Longest video that is scored at once [snippets].
    overlap: Snippets that the windows of longer ones share at least.
  """

  described: str
  step: int
  kind: str
  span_ends: str
  window: int
  overlap: int

  def facts(self) -> dict[str, Any]:
    """As results.json names it."""
    ...

  def usual_threshold(self) -> Threshold | None:
    """What opens an interval where nothing else is asked for, if known."""
    ...

  def check_kind(self, kind: str) -> None:
    """Refuses features that are known to be of another kind.

    Raises:
      ValueError: With both kinds.
    """
    ...

  def score_crops(self, features: Float[np.ndarray, "c t d"]) -> VideoScores:
    """Scores a video.

    Raises:
      ValueError: Features that cannot be used.
    """
    ...


class Trained:
  """A trained model as a `Detector`."""

  def __init__(
    self, scorer: TrainedScorer, path: Path, workdir: Path | None = None
  ):
    """Wraps a model.

    Args:
      scorer: It.
      path: The folder of its run, or where its checkpoint is.
      workdir: The folder of its run, for the threshold; None for none.
    """
    self._scorer = scorer
    self._path = path
    self._workdir = workdir
    self.step = scorer.model.step
    self.described = f"the checkpoint of step {self.step}"
    self.kind = scorer.kind
    self.span_ends = scorer.model.config.switches.span_ends
    self.window, self.overlap = scorer.window, scorer.overlap
    self.check_kind = scorer.check_kind
    self.score_crops = scorer.score_crops

  def facts(self) -> dict[str, Any]:
    """As results.json names it."""
    model = self._scorer.model
    return {
      "run": str(self._path.absolute()),
      "step": self.step,
      "fingerprint": self._scorer.fingerprint(),
      "data": f"{model.config.data.builder}/{model.config.data.variant}",
      "feature_width": model.feature_width,
      "feature_kind": self.kind,
      "version": adplg_jax.__version__,
    }

  def usual_threshold(self) -> Threshold | None:
    """The best-F1 point of the run's results."""
    if self._workdir is None:
      return None
    return best_f1_threshold(
      self._workdir, self._scorer.model.config, self.step
    )


class Novelty:
  """Distance to other snippets as a `Detector`; see `scoring.novelty`."""

  step = 0
  span_ends = "exclusive"
  window = 2**31
  overlap = 0

  def __init__(
    self, normal: Float[np.ndarray, "c t d"] | None = None, kind: str = ""
  ):
    """Wraps the function.

    Args:
      normal: Snippets of normal videos; None for each video's own.
      kind: What made them.
    """
    self._normal = normal
    self.kind = kind
    others = (
      "the video's other snippets"
      if normal is None
      else f"{normal.shape[1]} normal snippets"
    )
    self.described = (
      f"novelty, the distance to {others}: what is rare, not what is "
      "anomalous; no model was trained"
    )

  def facts(self) -> dict[str, Any]:
    """As results.json names it."""
    return {
      "novelty": True,
      "normal_snippets": 0 if self._normal is None else self._normal.shape[1],
      "fingerprint": "novelty",
      "feature_kind": self.kind,
      "version": adplg_jax.__version__,
    }

  def usual_threshold(self) -> Threshold:
    """Twice as far as an ordinary snippet."""
    return Threshold(novelty.THRESHOLD, "twice as far as an ordinary snippet")

  def check_kind(self, kind: str) -> None:
    """See `Detector`."""
    if kind and self.kind and kind != self.kind:
      raise ValueError(
        f"features are of the kind {kind!r}, but the normal ones of "
        f"{self.kind!r}; distances between them mean nothing. Extract both in "
        "the same way."
      )

  def score_crops(self, features: Float[np.ndarray, "c t d"]) -> VideoScores:
    """See `Detector`."""
    return VideoScores(novelty.novelty(features, self._normal), 1, 0)


def from_normal(videos: Iterable[FeatureSequence | Failure]) -> Novelty:
  """Novelty against normal videos.

  Args:
    videos: The normal videos; crops are averaged.

  Raises:
    ValueError: One of them cannot be used, or they are of several kinds or
      widths.
  """
  found: list[FeatureSequence] = []
  for video in videos:
    if isinstance(video, Failure):
      raise ValueError(f"--normal {video.where}: {video.reason}")
    found.append(video)
  kinds = sorted({(own.kind, own.features.shape[-1]) for own in found})
  names = [f"{kind or 'unknown'} of width {width}" for kind, width in kinds]
  if len(kinds) != 1:
    raise ValueError(
      "--normal needs videos of one kind and width, but there are "
      f"{', '.join(names) or 'none'}; name only such."
    )
  snippets = [own.features.mean(0, keepdims=True) for own in found]
  return Novelty(np.concatenate(snippets, axis=1), kinds[0][0])
