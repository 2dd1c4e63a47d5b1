"""Names and layouts of the authors' state dicts, without PyTorch."""

import itertools

import numpy as np
import pytest

from adplg_jax.configs import base
from adplg_jax.interop import torch_names
from adplg_jax.interop.torch_names import Entry

SIZES = {"windows": (2, 4), "num_blocks": 2}
BRANCHES = {
  "video": torch_names.video_entries(),
  "video, projected": torch_names.video_entries(projected=True),
  "snippet": torch_names.snippet_entries(**SIZES),
  "snippet, projected": torch_names.snippet_entries(**SIZES, projected=True),
}
# Dimensions of an array in the authors' layout.
THEIRS = {
  "as is": (5,),
  "linear": (4, 3),
  "point": (4, 3, 1),
  "convolution": (4, 3, 3),
}
OURS = {
  "as is": (5,),
  "linear": (3, 4),
  "point": (3, 4),
  "convolution": (3, 3, 4),
}


@pytest.mark.parametrize("layout", THEIRS)
def test_layouts_and_back(layout):
  entry = Entry("ours", "theirs", layout)
  theirs = np.random.default_rng(0).random(THEIRS[layout])
  ours = entry.from_torch(theirs)
  assert ours.shape == OURS[layout]
  np.testing.assert_array_equal(entry.to_torch(ours), theirs)


def test_a_linear_map_is_the_same_map():
  """Theirs is W x + b with W [out, in]; ours is x K + b."""
  rng = np.random.default_rng(0)
  weight, x = rng.random((4, 3)), rng.random(3)
  kernel = Entry("", "", "linear").from_torch(weight)
  np.testing.assert_allclose(x @ kernel, weight @ x)
  kernel = Entry("", "", "point").from_torch(weight[:, :, None])
  np.testing.assert_allclose(x @ kernel, weight @ x)


def test_a_convolution_is_the_same_convolution():
  rng = np.random.default_rng(0)
  weight, x = rng.random((4, 3, 3)), rng.random((6, 3))
  kernel = Entry("", "", "convolution").from_torch(weight)
  # Theirs: channels first, taps last, no flip.
  want = [
    sum(weight[:, :, tap] @ x[t + tap] for tap in range(3)) for t in range(4)
  ]
  found = [sum(x[t + tap] @ kernel[tap] for tap in range(3)) for t in range(4)]
  np.testing.assert_allclose(found, want)


def state_dict(entries):
  """A state dict with a different array under each name."""
  rng = np.random.default_rng(0)
  return {entry.theirs: rng.random(THEIRS[entry.layout]) for entry in entries}


@pytest.mark.parametrize("branch", BRANCHES)
def test_trees_and_back(branch):
  entries = BRANCHES[branch]
  before = state_dict(entries)
  surplus = {"something.else": np.zeros(2)}
  tree = torch_names.params_from_torch(entries, before | surplus)
  after = torch_names.params_to_torch(entries, tree)
  assert after.keys() == before.keys()
  for name, value in before.items():
    np.testing.assert_array_equal(after[name], value, err_msg=name)


@pytest.mark.parametrize("branch", BRANCHES)
def test_names_are_unique(branch):
  entries = BRANCHES[branch]
  for names in ([e.ours for e in entries], [e.theirs for e in entries]):
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
  ("branch", "ours", "theirs"),
  [
    ("video", "query/kernel", "Snippts_Fuse.q.weight"),
    ("video", "key/kernel", "Snippts_Fuse.k.weight"),
    ("video", "value/bias", "Snippts_Fuse.v.bias"),
    ("video", "classifier/hidden/kernel", "classifier_v.0.weight"),
    ("video", "classifier/score/kernel", "classifier_v.3.weight"),
    ("snippet", "local_2/norm/scale", "LSA1.layers.0.0.norm.weight"),
    ("snippet", "local_2/norm/bias", "LSA1.layers.0.0.norm.bias"),
    ("snippet", "local_2/output_norm/scale", "LSA1.to_logits.0.weight"),
    (
      "snippet",
      "block_1/attention_norm/scale",
      "selfatt.layers.1.0.norm.weight",
    ),
    (
      "snippet",
      "block_1/feed_forward_norm/scale",
      "selfatt.layers.1.1.norm.weight",
    ),
    (
      "snippet",
      "block_1/feed_forward_hidden/kernel",
      "selfatt.layers.1.1.fn.net.0.weight",
    ),
    (
      "snippet",
      "block_1/feed_forward_out/kernel",
      "selfatt.layers.1.1.fn.net.3.weight",
    ),
  ],
)
def test_a_parameter_under_both_names(branch, ours, theirs):
  assert {e.ours: e.theirs for e in BRANCHES[branch]}[ours] == theirs


def test_all_missing_entries_are_named():
  entries = BRANCHES["video"]
  whole = state_dict(entries)
  del whole["classifier_v.3.bias"], whole["Snippts_Fuse.q.weight"]
  with pytest.raises(ValueError) as error:
    torch_names.params_from_torch(entries, whole)
  assert str(error.value) == (
    "The state dict lacks Snippts_Fuse.q.weight, classifier_v.3.bias."
  )


def test_windows_are_numbered_in_their_order():
  """Whatever their values: a block is named by its window here."""
  entries = torch_names.snippet_entries(windows=(8, 2), num_blocks=0)
  pairs = {e.theirs: e.ours for e in entries}
  assert pairs["LSA1.pos_emb.weight"] == "local_8/position"
  assert pairs["LSA2.layers.0.0.to_qkv.weight"] == "local_2/qkv/kernel"
  assert not any(name.startswith("selfatt") for name in pairs)


def test_projected_features_have_one_map_more():
  for branch in ("video", "snippet"):
    plain, projected = (
      {e.theirs for e in BRANCHES[branch + more]}
      for more in ("", ", projected")
    )
    assert projected - plain == {"modal_fusion.0.weight", "modal_fusion.0.bias"}


def small_model():
  model = base.get_config().snippet.model
  model.width, model.windows, model.classifier_width = 6, (2, 4), 5
  return model


def test_what_training_never_uses():
  model = small_model()
  shapes = torch_names.unused_shapes(model)
  used = {e.theirs for e in BRANCHES["snippet, projected"]}
  assert not used & set(shapes)
  assert shapes["LSA2.token_emb.weight"] == (256, 6)
  assert shapes["LSA1.layers.0.1.1.weight"] == (32, 6)
  assert "LSA3.token_emb.weight" not in shapes
  weights = torch_names.unused_weights(model)
  for name, shape in shapes.items():
    if name.startswith("vars_s"):
      assert name not in weights
    else:
      assert weights[name].shape == shape
      assert weights[name].dtype == np.float32
  again = torch_names.unused_weights(model)
  for name, value in weights.items():
    np.testing.assert_array_equal(again[name], value)
  np.testing.assert_array_equal(weights["norm.weight"], 1)
  np.testing.assert_array_equal(weights["norm.bias"], 0)


def test_the_classifier_has_second_names():
  shapes = torch_names.unused_shapes(small_model())
  names = ("0.weight", "0.bias", "3.weight", "3.bias")
  numbers = itertools.count()
  own = {
    f"classifier_s.{name}": np.full(shapes[f"vars_s.{i}"], next(numbers))
    for i, name in enumerate(names)
  }
  aliases = torch_names.aliases(own)
  for i, name in enumerate(names):
    assert aliases[f"vars_s.{i}"] is own[f"classifier_s.{name}"]
