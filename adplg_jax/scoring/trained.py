"""A trained model as a scorer of features: whole videos, long ones in windows.

Videos up to the length of the position tables are scored whole, longer ones in
overlapping windows (`windows`).
"""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from adplg_jax import method as method_lib
from adplg_jax.run import load_model, sharding
from adplg_jax.run.load_model import TrainedModel
from adplg_jax.run.precision import precision_of
from adplg_jax.scoring import scorer
from adplg_jax.scoring.streaming import (
  CONTEXT,
  HOP,
  LOOK_AHEAD,
  StreamScorer,
)
from adplg_jax.scoring.windows import blend, window_starts

# Published features, which are of the same kind wherever they come from.
_KINDS = ("i3d", "i3d_vggish", "clip")


class VideoScores(NamedTuple):
  """A video's scores.

  Attributes:
    scores: Of each snippet, mean over the crops.
    windows: How many windows were scored; 1 for the whole video.
    overlap: Snippets that neighbouring windows share at least.
  """

  scores: Float[np.ndarray, "t"]
  windows: int
  overlap: int


class TrainedScorer:
  """Scores the features of videos.

  Attributes:
    model: The model.
    window: Snippets that are scored at once at most.
    overlap: Snippets that neighbouring windows of longer videos share.
    kind: What made the features it was trained on; "" where that is not known.
  """

  def __init__(
    self,
    model: TrainedModel,
    *,
    window: int | None = None,
    overlap: int | None = None,
  ):
    """Makes the function that scores; nothing is compiled yet.

    Args:
      model: The model, its parameters on all devices.
      window: Snippets scored at once, by default as many as the model takes.
      overlap: Snippets that neighbouring windows share, by default a quarter
        of a window.

    Raises:
      ValueError: A window or an overlap out of range.
    """
    longest = model.config.snippet.model.max_snippets
    self.model = model
    self.window = longest if window is None else window
    self.overlap = self.window // 4 if overlap is None else overlap
    if not 1 <= self.window <= longest:
      raise ValueError(
        f"the window is {self.window} snippets; allowed: 1 to {longest}, the "
        "longest video that the model takes."
      )
    if not 0 <= self.overlap <= self.window // 2:
      raise ValueError(
        f"the overlap is {self.overlap} snippets; allowed: 0 to "
        f"{self.window // 2}, half a window."
      )
    variant = model.config.data.variant
    self.kind = model.kind or (variant if variant in _KINDS else "")
    self._mesh = sharding.make_mesh()
    self._score = scorer.make_scorer(
      method_lib.from_config(
        model.config, feature_width=model.feature_width, num_keys=1
      )
    )

  def score(self, features: np.ndarray) -> Float[np.ndarray, "t"]:
    """Scores a video.

    Args:
      features: [T, D], or [T, C, D] with several crops; not normalised.

    Returns:
      The anomaly score of each snippet, from 0 to 1, mean over the crops.

    Raises:
      ValueError: Another shape or width than the model's, or values that are
        not finite.
    """
    return self.score_crops(as_crops(features)).scores

  def score_crops(self, features: Float[np.ndarray, "c t d"]) -> VideoScores:
    """Scores a video whose crops come first; see `score`."""
    self.check(features)
    features = self.model.normalization.apply(features)
    crops, snippets, _ = features.shape
    length = min(self.window, snippets)
    starts = window_starts(snippets, self.window, self.overlap)
    total = np.zeros((len(starts), length))
    examples = (
      {"features": crop[start : start + length], "window": number}
      for number, start in enumerate(starts)
      for crop in features
    )
    config = self.model.config
    with precision_of(config), jax.set_mesh(self._mesh):
      batches = scorer.put_batches(
        examples,
        batch_snippets=config.evaluation.batch_snippets,
        longest=self.window,
        mesh=self._mesh,
      )
      for example, scores in scorer.score_batches(
        self._score, self.model.params["snippet"], batches
      ):
        total[example["window"]] += scores
    scores = blend(total / crops, starts, snippets)
    return VideoScores(
      scores, len(starts), self.overlap if len(starts) > 1 else 0
    )

  def stream(
    self,
    *,
    context: int | None = None,
    hop: int = HOP,
    look_ahead: int = LOOK_AHEAD,
  ) -> StreamScorer:
    """Begins a video whose snippets are still to come.

    Args:
      context: Snippets that are kept and scored at once, None for 256 or as
        many as the model takes.
      hop: Snippets that are scored at a time.
      look_ahead: Snippets after these that must be there before.

    Raises:
      ValueError: One of them is out of range.
    """
    kept = min(self.window, CONTEXT) if context is None else context
    if kept > self.window:
      raise ValueError(
        f"the context is {kept} snippets; allowed: up to {self.window}, the "
        "window of the scorer."
      )
    return StreamScorer(
      lambda features: self.score_crops(features).scores,
      context=kept,
      hop=hop,
      look_ahead=look_ahead,
    )

  def check(self, features: Float[np.ndarray, "c t d"]) -> None:
    """Refuses features that the model cannot score.

    Raises:
      ValueError: No snippet, another width, or values that are not finite.
    """
    width = self.model.feature_width
    if features.shape[-1] != width:
      raise ValueError(
        f"feature width is {features.shape[-1]}, but the model was trained on "
        f"{width}; score features of the kind it was trained on."
      )
    if 0 in features.shape:
      raise ValueError(
        f"{features.shape[0]} crops of {features.shape[1]} snippets; at least "
        "one of each is needed."
      )
    if not np.isfinite(features).all():
      raise ValueError(
        "features have NaN or infinity; extract this video again."
      )

  def check_kind(self, kind: str) -> None:
    """Refuses features that are known to be of another kind than the model's.

    Raises:
      ValueError: With both kinds.
    """
    if kind and self.kind and kind != self.kind:
      raise ValueError(
        f"features are of the kind {kind!r}, but the model was trained on "
        f"{self.kind!r}; scores would mean nothing. Extract features of that "
        "kind, or score with a model of this one."
      )

  def fingerprint(self) -> str:
    """A hash of all that its scores depend on, 16 hexadecimal digits."""
    config = self.model.config
    switches = config.switches
    settings = {
      "model": config.snippet.model.to_dict(),
      "mask_padded_keys": switches.mask_padded_keys,
      "rotary_query_shift": switches.rotary_query_shift,
      "precision": config.precision,
      "normalization": self.model.normalization.to_json(),
    }
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    leaves = jax.tree.leaves_with_path(self.model.params["snippet"])
    for path, leaf in leaves:
      found.update(f"{path}{leaf.shape}{leaf.dtype}".encode())
      found.update(np.ascontiguousarray(leaf).data)
    return found.hexdigest()[:16]


