"""The authors' state dicts and our parameters, one to the other.

Names and shapes of docs/method.md, section 7. Pure functions on NumPy arrays.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from adplg_jax.models.attention import rotary_frequencies

Arrays = Mapping[str, np.ndarray]


class Entry(NamedTuple):
  """A parameter under both names.

  Attributes:
    ours: Path in our tree, its parts joined by "/".
    theirs: Name in the authors' state dict.
    layout: "as is", "linear" ([out, in] there, [in, out] here), "point"
      ([out, in, 1] there) or "convolution" ([out, in, 3] there, [3, in, out]
      here).
  """

  ours: str
  theirs: str
  layout: str = "as is"

  def from_torch(self, x: np.ndarray) -> np.ndarray:
    """Their array in our layout."""
    match self.layout:
      case "linear":
        return x.T
      case "point":
        return x[:, :, 0].T
      case "convolution":
        return x.transpose(2, 1, 0)
    return x

  def to_torch(self, x: np.ndarray) -> np.ndarray:
    """Our array in their layout."""
    match self.layout:
      case "linear":
        return x.T
      case "point":
        return x.T[:, :, None]
      case "convolution":
        return x.transpose(2, 1, 0)
    return x


def _linear(
  ours: str, theirs: str, *, layout: str = "linear", bias: bool = True
) -> Iterator[Entry]:
  yield Entry(f"{ours}/kernel", f"{theirs}.weight", layout)
  if bias:
    yield Entry(f"{ours}/bias", f"{theirs}.bias")


def _norm(ours: str, theirs: str) -> Iterator[Entry]:
  yield Entry(f"{ours}/scale", f"{theirs}.weight")
  yield Entry(f"{ours}/bias", f"{theirs}.bias")


def _classifier(theirs: str) -> Iterator[Entry]:
  yield from _linear("classifier/hidden", f"{theirs}.0")
  yield from _linear("classifier/score", f"{theirs}.3")


def video_entries(*, projected: bool = False) -> list[Entry]:
  """Parameters of the video branch.

  Args:
    projected: Whether the features pass a Linear first.

  Returns:
    All entries.
  """
  entries = list(_linear("input", "modal_fusion.0")) if projected else []
  for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v")):
    entries += _linear(ours, f"Snippts_Fuse.{theirs}", layout="point")
  return entries + list(_classifier("classifier_v"))


def snippet_entries(
  *,
  windows: Sequence[int],
  num_blocks: int,
  projected: bool = False,
) -> list[Entry]:
  """Parameters of the snippet branch that training uses.

  Args:
    windows: Windows of the local blocks, in the authors' order.
    num_blocks: Number of global blocks.
    projected: Whether the features pass a Linear first.

  Returns:
    All entries.
  """
  entries = list(_linear("input", "modal_fusion.0")) if projected else []
  entries += _linear("embedding", "embedding.conv_1.0", layout="convolution")
  for number, window in enumerate(windows, 1):
    ours, theirs = f"local_{window}", f"LSA{number}"
    entries.append(Entry(f"{ours}/position", f"{theirs}.pos_emb.weight"))
    inner = f"{theirs}.layers.0.0"
    entries += _norm(f"{ours}/norm", f"{inner}.norm")
    entries += _linear(f"{ours}/qkv", f"{inner}.to_qkv", bias=False)
    entries += _linear(f"{ours}/out", f"{inner}.to_out", bias=False)
    entries += _norm(f"{ours}/output_norm", f"{theirs}.to_logits.0")
    entries += _linear(f"{ours}/reduce", f"{theirs}.to_logits.1", bias=False)
  for number in range(num_blocks):
    ours, theirs = f"block_{number}", f"selfatt.layers.{number}"
    entries += _norm(f"{ours}/attention_norm", f"{theirs}.0.norm")
    entries += _linear(f"{ours}/qkv", f"{theirs}.0.fn.to_qkv", bias=False)
    entries += _linear(f"{ours}/out", f"{theirs}.0.fn.to_out.0")
    entries += _norm(f"{ours}/feed_forward_norm", f"{theirs}.1.norm")
    hidden = f"{theirs}.1.fn.net"
    entries += _linear(f"{ours}/feed_forward_hidden", f"{hidden}.0")
    entries += _linear(f"{ours}/feed_forward_out", f"{hidden}.3")
  return entries + list(_classifier("classifier_s"))


def params_from_torch(
  entries: Sequence[Entry], state_dict: Arrays
) -> dict[str, Any]:
  """Our parameter tree from their state dict; other entries are ignored.

  Raises:
    ValueError: Naming every entry that is missing.
  """
  missing = [e.theirs for e in entries if e.theirs not in state_dict]
  if missing:
    raise ValueError(f"The state dict lacks {', '.join(missing)}.")
  tree: dict[str, Any] = {}
  for entry in entries:
    *parents, name = entry.ours.split("/")
    branch = tree
    for parent in parents:
      branch = branch.setdefault(parent, {})
    branch[name] = entry.from_torch(np.asarray(state_dict[entry.theirs]))
  return tree


def params_to_torch(
  entries: Sequence[Entry], params: Mapping[str, Any]
) -> dict[str, np.ndarray]:
  """Their state dict, less what training never uses, from our tree."""
  state_dict = {}
  for entry in entries:
    leaf: Any = params
    for part in entry.ours.split("/"):
      leaf = leaf[part]
    state_dict[entry.theirs] = entry.to_torch(np.asarray(leaf))
  return state_dict


def unused_shapes(model: Any) -> dict[str, tuple[int, ...]]:
  """Entries of their snippet branch that training does not use.

  Args:
    model: Sizes of the snippet branch, as config.snippet.model has them.

  Returns:
    Shapes of token tables, feed-forwards that are never called, a layer norm,
    rotary frequencies, and aliases of the classifier.
  """
  width = model.width
  inner = width * 8 // 3
  shapes: dict[str, tuple[int, ...]] = {}
  for number in range(1, len(model.windows) + 1):
    local = f"LSA{number}"
    shapes[f"{local}.token_emb.weight"] = (256, width)
    frequencies = f"{local}.layers.0.0.attn_fn.rel_pos.inv_freq"
    shapes[frequencies] = (model.local_head_width // 2,)
    shapes[f"{local}.layers.0.1.0.weight"] = (width,)
    shapes[f"{local}.layers.0.1.0.bias"] = (width,)
    shapes[f"{local}.layers.0.1.1.weight"] = (2 * inner, width)
    shapes[f"{local}.layers.0.1.4.weight"] = (width, inner)
  shapes["norm.weight"] = shapes["norm.bias"] = (width,)
  hidden = model.classifier_width
  shapes["vars_s.0"] = (hidden, width)
  shapes["vars_s.1"] = (hidden,)
  shapes["vars_s.2"] = (1, hidden)
  shapes["vars_s.3"] = (1,)
  return shapes


def unused_weights(model: Any) -> dict[str, np.ndarray]:
  """Those entries, aliases left out, with initial values, the same every time.

  Args:
    model: See `unused_shapes`.

  Returns:
    Weights by name.
  """
  rng = np.random.default_rng(0)
  weights = {}
  for name, shape in unused_shapes(model).items():
    if name.startswith("vars_s"):
      continue
    if name.endswith("inv_freq"):
      value = rotary_frequencies(2 * shape[0])
    elif len(shape) == 1:
      value = np.full(shape, float(name.endswith("weight")))
    elif "token_emb" in name:
      value = rng.standard_normal(shape)
    else:
      value = rng.uniform(-1, 1, shape) * shape[1] ** -0.5
    weights[name] = value.astype(np.float32)
  return weights


def aliases(state_dict: Arrays) -> dict[str, np.ndarray]:
  """The classifier's parameters under their second names."""
  names = ("0.weight", "0.bias", "3.weight", "3.bias")
  return {
    f"vars_s.{number}": state_dict[f"classifier_s.{name}"]
    for number, name in enumerate(names)
  }
