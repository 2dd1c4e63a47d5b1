"""All that knows meshes: a data axis over every device of the job.

Parameters, optimiser states and the memory are replicated; batches are divided
over the axis "data" along the videos.
"""

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

AXIS = "data"


def make_mesh(num_devices: int | None = None) -> jax.sharding.Mesh:
  """One axis over all devices of the job (or the first `num_devices`)."""
  devices = jax.devices()[:num_devices]
  return jax.make_mesh(
    (len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices
  )


def check_batch_size(batch_size: int, num_devices: int) -> None:
  """Refuses a batch that the devices cannot share evenly.

  Raises:
    ValueError: With the nearest sizes that would do.
  """
  if batch_size % num_devices:
    below = batch_size // num_devices * num_devices
    choices = [str(b) for b in (below, below + num_devices) if b]
    raise ValueError(
      f"config.batch_size {batch_size} cannot be divided over {num_devices} "
      f"devices; {' or '.join(choices)} would do."
    )


def replicated(mesh: jax.sharding.Mesh) -> NamedSharding:
  """Every device holds the whole."""
  return NamedSharding(mesh, PartitionSpec())


def by_video(mesh: jax.sharding.Mesh) -> NamedSharding:
  """The first axis is divided over the devices."""
  return NamedSharding(mesh, PartitionSpec(AXIS))


def put_batch(batch: Any, mesh: jax.sharding.Mesh) -> Any:
  """Makes global arrays of this process's rows lo:hi of a batch."""
  sharding = by_video(mesh)
  return jax.tree.map(
    lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)),
    batch,
  )


def put_whole(batch: Any, mesh: jax.sharding.Mesh) -> Any:
  """Makes global arrays of a batch that every process holds whole."""
  sharding = by_video(mesh)
  return jax.tree.map(
    lambda x: jax.make_array_from_callback(x.shape, sharding, x.__getitem__),
    batch,
  )


def fetch(x: jax.Array) -> np.ndarray:
  """The whole of a global array, in every process."""
  if jax.process_count() == 1:
    return np.asarray(x)
  return np.asarray(multihost_utils.process_allgather(x, tiled=True))


def replicate(x: Any) -> Any:
  """Inside jit: gathers arrays to every device of the mesh in use, if any."""
  if jax.sharding.get_abstract_mesh().empty:
    return x
  return jax.lax.with_sharding_constraint(x, PartitionSpec())
