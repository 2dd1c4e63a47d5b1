"""All processes of a job must agree on a run before it starts.

They exchange settings through the job's coordinator, not through devices, so
that even processes of another precision or with other devices can be compared.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

# There is no public way to the coordinator's store.
from jax._src import distributed

from adplg_jax.run.config import flatten

# These may differ from host to host; the data's fingerprint shows whether the
# data are the same.
_OWN_FIELDS = (
  "config.data_dir",
  "config.data.cache_gib",
  "config.data.read_threads",
)
_REFUSAL = "refusal"
# Longer than it takes to notice that a process died.
_TIMEOUT_MS = 300_000


class DisagreementError(Exception):
  """Processes that were started with different settings or data."""


@contextlib.contextmanager
def shared_refusal() -> Iterator[None]:
  """Reports a ValueError to the other processes, waiting in `check_agreement`.

  The error is raised again once all of them have received it.
  """
  try:
    yield
  except ValueError as error:
    _exchange({_REFUSAL: str(error)})
    raise


def check_agreement(mine: Mapping[str, Any]) -> None:
  """Compares what this process was given with what the others were.

  Args:
    mine: Settings and properties of the data, as JSON.

  Raises:
    DisagreementError: In every process, naming the fields and their values, or
      what another process refuses.
  """
  everyone = _exchange(
    {k: v for k, v in flatten(mine).items() if k not in _OWN_FIELDS}
  )
  refusals = [
    f"  process {index}: {given[_REFUSAL]}"
    for index, given in enumerate(everyone)
    if _REFUSAL in given
  ]
  if refusals:
    raise DisagreementError(
      "Other processes of this job refuse to run:\n" + "\n".join(refusals)
    )
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


def _exchange(mine: Mapping[str, Any]) -> list[dict[str, Any]]:
  """What each process gives, in their order; once a run."""
  job = distributed.global_state
  if job.client is None:
    return [dict(mine)]
  place = "adplg_jax/agreement"
  job.client.key_value_set(f"{place}/{job.process_id}", json.dumps(mine))
  everyone = [
    json.loads(
      job.client.blocking_key_value_get(f"{place}/{index}", _TIMEOUT_MS)
    )
    for index in range(job.num_processes)
  ]
  # The first process is the coordinator: it stays until all have read.
  job.client.wait_at_barrier(place, _TIMEOUT_MS)
  return everyone
