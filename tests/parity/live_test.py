"""The package against the PyTorch reference, run side by side."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip(
  "torch", reason="PyTorch is not installed: no live parity tests"
)

from scipy import stats  # noqa: E402

from adplg_jax import losses, pseudo_labels  # noqa: E402
from adplg_jax.interop import torch_names  # noqa: E402
from tests.parity import compare, torch_reference  # noqa: E402
from tests.parity.pair import FULL, SMALL, Pair, make_batch  # noqa: E402

# Largest relative error of forwards and losses, gradients, all state at the
# end of training.
TOLERANCE = {
  "float64": (1e-12, 1e-8, 1e-8),
  "float32": (1e-5, 1e-4, 1e-3),
}
# Adam carries the rounding of a gradient next to 0 into its parameter up to
# learning rate / 1e-8 times larger, as for some of 53 million.
FULL_WIDTH_STATE = {"float64": 1e-7, "float32": 1e-2}


def check(errors, tolerance):
  off = {name: e for name, e in errors.items() if not e <= tolerance}
  assert not off, f"beyond {tolerance}: {off}"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
  """Small products are slower on several."""
  threads = torch.get_num_threads()
  torch.set_num_threads(1)
  yield
  torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["float64", "float32"])
def precision(request):
  return request.param


@pytest.fixture(scope="module")
def pair(precision):
  return Pair(SMALL, precision, segments=16)


@pytest.mark.parametrize("rows", compare.LENGTHS)
def test_forwards_agree_for_any_length_and_padding(pair, precision, rows):
  lengths = compare.LENGTHS[rows]
  tolerance = TOLERANCE[precision][0]
  check(compare.forward_video(pair, rows, lengths), tolerance)
  check(compare.forward_snippet(pair, rows, lengths), tolerance)


def test_every_loss_and_every_gradient_agrees(pair, precision):
  batch = make_batch("gradients", (4, 16, SMALL.feature_width), 3)
  found, gradients = compare.losses_and_gradients(pair, batch)
  check(found, TOLERANCE[precision][0])
  check(gradients, TOLERANCE[precision][1])
  entries = pair.video_entries + pair.snippet_entries
  assert set(gradients) == {entry.theirs for entry in entries}


@pytest.mark.parametrize(
  "precision",
  ["float64", pytest.param("float32", marks=pytest.mark.slow)],
  indirect=True,
)
def test_fifty_steps_end_in_the_same_state(precision):
  pair = Pair(SMALL, precision, segments=16)
  check(compare.train(pair, 50, 4), TOLERANCE[precision][2])
  assert all(
    len(entries) == SMALL.history_length
    for entries in pair.reference.memory.history.values()
  )


@pytest.mark.parametrize(
  ("precision", "steps"),
  [("float64", 50), ("float32", 30)],
  indirect=["precision"],
)
def test_steps_with_the_same_dropout_masks_end_in_the_same_state(
  precision, steps
):
  """The program with dropout, but for the generator that draws the masks."""
  options = dataclasses.replace(
    SMALL, num_blocks=2, dropout=0.7, block_dropout=0.5, warm_up=10
  )
  pair = Pair(options, precision, segments=16)
  check(compare.train(pair, steps, 4), TOLERANCE[precision][2])


def test_features_of_another_width_pass_the_same_projection():
  options = dataclasses.replace(SMALL, feature_width=20, windows=(3,))
  pair = Pair(options, "float64", segments=16)
  assert "input" in pair.state.video.params
  check(compare.forward_video(pair, 9, (5, 9)), 1e-12)
  check(compare.forward_snippet(pair, 9, (5, 9)), 1e-12)


@pytest.mark.parametrize("precision", ["float32"], indirect=True)
def test_bfloat16_forwards_stay_close(pair):
  for forward in (compare.forward_video, compare.forward_snippet):
    check(forward(pair, 37, (1, 20, 37), dtype=jnp.bfloat16), 2e-2)


def both_gradients(own, theirs, *arrays, rtol=1e-12):
  """Values and gradients of a function of arrays in both libraries."""
  tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
  value = theirs(*tensors)
  value.backward()
  found, gradients = jax.value_and_grad(own, tuple(range(len(arrays))))(
    *map(jnp.asarray, arrays)
  )
  np.testing.assert_allclose(found, value.item(), rtol=1e-13)
  for gradient, tensor in zip(gradients, tensors, strict=True):
    np.testing.assert_allclose(gradient, tensor.grad, rtol=rtol, atol=1e-15)


@pytest.mark.parametrize("label", [0.0, 0.3, 1.0])
def test_cross_entropy_of_saturated_probabilities(x64, label):
  s = np.array([0, 1e-320, 1e-50, 1e-13, 1e-11, 0.4, 1 - 1e-9, 1 - 1e-14, 1])
  labels = np.full_like(s, label)
  both_gradients(
    lambda s: losses.binary_cross_entropy(s, jnp.asarray(labels)).sum(),
    lambda s: torch.nn.functional.binary_cross_entropy(
      s, torch.tensor(labels), reduction="sum"
    ),
    s,
    rtol=1e-8,  # torch rounds the floor 1e-12 to float32
  )


def random(*shape):
  return np.random.RandomState(0).standard_normal(shape)


def test_losses_at_their_corners(x64):
  """Equal videos, a snippet without weight, a single pair."""
  x, y = random(3, 5), random(3, 5) + 3
  y[0] = x[0]
  triplet = torch.nn.functional.triplet_margin_loss
  both_gradients(losses.separation, triplet, x, y, y + 0.1)
  a, b = abs(random(3, 5)), abs(random(3, 5)) + 1
  a[:, 2] = 0
  both_gradients(
    losses.dissimilarity,
    lambda a, b: torch.cosine_similarity(a, b, dim=-1, eps=1e-6).mean(),
    a,
    b,
  )
  valid = jnp.ones(a.shape, bool)
  both_gradients(
    lambda a: losses.sparsity(a, valid), lambda a: a.norm(dim=0).mean(), a
  )
  alone = losses.smoothness(jnp.asarray(a[:1]), valid[:1], axis="batch")
  assert float(alone) == 0


@pytest.mark.parametrize("hard_share", [0.0, 0.4, 1.0])
def test_snippet_loss_drops_hard_snippets_and_losses_of_zero(x64, hard_share):
  logits = 4 * random(6, 9)
  logits[0] = -800
  labels = abs(random(6, 9)) % 1
  labels[:3] = 0
  hard = np.random.RandomState(1).uniform(size=(6, 9)) < hard_share
  both_gradients(
    lambda x: losses.snippet_classification(
      x,
      jnp.asarray(labels),
      jnp.asarray(hard),
      bce="probabilities",
      drop_zero_losses=True,
    ),
    lambda x: torch_reference.snippet_loss(
      x.sigmoid(), torch.tensor(labels), torch.tensor(hard)
    ),
    logits,
  )


def test_labels_of_repeated_keys_agree_item_by_item(x64):
  options = dataclasses.replace(SMALL, history_length=3)
  reference = torch_reference.Memory(options)
  memory = pseudo_labels.init_memory(4, 3, 7, jnp.float64)
  update = jax.jit(
    functools.partial(
      pseudo_labels.update,
      mean_threshold=options.mean_threshold,
      variance_threshold=options.variance_threshold,
    )
  )
  rng = np.random.RandomState(0)
  hard_ones = 0
  for _ in range(12):
    keys = rng.randint(4, size=6).astype(np.int32)
    raw = rng.uniform(size=(6, 7))
    expected, hard = reference.update(keys, torch.tensor(raw))
    memory, found = update(
      memory, jnp.asarray(keys), jnp.asarray(raw), jnp.ones((6, 7), bool)
    )
    np.testing.assert_array_equal(found.labels, expected)
    np.testing.assert_array_equal(found.hard, hard)
    hard_ones += int(hard.sum())
  assert hard_ones > 20


def initial_values(runs):
  """{name: values of all runs}, ours and the reference's, both branches."""
  pair = Pair(SMALL, "float32", segments=16)
  x, lengths = jnp.zeros((1, 4, SMALL.feature_width)), jnp.array([4])
  keys = jax.random.split(jax.random.key(1), runs)
  video, snippet = pair.method.video_branch, pair.method.snippet_branch
  own = {}
  for entries, init in (
    (pair.video_entries, lambda k: video.init(k, x, x, lengths, lengths)),
    (pair.snippet_entries, lambda k: snippet.init(k, x, lengths)),
  ):
    init = jax.jit(init)
    trees = [
      torch_names.params_to_torch(entries, init(key)["params"]) for key in keys
    ]
    for name in trees[0]:
      own[name] = np.concatenate([tree[name].ravel() for tree in trees])
  theirs = {name: [] for name in own}
  for _ in range(runs):
    for branch in (torch_reference.VideoBranch, torch_reference.SnippetBranch):
      for name, values in branch(SMALL).named_parameters():
        if name in theirs:
          theirs[name].append(values.detach().numpy().ravel())
  return own, {name: np.concatenate(v) for name, v in theirs.items()}


