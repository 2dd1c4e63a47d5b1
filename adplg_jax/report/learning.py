"""Says, once, when a branch has learnt nothing: mostly the features' scale.

Where features hardly differ from snippet to snippet, the biases decide: the
attention stays uniform, and both branches see the same in every video.
"""

import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from adplg_jax.scoring.metrics import VideoScore

# A branch that was updated less often may still begin to learn.
_FIRST_UPDATES = 100
# Steps whose losses are averaged.
_WINDOW = 20
# Of the two losses from 1, where a uniform attention has them.
_UNIFORM = 1e-3
# Deviation of scores from video to video, below which they are the same.
_SAME = 1e-3


class LearningWatch:
  """Looks at what training computes anyway."""

  def __init__(self, config: Any):
    """Begins to watch.

    Args:
      config: The run's configuration.
    """
    self._normalize = config.data.normalize
    self._video_due = max(config.warm_up_steps, _FIRST_UPDATES) + 1
    self._snippet_due = config.warm_up_steps + _FIRST_UPDATES
    self._said = False
    self._losses: deque[tuple[float, float]] = deque(maxlen=_WINDOW)

  def see_step(self, step: int, metrics: Mapping[str, float]) -> None:
    """Warns after the warm-up if the video branch's attention is uniform.

    Args:
      step: Its number.
      metrics: Those of the step.
    """
    if step > self._video_due:
      return
    self._losses.append(
      (metrics["loss/dissimilarity"], metrics["loss/separation"])
    )
    if step < self._video_due:
      return
    means = [statistics.mean(loss) for loss in zip(*self._losses, strict=True)]
    if all(abs(mean - 1) < _UNIFORM for mean in means):
      logging.warning(
        "Step %d: the video branch has learnt nothing: its attention is the "
        "same for all snippets (loss/dissimilarity %.4f, loss/separation "
        "%.4f). %s",
        step,
        *means,
        self._cure(),
      )

  def see_scores(self, step: int, videos: Sequence[VideoScore]) -> None:
    """Warns if the snippet branch scores every video alike.

    Args:
      step: Steps done.
      videos: The scored test split.
    """
    if self._said or step < self._snippet_due:
      return
    spread = score_spread(videos)
    if spread < _SAME:
      self._said = True
      logging.warning(
        "Step %d: the snippet branch has learnt nothing: it gives all test "
        "videos the same scores (at the same place they deviate by %.1g). %s",
        step,
        spread,
        self._cure(),
      )

  def _cure(self) -> str:
    if self._normalize == "none":
      return (
        "Features of a small scale or spread do this (the report of prepare "
        "has both): train in a new workdir with "
        "--config.data.normalize=standardize, or rms."
      )
    return (
      f"The features are normalised ({self._normalize}): look whether they "
      "differ from snippet to snippet, or try a higher learning rate in a new "
      "workdir."
    )


def score_spread(videos: Sequence[VideoScore]) -> float:
  """Deviation of scores from video to video at one place, mean over places.

  A score may depend on the place alone, by the position tables; then it is 0,
  as for constant scores.

  Args:
    videos: Scored videos.

  Returns:
    The deviation; infinite where no place has two videos.
  """
  longest = max(len(video.snippet_scores) for video in videos)
  scores = np.full((len(videos), longest), np.nan)
  for row, video in zip(scores, videos, strict=True):
    row[: len(video.snippet_scores)] = video.snippet_scores
  shared = scores[:, np.isfinite(scores).sum(axis=0) > 1]
  if not shared.size:
    return float("inf")
  return float(np.nanstd(shared, axis=0).mean())
