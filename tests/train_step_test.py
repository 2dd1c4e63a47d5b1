import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax import method as method_lib
from adplg_jax import pseudo_labels, train_state, train_step
from adplg_jax.configs import base, synthetic
from adplg_jax.models.snippet_branch import SnippetBranch

WIDTH = 12


def small_config(**switches):
  config = synthetic.get_config()
  config.num_segments = 8
  config.batch_size = 8
  config.precision = "float64"
  config.warm_up_steps = 2
  config.video.model.width = WIDTH
  config.video.model.attention_width = 6
  config.snippet.model.width = 16
  config.snippet.model.windows = (2, 4)
  config.snippet.model.num_blocks = 1
  config.snippet.model.local_head_width = 4
  config.snippet.model.global_head_width = 4
  config.snippet.model.feed_forward_width = 8
  config.snippet.model.max_snippets = 16
  config.snippet.optimizer.decay_every = 2
  config.switches.update(switches)
  return config


@functools.cache
def small_method(**switches):
  return method_lib.from_config(
    small_config(**switches), feature_width=WIDTH, num_keys=5
  )


@functools.cache
def initial(method, seed=0):
  return jax.jit(lambda: train_state.init_state(method, seed))()


def make_batch(step, size=8, segments=8):
  rng = np.random.default_rng(step)
  batch = {
    name: {
      "features": rng.random((size, segments, WIDTH), np.float32),
      "length": np.full(size, segments, np.int32),
    }
    for name in ("normal", "anomalous")
  }
  batch["anomalous"]["key"] = rng.integers(0, 5, size, dtype=np.int32)
  return batch


@functools.cache
def compiled(method, seed=0, donate=None):
  """One compilation for all tests that step the same method."""
  return jax.jit(
    functools.partial(train_step.train_step, method=method, seed=seed),
    donate_argnames=donate,
  )


def run(method, steps, seed=0):
  state = initial(method, seed)
  step = compiled(method, seed)
  history = []
  for i in range(steps):
    state, metrics = step(state=state, batch=make_batch(i))
    history.append(metrics)
  return state, history


def distance(a, b):
  return max(
    float(jnp.abs(x - y).max())
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
  )


def test_warm_up_gates_the_snippet_branch_alone(x64):
  method = small_method()
  start = initial(method)
  warm, history = run(method, 2)
  assert distance(warm.snippet, start.snippet) == 0
  assert distance(warm.video.params, start.video.params) > 1e-4
  assert warm.memory.count.sum() > 0
  assert history[-1]["loss/snippet_classification"] == 0
  after, history = run(method, 3)
  assert distance(after.snippet.params, start.snippet.params) > 1e-4
  assert history[-1]["loss/snippet_classification"] > 0


def test_known_truth_is_measured_and_changes_nothing(x64):
  """But for rounding: it is another program."""
  method = small_method()
  step = compiled(method)
  plain = known = initial(method)
  for i in range(4):
    batch = make_batch(i)
    plain, metrics = step(state=plain, batch=batch)
    truth = np.random.default_rng(i).random((8, 8), np.float32)
    batch["anomalous"]["truth"] = truth
    known, more = step(state=known, batch=batch)
    assert set(more) - set(metrics) == set(train_step.PARTIAL_METRICS)
    for name, value in metrics.items():
      np.testing.assert_allclose(value, more[name], rtol=1e-10)
    assert 0 < more["labels/precision"] < 1
    assert 0 < more["labels/recall"] < 1
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12),
    plain,
    known,
  )


def test_snippet_schedule_counts_its_own_updates(x64):
  state, _ = run(small_method(), 5)
  counts = [
    int(leaf)
    for leaf in jax.tree.leaves(state.snippet.opt_state)
    if leaf.shape == ()
  ]
  assert counts == [3, 3]


def test_a_run_is_a_function_of_its_seed(x64):
  method = small_method()
  one, two, other = run(method, 4), run(method, 4), run(method, 4, seed=1)
  assert distance(one, two) == 0
  assert distance(one[0].video.params, other[0].video.params) > 1e-3


def test_state_is_donated(x64):
  method = small_method()
  step = compiled(method, donate="state")
  state = jax.tree.map(jnp.copy, initial(method))
  leaf = jax.tree.leaves(state.snippet.params)[0]
  step(state=state, batch=make_batch(0))
  assert leaf.is_deleted()


