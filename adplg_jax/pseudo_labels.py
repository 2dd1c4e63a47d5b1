"""PLG: the memory of raw pseudo-labels, and their denoising.

Pure functions on arrays; the memory lives on the device, in the train state.
Source: docs/method.md, section 3.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int


@struct.dataclass
class Memory:
  """The last raw pseudo-labels of every key.

  Attributes:
    history: [k, h, n]. The entries of each key, oldest first, right-aligned: a
      key with c entries has them in its last c places, zeros before.
    count: [k] int32. How many entries each key has, at most H.
  """

  # Not annotated as arrays: shapes and shardings may be in their place.
  history: Any
  count: Any


class PseudoLabels(NamedTuple):
  """Labels of a batch of anomalous videos.

  Attributes:
    labels: Soft (raw) or binarised pseudo-labels.
    hard: Hard snippets, to be left out of the loss altogether.
  """

  labels: Float[Array, "b n"]
  hard: Bool[Array, "b n"]


class Quality(NamedTuple):
  """How well labels agree with the truth, over frames.

  Attributes:
    precision: Share of what is labelled anomalous that is; NaN where nothing
      is labelled so.
    recall: Share of what is anomalous that is labelled so; NaN where nothing
      is anomalous, or no truth is known.
  """

  precision: Float[Array, ""]
  recall: Float[Array, ""]


def init_memory(
  num_keys: int, history_length: int, num_segments: int, dtype=jnp.float32
) -> Memory:
  """An empty memory.

  Raises:
    ValueError: A history of no entries.
  """
  if history_length < 1:
    raise ValueError(
      f"history_length is {history_length}; it must be at least 1."
    )
  return Memory(
    history=jnp.zeros((num_keys, history_length, num_segments), dtype),
    count=jnp.zeros((num_keys,), jnp.int32),
  )


def min_max(
  x: Float[Array, "*b n"], valid: Bool[Array, "*b n"] | None = None
) -> Float[Array, "*b n"]:
  """Min-max normalisation over the last axis; 0 where not valid."""
  if valid is None:
    low, high = x.min(-1, keepdims=True), x.max(-1, keepdims=True)
    return (x - low) / (high - low + 1e-8)
  low = x.min(-1, keepdims=True, where=valid, initial=jnp.inf)
  high = x.max(-1, keepdims=True, where=valid, initial=-jnp.inf)
  return jnp.where(valid, (x - low) / (high - low + 1e-8), 0)


def denoise(
  window: Float[Array, "b h n"],
  valid: Bool[Array, "b n"],
  *,
  mean_threshold: float,
  variance_threshold: float,
) -> PseudoLabels:
  """Binary labels and hard snippets from a full history of raw labels.

  High: normalised mean over time >= mean_threshold. Hard: normalised unbiased
  variance over time > variance_threshold; the variance of one entry is 0.
  """
  mean = min_max(window.mean(1), valid)
  if window.shape[1] == 1:
    variance = jnp.zeros_like(mean)
  else:
    variance = min_max(window.var(1, ddof=1), valid)
  high = (mean >= mean_threshold) & valid
  return PseudoLabels(
    labels=high.astype(window.dtype), hard=variance > variance_threshold
  )


def update(
  memory: Memory,
  keys: Int[Array, "b"],
  raw: Float[Array, "b n"],
  valid: Bool[Array, "b n"],
  *,
  mean_threshold: float,
  variance_threshold: float,
) -> tuple[Memory, PseudoLabels]:
  """Appends a batch to the memory, in order, and makes its labels.

  Item i sees the entries of earlier items of the same key. Without a loop:
  append to the H entries of its key, in order, the batch's items of that key up
  to i; the last H of that sequence are the memory's entries after item i.

  Args:
    memory: The memory before the batch.
    keys: Key of each item, within 0..K-1, repeated or not.
    raw: Raw pseudo-labels.
    valid: Segments that are not padding; padding is labelled hard.
    mean_threshold: See `denoise`.
    variance_threshold: See `denoise`.

  Returns:
    The memory after the batch, and labels through which no gradient flows.
  """
  raw = jax.lax.stop_gradient(raw).astype(memory.history.dtype)
  places = memory.history.shape[1]
  same = keys[:, None] == keys[None, :]
  rank = jnp.tril(same, -1).sum(1, dtype=jnp.int32)
  is_last = ~jnp.triu(same, 1).any(1)

  place = rank[:, None] + 1 + jnp.arange(places, dtype=jnp.int32)
  old = jnp.take_along_axis(
    memory.history[keys],
    jnp.minimum(place, places - 1)[:, :, None],
    axis=1,
  )
  is_source = same[:, None, :] & (rank == (place - places)[:, :, None])
  new = raw[jnp.argmax(is_source, axis=-1)]
  window = jnp.where((place < places)[:, :, None], old, new)

  count = memory.count[keys] + rank
  denoised = denoise(
    window,
    valid,
    mean_threshold=mean_threshold,
    variance_threshold=variance_threshold,
  )
  ready = (count >= places)[:, None]
  labels = PseudoLabels(
    labels=jnp.where(ready, denoised.labels, raw),
    hard=(ready & denoised.hard) | ~valid,
  )
  # One write a key: a scatter with repeated keys has no defined winner.
  target = jnp.where(is_last, keys, memory.count.shape[0])
  return (
    Memory(
      history=memory.history.at[target].set(window, mode="drop"),
      count=memory.count.at[target].set(
        jnp.minimum(count + 1, places), mode="drop"
      ),
    ),
    labels,
  )


def remembered(
  memory: Memory,
  keys: Int[Array, "b"],
  valid: Bool[Array, "b n"],
  *,
  mean_threshold: float,
  variance_threshold: float,
) -> PseudoLabels:
  """Makes labels of what a memory holds, and adds nothing to it.

  Keys of H entries have the labels of `denoise`, those of fewer their newest
  raw ones; snippets of a key without entries are all hard.

  Args:
    memory: The memory.
    keys: See `update`.
    valid: See `update`.
    mean_threshold: See `denoise`.
    variance_threshold: See `denoise`.

  Returns:
    The labels.
  """
  window, count = memory.history[keys], memory.count[keys][:, None]
  denoised = denoise(
    window,
    valid,
    mean_threshold=mean_threshold,
    variance_threshold=variance_threshold,
  )
  ready = count >= window.shape[1]
  return PseudoLabels(
    labels=jnp.where(ready, denoised.labels, window[:, -1]),
    hard=(ready & denoised.hard) | ~valid | (count == 0),
  )


def quality(
  labels: PseudoLabels, truth: Float[Array, "b n"], *, mean_threshold: float
) -> Quality:
  """Measures the labels of segments that are not hard.

  Args:
    labels: Of a batch; soft ones count as high from mean_threshold on.
    truth: Share of anomalous frames in each segment, NaN where not known.
    mean_threshold: See `denoise`.

  Returns:
    Precision and recall, each segment weighing the same.
  """
  counted = ~labels.hard & jnp.isfinite(truth)
  truth = jnp.where(counted, truth, 0).astype(labels.labels.dtype)
  high = counted & (labels.labels >= mean_threshold)
  both = jnp.where(high, truth, 0).sum()
  return Quality(precision=both / high.sum(), recall=both / truth.sum())
