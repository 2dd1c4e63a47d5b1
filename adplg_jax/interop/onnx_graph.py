"""The snippet branch as an ONNX graph, written down operator by operator.

Programs that translate JAX to ONNX do not take a free number of snippets
through this branch's slices and comparisons. Local attention is over 2 w + 1
shifted keys here, so that it grows with T. Source: docs/method.md, section 4.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from adplg_jax.data.normalize import Normalization
from adplg_jax.models.attention import rotary_frequencies

# Operators as of 2022; any later runtime has them.
_OPSET, _IR_VERSION = 18, 8


class _Graph:
  """Operators and constants, gathered in order."""

  def __init__(self, helper: Any, numpy_helper: Any):
    self._helper, self._numpy_helper = helper, numpy_helper
    self.nodes: list[Any] = []
    self.constants: list[Any] = []

  def constant(self, value: Any) -> str:
    """A constant of NumPy's type."""
    name = f"constant_{len(self.constants)}"
    array = np.array(value, order="C")
    self.constants.append(self._numpy_helper.from_array(array, name))
    return name

  def numbers(self, *values: int) -> str:
    """Constant axes, sizes or places."""
    return self.constant(np.array(values, np.int64))

  def __call__(
    self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any
  ) -> Any:
    """Adds an operator; the name of its output, or their names."""
    names = [f"value_{len(self.nodes)}_{i}" for i in range(outputs)]
    self.nodes.append(
      self._helper.make_node(kind, list(inputs), names, **attributes)
    )
    return names[0] if outputs == 1 else names

  def linear(self, x: str, params: Mapping[str, Any]) -> str:
    """An affine map."""
    y = self("MatMul", x, self.constant(params["kernel"]))
    if "bias" in params:
      y = self("Add", y, self.constant(params["bias"]))
    return y

  def norm(self, x: str, params: Mapping[str, Any]) -> str:
    """Layer normalisation."""
    scale, bias = (self.constant(params[part]) for part in ("scale", "bias"))
    return self("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)

  def heads(self, x: str, count: int) -> str:
    """Splits the last axis: [..., heads, e]; x has three axes."""
    return self("Reshape", x, self.numbers(0, 0, count, -1))


def make_graph(
  settings: Any,
  params: Mapping[str, Any],
  normalization: Normalization,
  *,
  mask_padded_keys: bool,
  rotary_query_shift: bool,
) -> bytes:
  """The graph features [C, T, D] -> scores [T], serialised.

  Args:
    settings: config.snippet.model.
    params: Of the snippet branch, nested, of any type.
    normalization: What is done with features first.
    mask_padded_keys: See `attention.banded_attention`.
    rotary_query_shift: See `attention.banded_attention`.

  Returns:
    An ONNX model, float32.

  Raises:
    ModuleNotFoundError: The package onnx is not installed.
  """
  from onnx import TensorProto, checker, helper, numpy_helper

  add = _Graph(helper, numpy_helper)
  x = "features"
  if normalization.kind != "none":
    x = add("Sub", x, add.constant(np.float32(normalization.offset)))
    x = add("Div", x, add.constant(np.float32(normalization.scale)))
  if "input" in params:
    x = add.linear(x, params["input"])
  x = _embedding(add, x, params["embedding"])
  snippets = add("Gather", add("Shape", x), add.constant(np.int64(1)))
  scales = [
    _local_block(
      add,
      x,
      snippets,
      params[f"local_{window}"],
      window=window,
      heads=settings.local_heads,
      mask_padded_keys=mask_padded_keys,
      shift=window if rotary_query_shift else 0,
    )
    for window in settings.windows
  ]
  x = add("Concat", *scales, axis=-1)
  for number in range(settings.num_blocks):
    own = params[f"block_{number}"]
    x = _global_block(add, x, own, settings.global_heads)
  x = add("Relu", add.linear(x, params["classifier"]["hidden"]))
  x = add("Sigmoid", add.linear(x, params["classifier"]["score"]))
  x = add("ReduceMean", x, add.numbers(0, 2), keepdims=0)
  # Runtimes name inputs and outputs.
  add.nodes[-1].output[0] = "scores"
  width = params.get("input", params["embedding"])["kernel"].shape[-2]
  model = helper.make_model(
    helper.make_graph(
      add.nodes,
      "snippet_branch",
      [_value(helper, TensorProto, "features", ["crops", "snippets", width])],
      [_value(helper, TensorProto, "scores", ["snippets"])],
      add.constants,
    ),
    opset_imports=[helper.make_opsetid("", _OPSET)],
    ir_version=_IR_VERSION,
    producer_name="adplg_jax",
  )
  checker.check_model(model)
  return model.SerializeToString()


def _value(helper: Any, types: Any, name: str, shape: list[Any]) -> Any:
  return helper.make_tensor_value_info(name, types.FLOAT, shape)


def _embedding(add: _Graph, x: str, params: Mapping[str, Any]) -> str:
  """Convolution of width 3 over time, and relu."""
  kernel = add.constant(np.asarray(params["kernel"]).transpose(2, 1, 0))
  x = add("Transpose", x, perm=(0, 2, 1))
  x = add("Conv", x, kernel, add.constant(params["bias"]), pads=(1, 1))
  return add("Relu", add("Transpose", x, perm=(0, 2, 1)))


def _local_block(
  add: _Graph,
  x: str,
  snippets: str,
  params: Mapping[str, Any],
  *,
  window: int,
  heads: int,
  mask_padded_keys: bool,
  shift: int,
) -> str:
  """One temporal scale: position, banded attention, a narrower map."""
  end = add("Unsqueeze", snippets, add.numbers(0))
  rows = add("Slice", add.constant(params["position"]), add.numbers(0), end)
  x = add("Add", x, rows)
  y = add.linear(add.norm(x, params["norm"]), params["qkv"])
  query, key, value = add("Split", y, axis=-1, num_outputs=3, outputs=3)

  # Places [t, k] of each query's keys, among keys with `window` more each way.
  zero, one = (add.constant(np.int64(i)) for i in (0, 1))
  place = add("Unsqueeze", add("Range", zero, snippets, one), add.numbers(1))
  near = add("Add", place, add.constant(np.arange(2 * window + 1)[None]))
  around = add.numbers(0, window, 0, 0, window, 0)
  keys, values = (
    add(
      "Reshape",
      add("Gather", add("Pad", side, around), near, axis=1),
      add.numbers(0, 0, 2 * window + 1, heads, -1),
    )
    for side in (key, value)
  )
  query = add.heads(query, heads)
  width = np.shape(params["qkv"]["kernel"])[1] // 3 // heads
  query = add("Mul", query, add.constant(np.float32(width**-0.5)))
  keys = _rotate(add, keys, np.arange(-window, window + 1) - shift, width)
  logits = add("Einsum", query, keys, equation="cthe,ctkhe->ctkh")

  first = add.constant(np.int64(window))
  exists = add(
    "And",
    add("GreaterOrEqual", near, first),
    add("Less", near, add("Add", snippets, first)),
  )
  lowest = add.constant(np.float32(np.finfo(np.float32).min))
  exists = add("Unsqueeze", exists, add.numbers(2))
  logits = add("Where", exists, logits, lowest)
  if mask_padded_keys:
    weights = add("Softmax", logits, axis=2)
  else:
    weights = _softmax_with_zeros(add, logits, place, snippets, window)
  y = add("Einsum", weights, values, equation="ctkh,ctkhe->cthe")
  y = add("Reshape", y, add.numbers(0, 0, -1))
  x = add("Add", x, add.linear(y, params["out"]))
  return add.linear(add.norm(x, params["output_norm"]), params["reduce"])


def _rotate(add: _Graph, keys: str, places: np.ndarray, width: int) -> str:
  """Rotary embedding of keys [c, t, k, h, e] by their places k."""
  angles = np.outer(places, rotary_frequencies(width).astype(float))
  cos, sin = (
    add.constant(f(angles)[:, None].astype(np.float32))
    for f in (np.cos, np.sin)
  )
  first, second = add("Split", keys, axis=-1, num_outputs=2, outputs=2)
  return add(
    "Concat",
    add("Sub", add("Mul", first, cos), add("Mul", second, sin)),
    add("Add", add("Mul", second, cos), add("Mul", first, sin)),
    axis=-1,
  )


def _softmax_with_zeros(
  add: _Graph, logits: str, place: str, snippets: str, window: int
) -> str:
  """Soft-max over the keys k and over those of zeros after the video.

  See `attention.banded_attention`: their number is that of the keys from T to
  the next multiple of the window that a query sees.
  """
  one, size = (add.constant(np.int64(i)) for i in (1, window))
  more = add("Sub", add("Add", snippets, size), one)
  padded = add("Mul", add("Div", more, size), size)
  last = add("Min", add("Add", place, size), add("Sub", padded, one))
  count = add("Add", add("Sub", last, snippets), one)
  count = add("Max", count, add.constant(np.int64(0)))
  count = add("Cast", add("Unsqueeze", count, add.numbers(2)), to=1)

  none = add.constant(np.float32(0))
  highest = add("ReduceMax", logits, add.numbers(2))
  positive = add("Max", highest, none)
  seen = add("Greater", count, none)
  highest = add("Where", seen, positive, highest)
  weights = add("Exp", add("Sub", logits, highest))
  of_zeros = add("Mul", count, add("Exp", add("Neg", positive)))
  total = add("Add", add("ReduceSum", weights, add.numbers(2)), of_zeros)
  return add("Div", weights, total)


def _global_block(
  add: _Graph, x: str, params: Mapping[str, Any], heads: int
) -> str:
  """Pre-norm transformer block over all snippets."""
  y = add.linear(add.norm(x, params["attention_norm"]), params["qkv"])
  parts = add("Split", y, axis=-1, num_outputs=3, outputs=3)
  query, key, value = (
    add("Transpose", add.heads(part, heads), perm=perm)
    for part, perm in zip(
      parts, ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)), strict=True
    )
  )
  width = np.shape(params["qkv"]["kernel"])[1] // 3 // heads
  query = add("Mul", query, add.constant(np.float32(width**-0.5)))
  weights = add("Softmax", add("MatMul", query, key), axis=-1)
  y = add("Transpose", add("MatMul", weights, value), perm=(0, 2, 1, 3))
  y = add("Reshape", y, add.numbers(0, 0, -1))
  x = add("Add", x, add.linear(y, params["out"]))
  y = add.norm(x, params["feed_forward_norm"])
  y = _gelu(add, add.linear(y, params["feed_forward_hidden"]))
  return add("Add", x, add.linear(y, params["feed_forward_out"]))


def _gelu(add: _Graph, x: str) -> str:
  """The exact GELU, by erf."""
  half, root, one = (
    add.constant(np.float32(value)) for value in (0.5, np.sqrt(0.5), 1)
  )
  phi = add("Add", add("Erf", add("Mul", x, root)), one)
  return add("Mul", add("Mul", x, half), phi)
