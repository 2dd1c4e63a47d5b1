"""From a crop's snippets to what training reads: N segments, audio joined.

Source: docs/method.md, section 1.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from adplg_jax.data.frames import frame_labels

AUDIO_SLACK = 2


def segment_means(
  features: Float[np.ndarray, "t d"], num_segments: int
) -> Float32[np.ndarray, "n d"]:
  """Averages a crop into segments of as equal length as can be.

  Segment i is the mean of rows r[i] .. r[i+1] - 1 with r = floor(linspace(0,
  T, N + 1)), or row r[i] alone when there is none between. Source: method.md,
  section 1.

  Args:
    features: One crop.
    num_segments: N.

  Returns:
    The means.
  """
  borders = np.linspace(0, len(features), num_segments + 1).astype(int)
  means = np.empty((num_segments, features.shape[1]), np.float32)
  for i, (start, end) in enumerate(itertools.pairwise(borders)):
    rows = features[start : max(end, start + 1)]
    np.mean(rows, axis=0, dtype=np.float32, out=means[i])
  return means


def pad_or_average(
  features: Float[np.ndarray, "t d"], num_segments: int
) -> tuple[Float32[np.ndarray, "n d"], int]:
  """Averages a long crop into segments; pads a short one with zeros.

  For CLIP features. Source: method.md, section 1.

  Args:
    features: One crop.
    num_segments: N.

  Returns:
    The segments, and how many of them are not padding.
  """
  length = len(features)
  if length > num_segments:
    return segment_means(features, num_segments), num_segments
  padded = np.zeros((num_segments, features.shape[1]), np.float32)
  padded[:length] = features
  return padded, length


def segment_truth(
  example: Mapping[str, Any], *, span_ends: str
) -> Float32[np.ndarray, "n"]:
  """The share of anomalous frames in each segment of a training example.

  Args:
    example: An anomalous one, as it is read.
    span_ends: See `frame_labels`; exact spans are half-open anyway.

  Returns:
    The shares; 0 in padding, NaN everywhere where the spans are not known.
  """
  num_segments, length = len(example["features"]), int(example["length"])
  if not len(example["spans"]):
    return np.full(num_segments, np.nan, np.float32)
  frames, step = int(example["frames"]), int(example["frames_per_snippet"])
  window = int(example["window"])
  labels = frame_labels(
    example["spans"],
    frames,
    span_ends="exclusive" if example["exact_spans"] else span_ends,
  )
  snippets = length
  if length == num_segments:
    snippets = max(-(-(frames - window) // step), 0) + 1
  # Frames belong to the snippet whose centre is nearest, as their scores do.
  own = (np.arange(frames) - (window - step) // 2) // step
  own = np.clip(own, 0, snippets - 1)
  count = np.bincount(own, minlength=snippets)
  shares = np.bincount(own, labels, snippets) / np.maximum(count, 1)
  if length < num_segments:
    return pad_or_average(shares[:, None], num_segments)[0][:, 0]
  return segment_means(shares[:, None], num_segments)[:, 0]


def join_audio(
  features: Float[np.ndarray, "t d"], audio: Float[np.ndarray, "s a"]
) -> Float[np.ndarray, "t e"]:
  """Appends audio channels to the visual ones, at the visual length.

  Longer audio is cut, shorter audio repeats its last row. Source:
  docs/datasets.md, what is checked.

  Args:
    features: One crop.
    audio: Audio of the same video.

  Returns:
    The joined channels, in the wider of both types.

  Raises:
    ValueError: The lengths differ by more than two rows.
  """
  missing = len(features) - len(audio)
  if abs(missing) > AUDIO_SLACK:
    raise ValueError(
      f"{len(audio)} rows of audio for {len(features)} snippets; at most "
      f"{AUDIO_SLACK} more or fewer are brought to fit. Extract one of the "
      "two again."
    )
  rows = np.minimum(np.arange(len(features)), len(audio) - 1)
  return np.concatenate([features, audio[rows]], axis=1)
