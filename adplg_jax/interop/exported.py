"""A trained snippet branch as one program that needs this package no more.

The program takes the features of a video, [C, T, D] as they were extracted; it
normalises, scores each crop and averages them, and gives [T] scores. C and T
may have any size. That of JAX takes padded features, too, and how many snippets
are no padding. Sources: docs/method.md, sections 1, 4 and 6.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jaxtyping import Array, Float, Int

from adplg_jax import method as method_lib
from adplg_jax.interop.onnx_graph import make_graph
from adplg_jax.run.files import write_atomically, write_json
from adplg_jax.run.load_model import TrainedModel
from adplg_jax.run.precision import precision_of

PLATFORMS = ("cpu", "cuda", "tpu")
_FEATURES = "float32 [crops, snippets, channels], as extracted"
# How each form is called.
_CALLS = {
  "jax": {
    "format": "jax.export",
    "platforms": list(PLATFORMS),
    "jax": jax.__version__,
    "inputs": {
      "features": _FEATURES,
      "length": "int32 [], snippets that are no padding",
    },
    "output": "float32 [snippets], anomaly scores from 0 to 1",
  },
  "onnx": {
    "format": "onnx",
    "inputs": {"features": f"{_FEATURES}, without padding"},
    "output": "scores: float32 [snippets], from 0 to 1",
  },
}


class MissingPackageError(ImportError):
  """A package that an export needs; says how to install it."""


def make_program(
  model: TrainedModel,
) -> Callable[[Float[Array, "c t d"], Int[Array, ""]], Float[Array, "t"]]:
  """The function that is exported, with its parameters inside.

  Args:
    model: The model.

  Returns:
    (features, length) -> scores; those of padding mean nothing.
  """
  method = method_lib.from_config(
    model.config, feature_width=model.feature_width, num_keys=1
  )
  branch = method.snippet_branch
  params = jax.tree.map(np.asarray, model.params["snippet"])
  normalization = model.normalization

  def score(
    features: Float[Array, "c t d"], length: Int[Array, ""]
  ) -> Float[Array, "t"]:
    own: Any = jax.tree.map(
      lambda x: jnp.asarray(x, branch.param_dtype), params
    )
    if normalization.kind != "none":
      features = (features - normalization.offset) / normalization.scale
    lengths = jnp.broadcast_to(length, features.shape[:1])
    logits: Any = branch.apply(
      {"params": own}, features.astype(branch.param_dtype), lengths
    )
    scores = jax.nn.sigmoid(logits).astype(jnp.float32)
    return scores.mean(axis=0)

  return score


def write_program(
  path: Path, model: TrainedModel, form: str, facts: dict[str, Any]
) -> dict[str, Any]:
  """Writes a model as a program, and what is to be known of it beside.

  Args:
    path: The file; PATH.json will be the other.
    model: The model.
    form: "jax" for a program of `jax.export`, "onnx" for an ONNX graph.
    facts: What else the other file has.

  Returns:
    What the other file has.

  Raises:
    MissingPackageError: A package that this needs is not installed.
    OSError: A file cannot be written.
  """
  needed = {"jax": "flatbuffers", "onnx": "onnx"}[form]
  try:
    content = _to_jax(model) if form == "jax" else _to_onnx(model)
  except ImportError as error:
    raise MissingPackageError(
      f"--format {form} needs {needed}, which is not installed: pip install "
      f"{needed}, or pip install adplg_jax[export]."
    ) from error
  metadata = {
    "sha256": hashlib.sha256(content).hexdigest(),
    **_CALLS[form],
    "feature_width": model.feature_width,
    "longest": model.config.snippet.model.max_snippets,
    "normalization": model.normalization.kind,
    **facts,
  }
  write_atomically(path, content)
  write_json(path.with_name(f"{path.name}.json"), metadata)
  return metadata


def _to_onnx(model: TrainedModel) -> bytes:
  """A serialised ONNX graph, float32 whatever the run's precision."""
  switches = model.config.switches
  return make_graph(
    model.config.snippet.model,
    jax.tree.map(lambda x: np.asarray(x, np.float32), model.params["snippet"]),
    model.normalization,
    mask_padded_keys=switches.mask_padded_keys,
    rotary_query_shift=switches.rotary_query_shift,
  )


def _to_jax(model: TrainedModel) -> bytes:
  """A serialised `jax.export.Exported` for any of `PLATFORMS`."""
  longest = model.config.snippet.model.max_snippets
  crops, snippets = export.symbolic_shape(
    "c, t", constraints=[f"t <= {longest}"]
  )
  shape = (crops, snippets, model.feature_width)
  make = export.export(jax.jit(make_program(model)), platforms=list(PLATFORMS))
  with precision_of(model.config):
    exported = make(
      jax.ShapeDtypeStruct(shape, jnp.float32),
      jax.ShapeDtypeStruct((), jnp.int32),
    )
  return bytes(exported.serialize())
