"""Weights of CLIP's image tower: from a folder to variables, by a hash.

The folder has config.json and model.safetensors, whole or in parts, under the
names of the library transformers; a text tower in it is not read.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import traverse_util

from adplg_jax.video import weight_files
from adplg_jax.video.clip import Architecture
from adplg_jax.video.clip_config import CONFIG, read_architecture
from adplg_jax.video.weight_files import WeightsError

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_IGNORED = (
  "text_model.",
  "text_projection.",
  "logit_scale",
  "vision_model.embeddings.position_ids",
)
# Lines of a refusal.
_MOST = 20
_LAYERS = {
  "query": "self_attn.q_proj",
  "key": "self_attn.k_proj",
  "value": "self_attn.v_proj",
  "out": "self_attn.out_proj",
}


class Weights(NamedTuple):
  """Variables of `Clip`.

  Attributes:
    variables: Its collection params, float32.
    sizes: Of the tower.
    sha256: Hash of the weights, of the number of heads and of the epsilon, in
      hexadecimal; the other sizes are those of the weights.
  """

  variables: dict[str, Any]
  sizes: Architecture
  sha256: str


class Entry(NamedTuple):
  """A tensor under both names.

  Attributes:
    ours: Its name here, as "layer0/query/kernel".
    theirs: Its name there.
    shape: Its shape there.
  """

  ours: str
  theirs: str
  shape: tuple[int, ...]


def load_weights(folder: str | Path) -> Weights:
  """Weights of a folder.

  Args:
    folder: Has config.json, and model.safetensors or its parts with their
      index; of float32, float16 or bfloat16 tensors.

  Returns:
    The weights.

  Raises:
    WeightsError: Something cannot be read, or is of another network, or tensors
      are missing, not expected, of another shape or without a value; names
      them.
  """
  folder = Path(folder)
  if not folder.is_dir():
    raise WeightsError(
      f"{folder} is no folder; CLIP's weights are one, with {CONFIG} and "
      f"{WHOLE} in it (docs/extraction.md)."
    )
  sizes = read_architecture(folder)
  tensors = dict(_read(folder))
  expected = list(entries(sizes))
  if faults := list(_faults(tensors, expected)):
    more = len(faults) - _MOST
    raise WeightsError(
      f"{folder} does not fit CLIP's image tower as its {CONFIG} has it:\n"
      + "\n".join(faults[:_MOST])
      + (f"\n  and {more} more" if more > 0 else "")
    )
  ours = {entry.ours: _layout(entry, tensors) for entry in expected}
  told = {"heads": np.array(sizes.heads), "epsilon": np.array(sizes.epsilon)}
  return Weights(
    {"params": traverse_util.unflatten_dict(ours, sep="/")},
    sizes,
    weight_files.content_sha256({**ours, **told}),
  )


def entries(sizes: Architecture) -> Iterator[Entry]:
  """Every tensor of a tower."""
  width, tower = sizes.width, "vision_model"
  places = f"{tower}.embeddings"
  yield Entry("first", f"{places}.class_embedding", (width,))
  yield Entry(
    "patches/kernel",
    f"{places}.patch_embedding.weight",
    (width, 3, sizes.patch, sizes.patch),
  )
  yield Entry(
    "places", f"{places}.position_embedding.weight", (sizes.tokens, width)
  )
  # So it is spelt there.
  yield from _norm("norm_before", f"{tower}.pre_layrnorm", width)
  for index in range(sizes.layers):
    yield from _layer(sizes, f"layer{index}", f"{tower}.encoder.layers.{index}")
  yield from _norm("norm_after", f"{tower}.post_layernorm", width)
  yield Entry(
    "projection/kernel", "visual_projection.weight", (sizes.features, width)
  )


def _layer(sizes: Architecture, ours: str, theirs: str) -> Iterator[Entry]:
  width, hidden = sizes.width, sizes.hidden
  for number in (1, 2):
    name = f"{theirs}.layer_norm{number}"
    yield from _norm(f"{ours}/norm{number}", name, width)
  for name, other in _LAYERS.items():
    yield from _dense(f"{ours}/{name}", f"{theirs}.{other}", width, width)
  yield from _dense(f"{ours}/dense1", f"{theirs}.mlp.fc1", width, hidden)
  yield from _dense(f"{ours}/dense2", f"{theirs}.mlp.fc2", hidden, width)


def _norm(ours: str, theirs: str, width: int) -> Iterator[Entry]:
  yield Entry(f"{ours}/scale", f"{theirs}.weight", (width,))
  yield Entry(f"{ours}/bias", f"{theirs}.bias", (width,))


def _dense(
  ours: str, theirs: str, fan_in: int, fan_out: int
) -> Iterator[Entry]:
  yield Entry(f"{ours}/kernel", f"{theirs}.weight", (fan_out, fan_in))
  yield Entry(f"{ours}/bias", f"{theirs}.bias", (fan_out,))


def _read(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
  """Tensors of all files of a folder, less those of a text tower.

  Raises:
    WeightsError: A file is missing or damaged.
  """
  if (folder / WHOLE).exists():
    yield from weight_files.stream_safetensors(folder / WHOLE, _wanted)
    return
  if not (folder / INDEX).exists():
    there = ", ".join(sorted(path.name for path in folder.iterdir()))
    raise WeightsError(
      f"{folder} has neither {WHOLE} nor {INDEX}, but {there[:200]}. Other "
      "kinds of files are not read: save the model as safetensors "
      "(docs/extraction.md)."
    )
  for file, names in _parts(folder / INDEX).items():
    yield from weight_files.stream_safetensors(
      folder / file, lambda name, names=names: name in names and _wanted(name)
    )


def _wanted(name: str) -> bool:
  return not name.startswith(_IGNORED)


def _parts(path: Path) -> dict[str, set[str]]:
  """The files that an index names, with the tensors that it says they have.

  Raises:
    WeightsError: It is no index.
  """
  try:
    files = json.loads(path.read_bytes())["weight_map"]
    parts: dict[str, set[str]] = {}
    for name, file in files.items():
      if Path(file).name != file or not file.endswith(".safetensors"):
        raise ValueError(f"{file!r} is no .safetensors beside it")
      parts.setdefault(file, set()).add(name)
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise WeightsError(
      f"{path} is no index of safetensors: weight_map is to name the file of "
      f"each tensor ({type(error).__name__}: {error})."
    ) from error
  return parts


def _faults(
  tensors: Mapping[str, np.ndarray], expected: list[Entry]
) -> Iterator[str]:
  """A line for each tensor that is missing, not expected or of another form."""
  for _, name, shape in expected:
    if name not in tensors:
      yield f"  missing: {name}"
      continue
    x = tensors[name]
    if x.shape != shape:
      yield f"  shape of {name}: {x.shape} there, {shape} expected"
    elif x.dtype != np.float32:
      yield f"  type of {name}: {x.dtype} there, floating point expected"
    elif not np.isfinite(x).all():
      yield f"  values of {name}: not all are finite"
  for name in sorted(tensors.keys() - {entry.theirs for entry in expected}):
    yield f"  not expected: {name}"


def _layout(entry: Entry, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
  """A tensor in our shape."""
  x = tensors[entry.theirs]
  if entry.ours.endswith("/kernel"):
    x = x.transpose(2, 3, 1, 0) if x.ndim == 4 else x.T
  return np.ascontiguousarray(x)
