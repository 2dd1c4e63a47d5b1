"""Everything about meshes: a data axis over every device of the job.

Parameters, optimiser states and the memory are replicated; batches are divided
over the axis "data" along the videos.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

AXIS = "data"


def make_mesh(num_devices: int | None = None) -> jax.sharding.Mesh:
  """One axis over all devices of the job (or the first `num_devices`).

  Not `jax.make_mesh`, which mixes the processes of a TPU slice to suit
  its wiring: the rows of a batch are divided over the devices in the order of
  the processes that read them.

  Raises:
    ValueError: The processes have different numbers of devices.
  """
  devices = by_process(jax.devices())
  return Mesh(
    np.array(devices[:num_devices]), (AXIS,), axis_types=(AxisType.Auto,)
  )


def by_process(devices: Sequence[Any]) -> list[Any]:
  """Devices, those of each process together.

  Raises:
    ValueError: The processes have different numbers of them.
  """
  counts = Counter(device.process_index for device in devices)
  if len(set(counts.values())) > 1:
    raise ValueError(
      "Devices by process: "
      f"{', '.join(f'{k}: {counts[k]}' for k in sorted(counts))}; give every "
      "process the same number."
    )
  return sorted(devices, key=lambda device: (device.process_index, device.id))


def replicated(mesh: jax.sharding.Mesh) -> NamedSharding:
  """Every device has a copy."""
  return NamedSharding(mesh, PartitionSpec())


def by_video(mesh: jax.sharding.Mesh, axis: int = 0) -> NamedSharding:
  """One axis, by default the first, is divided over the devices."""
  return NamedSharding(mesh, PartitionSpec(*[None] * axis, AXIS))


def put_batch(batch: Any, mesh: jax.sharding.Mesh, axis: int = 0) -> Any:
  """Makes global arrays of this process's rows lo:hi of a batch.

  Args:
    batch: Arrays.
    mesh: The devices.
    axis: Of the videos.
  """
  sharding = by_video(mesh, axis)
  return jax.tree.map(
    lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)),
    batch,
  )


def put_whole(batch: Any, mesh: jax.sharding.Mesh) -> Any:
  """Makes global arrays of a batch that every process has in full."""
  sharding = by_video(mesh)
  return jax.tree.map(
    lambda x: jax.make_array_from_callback(x.shape, sharding, x.__getitem__),
    batch,
  )


def put_copies(x: np.ndarray, mesh: jax.sharding.Mesh) -> jax.Array:
  """A copy on every device of an array that every process has in full."""
  return jax.make_array_from_callback(x.shape, replicated(mesh), x.__getitem__)


def free_bytes(mesh: Any) -> int | None:
  """Memory that is free on this process's fullest device, None if unknown."""
  known = [device.memory_stats() for device in mesh.local_devices]
  if not all(known):
    return None
  return min(stats["bytes_limit"] - stats["bytes_in_use"] for stats in known)


def fetch(x: jax.Array) -> np.ndarray:
  """A global array as NumPy, in every process."""
  if jax.process_count() == 1:
    return np.asarray(x)
  gathered = multihost_utils.process_allgather(x, tiled=True)
  # A dead peer raises a JaxRuntimeError here, a ValueError in NumPy.
  return np.asarray(jax.block_until_ready(gathered))


def replicate(x: Any) -> Any:
  """Inside jit: gathers arrays to every device of the mesh in use, if any."""
  if jax.sharding.get_abstract_mesh().empty:
    return x
  return jax.lax.with_sharding_constraint(x, PartitionSpec())
