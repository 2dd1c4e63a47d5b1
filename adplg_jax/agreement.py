"""All processes of a job must mean the same run before they start it."""

import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from adplg_jax.workdir import flatten

# What may differ from host to host.
_OWN_FIELDS = (
  "config.data_dir",
  "config.data.cache_gib",
  "config.data.read_threads",
)


class DisagreementError(Exception):
  """Processes that were started with different settings or data."""


def check_agreement(mine: Mapping[str, Any]) -> None:
  """Compares what this process was given with what the others were.

  Args:
    mine: Settings and facts of the data, as JSON can hold them.

  Raises:
    DisagreementError: In every process, naming the fields and their values.
  """
  if jax.process_count() == 1:
    return
  fields = {
    name: value
    for name, value in flatten(mine).items()
    if name not in _OWN_FIELDS
  }
  text = np.frombuffer(json.dumps(fields).encode(), np.uint8)
  sizes = multihost_utils.process_allgather(np.array(len(text)))
  padded = np.pad(text, (0, int(np.max(sizes)) - len(text)))
  rows = multihost_utils.process_allgather(padded)
  everyone = [
    json.loads(row[:size].tobytes())
    for row, size in zip(np.asarray(rows), np.ravel(sizes), strict=True)
  ]
  lines = [
    f"  {name}: {[given.get(name) for given in everyone]}"
    for name in sorted(set().union(*everyone))
    if any(given.get(name) != everyone[0].get(name) for given in everyone)
  ]
  if lines:
    raise DisagreementError(
      "The processes of this job disagree (values by process):\n"
      + "\n".join(lines)
      + "\nStart all of them with the same configuration and data."
    )
