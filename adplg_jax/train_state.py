"""The train state: step, both branches, the pseudo-label memory.

No random key: a step's numbers are a function of (seed, step).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from adplg_jax import pseudo_labels
from adplg_jax.method import Method


@struct.dataclass
class BranchState:
  """Parameters of a branch and the state of its optimiser."""

  params: Any
  opt_state: Any


@struct.dataclass
class TrainState:
  """All that training carries from step to step.

  Attributes:
    step: [] int32. Steps done.
    video: The video branch.
    snippet: The snippet branch.
    memory: Raw pseudo-labels of every key.
  """

  step: Any
  video: BranchState
  snippet: BranchState
  memory: pseudo_labels.Memory


def init_state(method: Method, seed: Any) -> TrainState:
  """The state before the first step, a function of the seed alone.

  Args:
    method: What is trained.
    seed: The run's seed.

  Returns:
    A state at step 0, with an empty memory.
  """
  video_key, snippet_key = jax.random.split(jax.random.key(seed))
  dtype = method.video_branch.param_dtype
  x = jnp.zeros((1, method.num_segments, method.feature_width), dtype)
  lengths = jnp.full((1,), method.num_segments, jnp.int32)
  video = method.video_branch.init(video_key, x, x, lengths, lengths)["params"]
  snippet = method.snippet_branch.init(snippet_key, x, lengths)["params"]
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    video=BranchState(video, method.video_optimizer.init(video)),
    snippet=BranchState(snippet, method.snippet_optimizer.init(snippet)),
    memory=pseudo_labels.init_memory(
      method.num_keys,
      method.pseudo_labels.history_length,
      method.num_segments,
      dtype,
    ),
  )