@pytest.mark.parametrize("axis", ["time", "batch"])
def test_batch_order_matters_to_the_smoothness_along_it_alone(x64, axis):
  method = small_without_dropout(axis)
  state, step = initial(method), compiled(method)
  batch = make_batch(0)
  batch["anomalous"]["key"] = np.arange(8, dtype=np.int32) % 5
  # Not turned round: that would leave the sum of differences as it is.
  order = np.array([3, 0, 7, 1, 5, 2, 6, 4])
  mixed = jax.tree.map(lambda x: x[order], batch)

  def losses(batch):
    _, metrics = step(state=state, batch=batch)
    return {k: float(v) for k, v in metrics.items() if k.startswith("loss")}

  found, before = losses(mixed), losses(batch)
  changed = {k for k, v in before.items() if abs(v - found[k]) > 1e-9}
  along_batch = {"loss/smoothness", "loss/video_branch"}
  assert changed == (along_batch if axis == "batch" else set())


def small_without_dropout(axis):
  config = small_config(smooth_axis=axis)
  config.video.model.dropout = 0.0
  config.snippet.model.dropout = 0.0
  config.snippet.model.block_dropout = 0.0
  return method_lib.from_config(config, feature_width=WIDTH, num_keys=5)


def test_gradients_stay_finite_where_norms_are_zero(x64):
  """Features of zero make all fused features and attentions equal."""
  method = small_method()
  state = initial(method)
  batch = jax.tree.map(np.zeros_like, make_batch(0))
  batch["normal"]["length"] += 8
  batch["anomalous"]["length"] += 8
  step = compiled(method)
  for _ in range(4):
    state, metrics = step(state=state, batch=batch)
    assert all(np.isfinite(v) for v in metrics.values()), metrics
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(state))


def test_fixed_masks_padding_and_official_does_not(x64):
  batch = make_batch(0)
  batch["normal"]["length"][:] = 5
  batch["anomalous"]["length"][:] = 6
  changed = jax.tree.map(np.copy, batch)
  changed["normal"]["features"][:, 5:] = 9
  changed["anomalous"]["features"][:, 6:] = 9
  for masked in (True, False):
    config = small_config(mask_zero_rows=masked)
    config.warm_up_steps = 0
    method = method_lib.from_config(config, feature_width=WIDTH, num_keys=5)
    state, step = initial(method), compiled(method)
    one, _ = step(state=state, batch=batch)
    two, _ = step(state=state, batch=changed)
    gap = distance(one, two)
    assert gap == 0 if masked else gap > 1e-4


def test_dropout_streams_are_functions_of_seed_and_step():
  keys = [
    tuple(jax.random.key_data(key).tolist())
    for seed, step in ((0, 1), (0, 2), (1, 1), (1, 2))
    for key in train_step.dropout_streams(seed, step).values()
  ]
  assert len(set(keys)) == 8
  again = train_step.dropout_streams(0, jnp.array(1)).values()
  assert [tuple(jax.random.key_data(key).tolist()) for key in again] == keys[:2]


def test_dropout_acts_in_both_branches_and_follows_seed_and_step(x64):
  method, batch = small_method(), make_batch(0)

  def losses(step, seed):
    state = initial(method).replace(step=jnp.array(step, jnp.int32))
    _, metrics = compiled(method, seed)(state=state, batch=batch)
    names = ("loss/video_classification", "loss/snippet_classification")
    return [float(metrics[name]) for name in names]

  found = [losses(5, 0), losses(6, 0), losses(5, 1)]
  assert losses(5, 0) == found[0]
  for branch in zip(*found, strict=True):
    assert len(set(branch)) == 3


def test_memory_holds_labels_of_before_the_update(x64):
  """Attention knows no dropout, so that it can be computed again."""
  method, batch = small_method(), make_batch(0)
  state = initial(method)
  after, _ = compiled(method)(state=state, batch=batch)
  parts = batch["normal"], batch["anomalous"]

  def raw(params):
    output = method.video_branch.apply(
      {"params": params},
      *(jnp.asarray(part["features"], float) for part in parts),
      *(jnp.asarray(part["length"]) for part in parts),
    )
    return pseudo_labels.min_max(output.anomalous_attention)

  # Rates are high enough to tell them apart.
  old, new = raw(state.video.params), raw(after.video.params)
  assert jnp.abs(old - new).max() > 1e-4
  keys = batch["anomalous"]["key"].tolist()
  for key in set(keys):
    latest = len(keys) - 1 - keys[::-1].index(key)
    found = after.memory.history[key, -1]
    np.testing.assert_allclose(found, old[latest], atol=1e-9)


