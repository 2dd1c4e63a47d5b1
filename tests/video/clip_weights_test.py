"""Weights of CLIP from folders of every kind: the same, or refused by name."""

import json

import ml_dtypes
import numpy as np
import pytest
from flax import traverse_util

from adplg_jax.video.clip_weights import entries, load_weights
from adplg_jax.video.weight_files import WeightsError
from tests.video import clip_folder

pytest.importorskip("safetensors", reason="the extra `video` is not installed")


@pytest.fixture
def folder(tmp_path):
  return clip_folder.write(tmp_path / "clip")


def flat(weights):
  return traverse_util.flatten_dict(weights.variables["params"], sep="/")


def write_parts(folder, named, count=3, **changes):
  """The tensors in so many files with their index."""
  files = {}
  for index in range(count):
    part = {n: named[n] for n in sorted(named)[index::count]}
    name = f"model-{index + 1:05}-of-{count:05}.safetensors"
    clip_folder.save(folder / name, part)
    files |= dict.fromkeys(part, name)
  content = {"metadata": {"total_size": 1}, "weight_map": files | changes}
  (folder / "model.safetensors.index.json").write_text(json.dumps(content))


def test_every_tensor_is_where_it_belongs(folder):
  weights = load_weights(folder)
  named, found = clip_folder.tensors(folder), flat(weights)
  assert len(found) == len(named) == 8 + 2 * 16
  for ours, theirs, _ in entries(weights.sizes):
    x = named[theirs]
    if ours == "patches/kernel":
      x = np.moveaxis(x, (0, 1), (3, 2))
    elif ours.endswith("kernel"):
      x = x.T
    assert found[ours].dtype == np.float32
    np.testing.assert_array_equal(found[ours], x, err_msg=ours)


def test_names_are_those_in_circulation(folder):
  """By example, one of each kind."""
  names = {e.ours: e.theirs for e in entries(load_weights(folder).sizes)}
  assert names["first"] == "vision_model.embeddings.class_embedding"
  assert names["norm_before/bias"] == "vision_model.pre_layrnorm.bias"
  for ours, theirs in (
    ("norm1/scale", "layer_norm1.weight"),
    ("out/kernel", "self_attn.out_proj.weight"),
    ("dense2/bias", "mlp.fc2.bias"),
  ):
    theirs = f"vision_model.encoder.layers.1.{theirs}"
    assert names[f"layer1/{ours}"] == theirs
  assert names["projection/kernel"] == "visual_projection.weight"


def test_parts_are_the_whole(folder, tmp_path):
  parts = clip_folder.write_config(tmp_path / "parts")
  write_parts(parts, clip_folder.tensors(folder))
  assert load_weights(parts).sha256 == load_weights(folder).sha256


def test_a_text_tower_is_not_read(folder, tmp_path):
  named = clip_folder.tensors(folder) | {
    "logit_scale": np.array(1, np.float32),
    "text_projection.weight": np.full((4, 4), np.nan, np.float32),
    "text_model.final_layer_norm.weight": np.ones(3, np.float32),
    "vision_model.embeddings.position_ids": np.arange(5),
  }
  other = clip_folder.write_config(tmp_path / "other")
  clip_folder.save(other / "model.safetensors", named)
  assert load_weights(other).sha256 == load_weights(folder).sha256


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_tensors_of_any_precision(folder, tmp_path, dtype):
  named = {n: x.astype(dtype) for n, x in clip_folder.tensors(folder).items()}
  other = clip_folder.write_config(tmp_path / "other")
  clip_folder.save(other / "model.safetensors", named)
  weights = load_weights(other)
  for name, x in flat(load_weights(folder)).items():
    found = flat(weights)[name]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, x.astype(dtype).astype(np.float32))


def test_the_hash_tells_weights_heads_and_epsilon(tmp_path):
  changes = [
    {},
    {"seed": 1},
    {"num_attention_heads": 2},
    {"layer_norm_eps": 1e-6},
  ]
  hashes = [
    load_weights(clip_folder.write(tmp_path / str(i), **fields)).sha256
    for i, fields in enumerate(changes)
  ]
  assert len(set(hashes)) == 4
  again = clip_folder.write(tmp_path / "again")
  assert load_weights(again).sha256 == hashes[0]


LAYER = "vision_model.encoder.layers.1"


def drop(named):
  del named["vision_model.pre_layrnorm.weight"]


def add(named):
  named[f"{LAYER}.mlp.fc3.bias"] = np.ones(3, np.float32)


def add_a_stranger(named):
  named["visual.conv1.weight"] = np.ones(3, np.float32)


