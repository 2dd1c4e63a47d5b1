"""Scores of a video that goes on: bounded memory, a stated look-ahead.

New snippets are scored in blocks of `hop`, each in a window that ends
`look_ahead` snippets after the block and begins up to `context` before that
end. What the window before said of a block's first snippets, as its look-ahead,
fades out over them, as at the seams of `windows`.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from adplg_jax.data.pipeline import padded_length

CONTEXT, HOP, LOOK_AHEAD = 256, 4, 8


class StreamScorer:
  """Scores snippets as they come.

  The scores do not depend on how many snippets are pushed at a time. Once they
  are complete, a snippet's score comes `look_ahead` to `look_ahead + hop - 1`
  snippets after it.

  Attributes:
    context: Snippets of a window, and the most that are kept.
    hop: Snippets that are scored at a time.
    look_ahead: Snippets after a block that must be there before it is scored.
    given: Snippets whose scores were given.
  """

  def __init__(
    self,
    score: Callable[[Float[np.ndarray, "c t d"]], Float[np.ndarray, "t"]],
    *,
    context: int = CONTEXT,
    hop: int = HOP,
    look_ahead: int = LOOK_AHEAD,
  ):
    """Begins a video.

    Args:
      score: Scores a window.
      context: See the class.
      hop: See the class.
      look_ahead: See the class.

    Raises:
      ValueError: One of them is out of range.
    """
    if hop < 1 or look_ahead < 0 or context < hop + look_ahead:
      raise ValueError(
        f"context {context}, hop {hop}, look-ahead {look_ahead} snippets; "
        "allowed: a hop of 1 or more, a look-ahead of 0 or more, a context of "
        "both together or more."
      )
    self.context, self.hop, self.look_ahead = context, hop, look_ahead
    self.given = 0
    self._score = score
    # The latest snippets, [C, up to context, D], and how many came in all.
    self._held = np.zeros((0, 0, 0), np.float32)
    self._seen = 0
    # What the last window said of the snippets after its block.
    self._ahead = np.zeros(0)

  def warm_up(self, features: Float[np.ndarray, "c d"]) -> None:
    """Compiles for every length that a window is padded to.

    Args:
      features: Of any snippet of the kind that will be pushed.
    """
    longest: dict[int, int] = {}
    for length in range(1, self.context + 1):
      longest[padded_length(length, self.context)] = length
    for length in longest.values():
      self._score(np.repeat(features[:, None], length, axis=1))

  def push(self, features: np.ndarray) -> Float[np.ndarray, "n"]:
    """Takes new snippets.

    Args:
      features: [T, D] or [T, C, D], T of 0 or more, as `TrainedScorer.score`
        takes them.

    Returns:
      The scores that are now complete, from snippet `given` on as it was
      before; often none.

    Raises:
      ValueError: Another shape than those before.
    """
    new = np.asarray(features)
    new = new[None] if new.ndim == 2 else new.transpose(1, 0, 2)
    if not self._seen:
      self._held = new[:, :0]
    crops, _, width = self._held.shape
    if (len(new), new.shape[2]) != (crops, width):
      raise ValueError(
        f"{len(new)} crops of {new.shape[2]} channels, but those before had "
        f"{crops} of {width}."
      )
    scores = [np.zeros(0)]
    while new.shape[1]:
      needed = self.given + self.hop + self.look_ahead - self._seen
      self._take(new[:, :needed])
      new = new[:, needed:]
      if self._seen == self.given + self.hop + self.look_ahead:
        scores.append(self._score_block(self.hop))
    return np.concatenate(scores)

  def finish(self) -> Float[np.ndarray, "n"]:
    """The scores of all snippets that have none yet: the video ends here."""
    if self._seen == self.given:
      return np.zeros(0)
    return self._score_block(self._seen - self.given)

  def _take(self, new: Float[np.ndarray, "c n d"]) -> None:
    """Keeps the latest snippets."""
    held = np.concatenate([self._held, new], axis=1)
    # A copy: the larger array is not kept for its part.
    self._held = held[:, -self.context :].copy()
    self._seen += new.shape[1]

  def _score_block(self, size: int) -> Float[np.ndarray, "n"]:
    """Scores the next snippets in the window of all that are kept."""
    scores = self._score(self._held)[-(self._seen - self.given) :]
    seam = min(len(self._ahead), size)
    weights = (np.arange(seam) + 1) / (seam + 1)
    scores = np.array(scores)
    scores[:seam] = weights * scores[:seam] + (1 - weights) * self._ahead[:seam]
    self._ahead = scores[size:]
    self.given += size
    return scores[:size]
