"""Frame labels: spans of anomalous frames, and masks with one value per frame.

Spans are half-open, [start, end), as the annotations give their numbers.
Source: docs/method.md, section 6.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int, Shaped

Span = tuple[int, int]
SPAN_ENDS = ("exclusive", "inclusive")


def frame_labels(
  spans: Int[np.ndarray, "s 2"] | Sequence[Span],
  frames: int,
  *,
  span_ends: str = "exclusive",
) -> Bool[np.ndarray, "frames"]:
  """Whether each frame is anomalous.

  Args:
    spans: Start and end of each anomaly; parts beyond the video are clipped.
    frames: Frames of the video.
    span_ends: "exclusive": the end is the first normal frame; "inclusive":
      the last anomalous one.

  Returns:
    One value per frame.

  Raises:
    ValueError: Another `span_ends`.
  """
  if span_ends not in SPAN_ENDS:
    raise ValueError(
      f"span_ends is {span_ends!r}; allowed: {', '.join(SPAN_ENDS)}."
    )
  labels = np.zeros(frames, bool)
  for start, end in spans:
    labels[start : end + (span_ends == "inclusive")] = True
  return labels


def mask_to_spans(mask: Shaped[np.ndarray, "frames"]) -> tuple[Span, ...]:
  """Half-open spans of the frames of a mask that are not 0."""
  edges = np.flatnonzero(np.diff(np.concatenate([[0], mask != 0, [0]])))
  return tuple((int(a), int(b)) for a, b in edges.reshape(-1, 2))