def as_crops(features: np.ndarray) -> Float[np.ndarray, "c t d"]:
  """Features [T, D] or [T, C, D] with the crops first.

  Raises:
    ValueError: Another shape, or no floating-point numbers.
  """
  features = np.asarray(features)
  if features.ndim not in (2, 3) or features.dtype.kind != "f":
    raise ValueError(
      f"features are {features.dtype} {features.shape}; allowed: "
      "floating-point [T, D] or [T, C, D] (snippets, crops, channels)."
    )
  if features.ndim == 2:
    return features[None]
  return features.transpose(1, 0, 2)


def load_scorer(
  path: str | Path,
  which: str | int = "best",
  *,
  window: int | None = None,
  overlap: int | None = None,
) -> TrainedScorer:
  """Loads a trained model as a scorer.

  Args:
    path: A run's folder, or one of its checkpoints (`RUN/checkpoints/STEP`).
    which: "best" by the selection metric, "last", or a step; a path of a
      checkpoint says it itself.
    window: See `TrainedScorer`.
    overlap: See `TrainedScorer`.

  Returns:
    The scorer; `scorer.score(features)` gives the scores of features [T, D] or
    [T, C, D].

  Raises:
    CheckpointError: No such checkpoint, or a damaged one.
    ValueError: A window or an overlap out of range.
    WorkdirError: The path is neither a run nor a checkpoint.
  """
  place = sharding.replicated(sharding.make_mesh())
  # Those of a float64 run are read as they are.
  with jax.enable_x64(True):
    model = load_model.load_model(path, which, sharding=place)
  return TrainedScorer(model, window=window, overlap=overlap)
