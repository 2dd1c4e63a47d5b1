"""The same small set of values under every naming scheme."""

import functools

import numpy as np

from adplg_jax.video import i3d_names


@functools.cache
def ours(classes=400):
  """Random tensors by our names."""
  rng = np.random.default_rng(0)
  tensors = {}
  for name, _, shape in i3d_names.entries(i3d_names.OURS, classes):
    x = rng.standard_normal(shape).astype(np.float32)
    tensors[name] = np.abs(x) if name.endswith("/var") else x
  return tensors


def renamed(scheme, classes=400):
  """The same under the names, and in the shapes, of a scheme."""
  tensors = {}
  for entry in i3d_names.entries(scheme, classes):
    if entry.ours.endswith("/scale"):
      tensors[entry.theirs] = np.ones(entry.shape, np.float32)
      continue
    x = ours(classes)[entry.ours]
    if len(entry.shape) == 5:
      x = x.reshape((1,) * (5 - x.ndim) + x.shape)
      x = x.transpose(4, 3, 0, 1, 2) if scheme.torch else x
    elif scheme in (i3d_names.FLAX, i3d_names.TENSORFLOW) and (
      entry.ours.endswith(("/mean", "/var"))
    ):
      x = x.reshape(1, 1, 1, 1, -1)
    tensors[entry.theirs] = x
  return tensors