def reshape(named):
  named[f"{LAYER}.mlp.fc1.weight"] = np.ones((32, 96), np.float32)


def lose_values(named):
  named["visual_projection.weight"][0, 0] = np.inf


def count(named):
  named["vision_model.post_layernorm.bias"] = np.ones(32, np.int64)


def deepen(named):
  named["vision_model.encoder.layers.2.mlp.fc2.bias"] = np.ones(32, "f4")


@pytest.mark.parametrize(
  ("spoil", "said"),
  [
    (drop, "  missing: vision_model.pre_layrnorm.weight"),
    (add, f"  not expected: {LAYER}.mlp.fc3.bias"),
    (add_a_stranger, "  not expected: visual.conv1.weight"),
    (
      reshape,
      f"  shape of {LAYER}.mlp.fc1.weight: (32, 96) there, (96, 32) expected",
    ),
    (
      lose_values,
      "  values of visual_projection.weight: not all are finite",
    ),
    (
      count,
      "  type of vision_model.post_layernorm.bias: int64 there, floating point "
      "expected",
    ),
    (
      deepen,
      "  not expected: vision_model.encoder.layers.2.mlp.fc2.bias",
    ),
  ],
)
def test_tensors_that_are_off_are_named(folder, spoil, said):
  named = clip_folder.tensors(folder)
  spoil(named)
  clip_folder.save(folder / "model.safetensors", named)
  with pytest.raises(WeightsError) as refusal:
    load_weights(folder)
  title = "does not fit CLIP's image tower as its config.json has it:"
  assert str(refusal.value) == f"{folder} {title}\n{said}"


def test_many_faults_are_cut(folder):
  clip_folder.save(folder / "model.safetensors", {"a": np.ones(1)})
  with pytest.raises(WeightsError) as refusal:
    load_weights(folder)
  lines = str(refusal.value).splitlines()
  # All 40 are missing, and one is not expected.
  assert len(lines) == 22 and lines[-1] == "  and 21 more"


def test_without_weights_what_is_there_is_said(tmp_path):
  folder = clip_folder.write_config(tmp_path / "clip")
  (folder / "pytorch_model.bin").write_bytes(b"abc")
  with pytest.raises(WeightsError) as refusal:
    load_weights(folder)
  assert str(refusal.value).startswith(
    f"{folder} has neither model.safetensors nor model.safetensors.index.json, "
    "but config.json, pytorch_model.bin."
  )


def test_a_file_is_no_folder(folder):
  with pytest.raises(
    WeightsError, match=r"model.safetensors is no folder; CLI"
  ):
    load_weights(folder / "model.safetensors")


def test_a_damaged_file_is_refused(folder):
  path = folder / "model.safetensors"
  path.write_bytes(path.read_bytes()[:-9])
  with pytest.raises(WeightsError, match=r"model\.safetensors is damaged \("):
    load_weights(folder)


@pytest.mark.parametrize(
  ("content", "said"),
  [
    ("{", "JSONDecodeError"),
    ("[]", "TypeError"),
    ("{}", "KeyError: 'weight_map'"),
    ('{"weight_map": []}', "AttributeError"),
    ('{"weight_map": {"a": 3}}', "TypeError"),
    ('{"weight_map": {"a": "../b.safetensors"}}', "'../b.safetensors' is no"),
    ('{"weight_map": {"a": "b.bin"}}', "'b.bin' is no .safetensors beside it"),
  ],
)
def test_an_index_that_is_none_is_refused(tmp_path, content, said):
  folder = clip_folder.write_config(tmp_path / "clip")
  (folder / "model.safetensors.index.json").write_text(content)
  with pytest.raises(WeightsError) as refusal:
    load_weights(folder)
  assert "index.json is no index of safetensors: weight_map" in str(
    refusal.value
  )
  assert said in str(refusal.value)


def test_parts_that_are_off_are_named(folder, tmp_path):
  named = clip_folder.tensors(folder)
  name = "visual_projection.weight"
  parts = clip_folder.write_config(tmp_path / "parts")
  write_parts(parts, named, **{name: "model-00009-of-00009.safetensors"})
  with pytest.raises(WeightsError, match=r"00009.safetensors does not exist"):
    load_weights(parts)
  # A tensor that is in another part than the index says is not there.
  index = json.loads((parts / "model.safetensors.index.json").read_text())
  files = sorted({*index["weight_map"].values()})
  other = "vision_model.post_layernorm.weight"
  elsewhere = next(f for f in files if f != index["weight_map"][other])
  write_parts(parts, named, **{other: elsewhere})
  with pytest.raises(WeightsError, match=f"  missing: {other}$"):
    load_weights(parts)
