"""The values that a configuration's fields may have."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from adplg_jax.data.frames import SPAN_ENDS
from adplg_jax.data.normalize import KINDS
from adplg_jax.run.config import flatten


class _Rule(NamedTuple):
  allowed: str
  holds: Callable[[Any], bool]


def _one_of(*values: Any) -> _Rule:
  return _Rule(" | ".join(map(str, values)), lambda x: x in values)


_AT_LEAST_0 = _Rule("0 or more", lambda x: x >= 0)
_AT_LEAST_1 = _Rule("1 or more", lambda x: x >= 1)
_POSITIVE = _Rule("above 0", lambda x: x > 0)
_RATE = _Rule("from 0 up to, not including, 1", lambda x: 0 <= x < 1)
_SHARE = _Rule("above 0 and below 1", lambda x: 0 < x < 1)
_FINITE = _Rule("a finite number", math.isfinite)
_ANY = _Rule("true or false", lambda x: isinstance(x, bool))

_RULES = {
  "seed": _Rule("from 0 to 2**31 - 1", lambda x: 0 <= x < 2**31),
  "data.variant": _Rule(
    "the name of a prepared data set, as in --config=folder:NAME",
    bool,
  ),
  "data.normalize": _one_of(*KINDS),
  "data.cache_gib": _AT_LEAST_0,
  "data.read_threads": _AT_LEAST_1,
  "data.resident": _one_of("auto", "on", "off"),
  "batch_size": _AT_LEAST_1,
  "num_segments": _Rule("2 or more", lambda x: x >= 2),
  "total_steps": _AT_LEAST_0,
  "warm_up_steps": _AT_LEAST_0,
  "precision": _one_of("float32", "bfloat16", "float64"),
  "matmul_precision": _one_of("default", "high", "highest"),
  "deterministic": _ANY,
  "video.model.dropout": _RATE,
  "video.optimizer.learning_rate": _POSITIVE,
  "video.optimizer.weight_decay": _AT_LEAST_0,
  "snippet.model.dropout": _RATE,
  "snippet.model.block_dropout": _RATE,
  "snippet.optimizer.learning_rate": _POSITIVE,
  "snippet.optimizer.decay_factor": _POSITIVE,
  "snippet.optimizer.weight_decay": _AT_LEAST_0,
  "snippet.model.num_blocks": _AT_LEAST_0,
  "snippet.model.windows": _Rule(
    "one or more different whole numbers above 0",
    lambda x: (
      len(x) > 0
      and len(set(x)) == len(x)
      and all(isinstance(window, int) and window >= 1 for window in x)
    ),
  ),
  "pseudo_labels.mean_threshold": _Rule("from 0 to 1", lambda x: 0 <= x <= 1),
  "pseudo_labels.variance_threshold": _Rule(
    "from 0 to 1", lambda x: 0 <= x <= 1
  ),
  "switches.smooth_axis": _one_of("batch", "time"),
  "switches.history_key": _one_of("video", "crop"),
  "switches.bce": _one_of("probabilities", "logits"),
  "switches.span_ends": _one_of(*SPAN_ENDS),
  "switches.average_precision": _one_of("trapezoid", "step"),
  "checkpoint.keep_every_steps": _AT_LEAST_0,
  "selection.split": _one_of("test", "validation"),
  "selection.metric": _one_of(
    "frame_auc", "frame_ap", "anomalous_auc", "video_auc"
  ),
  "selection.validation_share": _SHARE,
}


def check_config(config: Any) -> None:
  """Refuses values that no run could use.

  Raises:
    ValueError: Naming each such field, its value and what is allowed.
  """
  fields = flatten(config.to_dict())
  wrong = []
  for name, value in fields.items():
    rule = _RULES.get(name)
    if rule is None and isinstance(value, int) and not isinstance(value, bool):
      rule = _AT_LEAST_1
    if isinstance(value, float) and not math.isfinite(value):
      rule = _FINITE
    if rule is not None and not rule.holds(value):
      wrong.append(f"config.{name} is {value!r}; allowed: {rule.allowed}.")
  last_seed = fields["seed"] + fields["seeds"] - 1
  if not wrong and last_seed >= 2**31:
    wrong.append(
      f"config.seeds is {fields['seeds']}, so that the last seed is "
      f"{last_seed}; allowed: up to 2**31 - 1."
    )
  width = fields["snippet.model.width"]
  windows = len(fields["snippet.model.windows"])
  if not wrong and width < windows:
    wrong.append(
      f"config.snippet.model.width is {width}; allowed: at least the number of "
      f"windows, {windows}."
    )
  head_width = fields["snippet.model.local_head_width"]
  if head_width % 2:
    wrong.append(
      f"config.snippet.model.local_head_width is {head_width}; allowed: even "
      "numbers, since the rotary embedding rotates pairs of channels."
    )
  synchronous = fields["pseudo_labels.synchronous"]
  if not synchronous and not fields["warm_up_steps"]:
    wrong.append(
      "config.pseudo_labels.synchronous is False, but config.warm_up_steps is "
      "0, so that there are no labels; allowed: 1 or more warm-up steps."
    )
  if wrong:
    raise ValueError("\n".join(wrong))


def check_batch_size(
  batch_size: int, *, devices: int, normal: int, anomalous: int
) -> None:
  """Refuses a batch that the devices cannot share or the data cannot fill.

  Args:
    batch_size: B.
    devices: Devices of the job.
    normal: Normal training crops.
    anomalous: Anomalous training crops.

  Raises:
    ValueError: Naming the size and sizes that are allowed.
  """
  if batch_size % devices:
    below = batch_size // devices * devices
    choices = [str(b) for b in (below, below + devices) if b]
    raise ValueError(
      f"config.batch_size is {batch_size}, which {devices} devices cannot "
      f"share evenly; use {' or '.join(choices)}."
    )
  for name, count in (("normal", normal), ("anomalous", anomalous)):
    if count < batch_size:
      raise ValueError(
        f"config.batch_size is {batch_size}, but there are only {count} "
        f"{name} training crops; lower it, or prepare more data."
      )
