"""Names of public weights, and shapes of our own."""

import jax
import jax.numpy as jnp
import pytest

from adplg_jax.video import i3d_names, weight_files
from adplg_jax.video.i3d import I3D

# Of each scheme names that its authors' code has.
PUBLIC = {
  "TENSORFLOW": (
    "RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w",
    "RGB/inception_i3d/Conv3d_2c_3x3/batch_norm/moving_variance",
    "RGB/inception_i3d/Mixed_3b/Branch_0/Conv3d_0a_1x1/batch_norm/beta",
    "RGB/inception_i3d/Mixed_3b/Branch_1/Conv3d_0b_3x3/conv_3d/w",
    "RGB/inception_i3d/Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w",
    "RGB/inception_i3d/Mixed_5c/Branch_2/Conv3d_0b_3x3/conv_3d/w",
    "RGB/inception_i3d/Mixed_5c/Branch_3/Conv3d_0b_1x1/batch_norm/moving_mean",
    "RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/b",
  ),
  "BRANCHES_BY_LETTER": (
    "Conv3d_1a_7x7.conv3d.weight",
    "Conv3d_1a_7x7.bn.weight",
    "Mixed_3b.b1b.conv3d.weight",
    "Mixed_3b.b1b.bn.running_mean",
    "Mixed_5c.b3b.bn.bias",
    "logits.conv3d.bias",
  ),
  "BRANCHES_IN_SEQUENCE": (
    "conv3d_1a_7x7.conv3d.weight",
    "conv3d_1a_7x7.batch3d.running_var",
    "mixed_3b.branch_0.conv3d.weight",
    "mixed_3b.branch_1.1.conv3d.weight",
    "mixed_5c.branch_3.1.batch3d.weight",
    "conv3d_0c_1x1.conv3d.weight",
  ),
  "FLAX": (
    "params/Mixed_5b/Branch_2/Conv3d_0b_3x3/Conv_0/kernel",
    "batch_stats/Mixed_5b/Branch_2/Conv3d_0b_3x3/BatchNorm_0/var",
    "params/Logits/Conv3d_0c_1x1/Conv_0/bias",
  ),
}


@pytest.mark.parametrize("scheme", PUBLIC)
def test_names_are_those_in_circulation(scheme):
  entries = i3d_names.entries(getattr(i3d_names, scheme), 400)
  names = {entry.theirs for entry in entries}
  for name in PUBLIC[scheme]:
    assert name in names


@pytest.mark.parametrize("scheme", i3d_names.SCHEMES, ids=lambda s: s.title)
@pytest.mark.parametrize("classes", [0, 7])
def test_a_scheme_has_every_tensor_once(scheme, classes):
  entries = list(i3d_names.entries(scheme, classes))
  scales = 57 if scheme.scale else 0
  # 57 kernels, their normalisations' biases, means and variances.
  assert len(entries) == 57 * 4 + scales + (2 if classes else 0)
  assert len({e.theirs for e in entries}) == len(entries)
  assert len({e.ours for e in entries}) == len(entries)


def test_our_names_and_shapes_are_those_of_the_network():
  variables = jax.eval_shape(
    lambda: I3D().init(
      jax.random.key(0), jnp.zeros((1, 16, 224, 224, 3)), method="classify"
    )
  )
  found = {
    name: leaf.shape
    for tree in variables.values()
    for name, leaf in weight_files.flat(tree)
  }
  entries = i3d_names.entries(i3d_names.OURS, 400)
  assert found == {entry.theirs: entry.shape for entry in entries}