def test_initial_distributions_agree_parameter_by_parameter():
  torch.manual_seed(1)
  own, theirs = initial_values(60)
  for name, values in own.items():
    assert values.size == theirs[name].size, name
    if np.ptp(theirs[name]) == 0:
      np.testing.assert_array_equal(values, theirs[name], err_msg=name)
      continue
    p = stats.ks_2samp(values[:50_000], theirs[name][:50_000]).pvalue
    assert p > 1e-4, (name, p, values.std(), theirs[name].std())


def test_dropout_does_the_same_to_the_scores():
  """Means and deviations of scores over many masks, both branches."""
  runs = 1500
  options = dataclasses.replace(SMALL, dropout=0.7, block_dropout=0.5)
  pair = Pair(options, "float32", segments=16)
  batch = make_batch("dropout", (2, 16, SMALL.feature_width), 3)
  normal, anomalous = map(pair.to_jax, (batch.normal, batch.anomalous))
  both = np.concatenate([batch.normal, batch.anomalous])
  lengths = jnp.full(len(normal), 16)

  def ours(key):
    rngs = {"dropout": key}
    video = pair.method.video_branch.apply(
      {"params": pair.state.video.params},
      *(normal, anomalous, lengths, lengths),
      train=True,
      rngs=rngs,
    )
    snippet = pair.method.snippet_branch.apply(
      {"params": pair.state.snippet.params},
      *(pair.to_jax(both), jnp.full(len(both), 16)),
      train=True,
      rngs=rngs,
    )
    logits = (video.normal_logits, video.anomalous_logits, snippet.ravel())
    return jax.nn.sigmoid(jnp.concatenate(logits))

  def theirs():
    video, snippet = pair.reference.video, pair.reference.snippet
    with torch.no_grad():
      scores = video(*map(pair.to_torch, (batch.normal, batch.anomalous)))
      return torch.cat(
        [scores["scores_v"].ravel(), snippet(pair.to_torch(both)).ravel()]
      ).numpy()

  a = np.asarray(jax.lax.map(ours, jax.random.split(jax.random.key(0), runs)))
  b = np.stack([theirs() for _ in range(runs)])
  assert a.shape == b.shape
  z = (a.mean(0) - b.mean(0)) / np.sqrt((a.var(0) + b.var(0)) / runs)
  assert np.abs(z).max() < 5
  assert np.square(z).mean() < 3
  np.testing.assert_allclose(a.std(0), b.std(0), rtol=0.15)
  # Masks of different rows have nothing to do with each other.
  rows = 2 * len(normal)
  for scores in (a, b):
    correlation = np.corrcoef(scores[:, :rows].T) - np.eye(rows)
    assert np.abs(correlation).max() < 0.15


@pytest.mark.parametrize(
  ("branch", "numbers"),
  [
    (torch_reference.VideoBranch, (10, 1_590_849)),
    (torch_reference.SnippetBranch, (90, 87_483_457)),
  ],
)
def test_the_reference_has_the_programs_entries(branch, numbers):
  with torch.device("meta"):
    branch = branch(torch_reference.Options())
  size = sum(parameter.numel() for parameter in branch.parameters())
  assert (len(branch.state_dict()), size) == numbers


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_full_width(precision):
  pair = Pair(FULL, precision, segments=64)
  forward, gradient, _ = TOLERANCE[precision]
  check(compare.forward_video(pair, 64, (1, 37, 64)), forward)
  check(compare.forward_snippet(pair, 333, (37, 64, 333)), forward)
  batch = make_batch("gradients", (4, 64, FULL.feature_width), 3)
  found, gradients = compare.losses_and_gradients(pair, batch)
  check(found, forward)
  check(gradients, gradient)
  check(compare.train(pair, 3, 4), FULL_WIDTH_STATE[precision])