def snippet_loss(params, features, labels, normal_length, method):
  """Of `_snippet_update`, for hard snippets and padding of one's choice."""
  size, segments = labels.labels.shape
  batch = {
    "normal": {"features": features[0], "length": normal_length},
    "anomalous": {
      "features": features[1],
      "length": jnp.full(size, segments, jnp.int32),
    },
  }
  optimizer = method.snippet_optimizer
  branch = train_state.BranchState(params, optimizer.init(params))
  _, metrics = train_step._snippet_update(
    branch, batch, labels, method, jax.random.key(0)
  )
  return metrics["loss/snippet_classification"]


def test_what_counts_of_each_class_of_videos(monkeypatch):
  """Padding of normal videos is ignored, hard snippets of anomalous ones."""

  def logits(self, variables, x, lengths, **_):
    return x[..., 0] + variables["params"]

  monkeypatch.setattr(SnippetBranch, "apply", logits)
  method = small_method()
  rng = np.random.default_rng(0)
  features = jnp.asarray(rng.normal(size=(2, 3, 8, 1)), jnp.float32)
  length = np.array([8, 5, 2], np.int32)
  labels = pseudo_labels.PseudoLabels(
    jnp.asarray(rng.random((3, 8)), jnp.float32),
    jnp.asarray(rng.random((3, 8)) < 0.4),
  )
  normal, anomalous = 1 / (1 + np.exp(-features[..., 0]))
  counted = np.arange(8) < length[:, None]
  target, hard = map(np.asarray, labels)
  entropy = target * np.log(anomalous) + (1 - target) * np.log1p(-anomalous)
  every = [*np.log1p(-normal)[counted], *entropy[~hard]]
  found = snippet_loss(
    jnp.zeros(()), features, labels, jnp.asarray(length), method
  )
  np.testing.assert_allclose(found, -np.mean(every), rtol=1e-5)


SWITCHES = {
  "smooth_axis": "time",
  "mask_padded_keys": True,
  "rotary_query_shift": False,
  "decay_unseen_positions": False,
  "bce": "logits",
  "mask_zero_rows": True,
  "drop_zero_losses": False,
}


@functools.cache
def official(score_bias=0.0):
  return stepped(small_config(), score_bias)


def stepped(config, score_bias=0.0):
  """One step of both branches, in which every switch can matter.

  N is no multiple of the windows, and videos are shorter than N. With a bias of
  -800 all snippets score exactly 0.
  """
  config.num_segments, config.warm_up_steps = 7, 0
  method = method_lib.from_config(config, feature_width=WIDTH, num_keys=5)
  state = train_state.init_state(method, 0)
  params = jax.tree.map(jnp.asarray, state.snippet.params)
  params["classifier"]["score"]["bias"] += score_bias
  snippet = train_state.BranchState(params, state.snippet.opt_state)
  batch = make_batch(0, segments=7)
  for part in batch.values():
    part["length"][:] = 5
  step = jax.jit(
    functools.partial(train_step.train_step, method=method, seed=0)
  )
  return step(state=state.replace(snippet=snippet), batch=batch)


def difference(one, other):
  """Of all parameters and metrics of two steps."""
  (a, metrics), (b, others) = one, other
  return max(
    distance(a, b), *(abs(float(metrics[k] - others[k])) for k in metrics)
  )


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_reaches_the_step(x64, switch):
  assert set(SWITCHES) < set(base.OFFICIAL)
  config = small_config(**{switch: SWITCHES[switch]})
  # What happens to scores of exactly 0 is what these two are about.
  bias = -800.0 if switch in ("bce", "drop_zero_losses") else 0.0
  assert difference(stepped(config, bias), official(bias)) > 1e-9


def test_every_loss_weight_acts(x64):
  config = small_config()
  names = list(config.loss_weights)
  weights = {name: 0.5 + 0.1 * i for i, name in enumerate(names)}
  config.loss_weights.update(weights)
  _, metrics = stepped(config)
  total = sum(w * metrics[f"loss/{name}"] for name, w in weights.items())
  np.testing.assert_allclose(metrics["loss/video_branch"], total)
  norm = "gradient_norm/video_branch"
  assert abs(metrics[norm] / official()[1][norm] - 1) > 1e-3


def test_both_branches_and_the_memory_in_one_program(x64):
  method = small_method()
  state = jax.eval_shape(lambda: train_state.init_state(method, 0))
  step = compiled(method)
  new, metrics = jax.eval_shape(step, state=state, batch=make_batch(0))
  assert jax.tree.map(lambda x: (x.shape, x.dtype), new) == jax.tree.map(
    lambda x: (x.shape, x.dtype), state
  )
  names = {name for name in metrics if name.startswith("loss/")}
  assert names == {
    "loss/video_classification",
    "loss/separation",
    "loss/dissimilarity",
    "loss/smoothness",
    "loss/sparsity",
    "loss/video_branch",
    "loss/snippet_classification",
  }
