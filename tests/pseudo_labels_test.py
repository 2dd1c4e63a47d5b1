import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adplg_jax import pseudo_labels

SEGMENTS = 5
KEYS = 4
THRESHOLDS = {"mean_threshold": 0.25, "variance_threshold": 0.4}
update = jax.jit(
  pseudo_labels.update,
  static_argnames=("mean_threshold", "variance_threshold"),
)


def plain_min_max(x):
  return (x - x.min()) / (x.max() - x.min() + 1e-8)


def plain_update(memory, keys, raw, places):
  """docs/method.md, section 3, item by item, over a dict of lists."""
  labels, hard = [], []
  for key, row in zip(keys, raw, strict=True):
    entries = memory.setdefault(int(key), [])
    entries.append(row)
    if len(entries) <= places:
      labels.append(row)
      hard.append(np.zeros(row.shape, bool))
      continue
    entries.pop(0)
    window = np.stack(entries)
    mean = plain_min_max(window.mean(0))
    variance = plain_min_max(window.var(0, ddof=1))
    labels.append((mean >= THRESHOLDS["mean_threshold"]).astype(float))
    hard.append(variance > THRESHOLDS["variance_threshold"])
  return np.stack(labels), np.stack(hard)


@st.composite
def runs(draw):
  # Few shapes, since each is compiled; many ways of repeating keys.
  places = draw(st.sampled_from([2, 3, 5]))
  size = draw(st.sampled_from([1, 3, 8]))
  key = st.integers(0, draw(st.integers(0, KEYS - 1)))
  steps = draw(
    st.lists(st.lists(key, min_size=size, max_size=size), max_size=6)
  )
  return places, steps, draw(st.integers(0, 2**31))


@settings(max_examples=400, deadline=None)
@given(runs())
def test_memory_is_updated_in_order(run):
  places, steps, seed = run
  rng = np.random.default_rng(seed)
  with jax.enable_x64(True):
    memory = pseudo_labels.init_memory(KEYS, places, SEGMENTS, jnp.float64)
    plain = {}
    for keys in steps:
      # Coarse values, so that ties and equal entries happen.
      raw = rng.integers(0, 5, (len(keys), SEGMENTS)) / 4
      memory, found = update(
        memory,
        jnp.array(keys, jnp.int32),
        jnp.asarray(raw),
        jnp.ones(raw.shape, bool),
        **THRESHOLDS,
      )
      labels, hard = plain_update(plain, keys, raw, places)
      np.testing.assert_array_equal(found.hard, hard)
      # Coarse means sit on thresholds: allow what rounding decides there.
      means_differ = np.abs(found.labels - labels) > 1e-12
      assert not means_differ.any()
    for key in range(KEYS):
      entries = plain.get(key, [])
      assert memory.count[key] == len(entries)
      kept = memory.history[key, places - len(entries) :]
      np.testing.assert_array_equal(
        kept, np.reshape(entries, (-1, SEGMENTS)), strict=False
      )


def test_one_key_for_a_whole_batch():
  raw = jnp.asarray(np.random.default_rng(0).random((32, SEGMENTS)))
  memory = pseudo_labels.init_memory(1, 3, SEGMENTS)
  memory, labels = update(
    memory,
    jnp.zeros(32, jnp.int32),
    raw,
    jnp.ones(raw.shape, bool),
    **THRESHOLDS,
  )
  np.testing.assert_array_equal(memory.history[0], raw[-3:])
  np.testing.assert_array_equal(labels.labels[:3], raw[:3])
  assert set(np.unique(labels.labels[3:])) == {0.0, 1.0}


def test_a_value_on_its_threshold_is_high_but_not_hard():
  window = jnp.array([[[0.0, 0.25, 1.0], [0.0, 0.25, 1.0]]])
  valid = jnp.ones((1, 3), bool)
  thresholds = {"mean_threshold": 0.25, "variance_threshold": 0.25}
  high = pseudo_labels.denoise(window, valid, **thresholds).labels
  np.testing.assert_array_equal(high, [[0, 1, 1]])
  # Variances 0, 1/8 and 1/2.
  window = jnp.array([[[0.0, 0.0, 0.0], [0.0, 0.5, 1.0]]])
  hard = pseudo_labels.denoise(window, valid, **thresholds).hard
  np.testing.assert_array_equal(hard, [[False, False, True]])


def test_the_variance_is_unbiased(x64):
  """1e-8 here: with it in the denominator 1/2, the biased one only 1/3."""
  window = jnp.array([[[0.5, 0.5], [0.5, 0.5 + 2e-8**0.5]]])
  _, hard = pseudo_labels.denoise(window, jnp.ones((1, 2), bool), **THRESHOLDS)
  np.testing.assert_array_equal(hard, [[False, True]])


def test_padding_is_hard_and_outside_the_normalisation():
  raw = jnp.array([[0.0, 0.5, 1.0, 0.0, 0.0]])
  valid = jnp.array([[True, True, True, False, False]])
  memory = pseudo_labels.init_memory(1, 2, SEGMENTS)
  for _ in range(3):
    memory, labels = update(memory, jnp.array([0]), raw, valid, **THRESHOLDS)
  np.testing.assert_array_equal(labels.labels[0], [0, 1, 1, 0, 0])
  np.testing.assert_array_equal(labels.hard[0], [0, 0, 0, 1, 1])


def test_compiled_program_has_no_loop():
  memory = jax.eval_shape(lambda: pseudo_labels.init_memory(9, 3, SEGMENTS))
  raw = jax.ShapeDtypeStruct((32, SEGMENTS), jnp.float32)
  lowered = update.lower(
    memory,
    jax.ShapeDtypeStruct((32,), jnp.int32),
    raw,
    jax.ShapeDtypeStruct(raw.shape, bool),
    **THRESHOLDS,
  )
  assert "stablehlo.while" not in lowered.as_text()
  # As it is used: `make test` leaves scatters as loops, to compile quickly.
  compiled = lowered.compile({"xla_cpu_use_fusion_emitters": True})
  assert "while(" not in compiled.as_text()


def test_no_gradient_flows_through_labels():
  memory = pseudo_labels.init_memory(1, 2, SEGMENTS)

  def total(raw):
    valid = jnp.ones(raw.shape, bool)
    _, labels = update(memory, jnp.array([0]), raw, valid, **THRESHOLDS)
    return labels.labels.sum()

  np.testing.assert_array_equal(jax.grad(total)(jnp.ones((1, SEGMENTS))), 0)


def test_no_history_at_all_is_refused():
  with pytest.raises(ValueError, match="history_length is 0; it must be at"):
    pseudo_labels.init_memory(3, 0, 8)


def test_a_history_of_one_labels_by_the_newest_entry_alone():
  """No snippet is hard; what was before has no effect."""
  raw = jnp.array([[0.0, 0.2, 0.25, 0.9, 1.0]])
  valid = jnp.ones(raw.shape, bool)
  for before in (0.0, 0.7):
    memory = pseudo_labels.init_memory(1, 1, SEGMENTS)
    old = jnp.full(raw.shape, before).at[0, 0].set(0)
    memory, labels = update(memory, jnp.array([0]), old, valid, **THRESHOLDS)
    np.testing.assert_array_equal(labels.labels, old)
    memory, labels = update(memory, jnp.array([0]), raw, valid, **THRESHOLDS)
    np.testing.assert_array_equal(labels.labels, [[0, 0, 1, 1, 1]])
    assert not labels.hard.any()
    np.testing.assert_array_equal(memory.history, raw[None])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_variance_threshold_of_one_leaves_no_snippet_hard(x64, dtype):
  window = jnp.asarray(np.random.default_rng(0).random((50, 3, 5)), dtype)
  # A range so wide that the 1e-8 is lost in it, too.
  window = jnp.concatenate([window, 1e6 * window])
  valid = jnp.ones((100, 5), bool)
  found = pseudo_labels.denoise(
    window, valid, mean_threshold=0.25, variance_threshold=1.0
  )
  assert not found.hard.any()
  strict = pseudo_labels.denoise(window, valid, **THRESHOLDS)
  assert strict.hard.any()
  np.testing.assert_array_equal(found.labels, strict.labels)


def test_remembered_labels_are_those_of_the_memory():
  """Denoised where it is full, else the newest entry, else all are hard."""
  rng = np.random.default_rng(0)
  memory = pseudo_labels.init_memory(3, 2, SEGMENTS)
  valid = jnp.ones((4, SEGMENTS), bool)
  raw = jnp.asarray(rng.random((4, SEGMENTS)))
  # Key 0 three times, key 1 once, key 2 never.
  keys = jnp.array([0, 0, 1, 0])
  memory, made = update(memory, keys, raw, valid, **THRESHOLDS)
  found = pseudo_labels.remembered(
    memory, jnp.array([0, 1, 2, 0]), valid.at[3, 4].set(False), **THRESHOLDS
  )
  np.testing.assert_array_equal(found.labels[0], made.labels[3])
  np.testing.assert_array_equal(found.hard[0], made.hard[3])
  np.testing.assert_array_equal(found.labels[1], raw[2])
  assert not found.hard[1].any()
  assert found.hard[2].all()
  assert found.hard[3, 4]


def test_the_quality_of_labels():
  """Hard snippets, and videos whose truth is not known, do not count."""
  labels = pseudo_labels.PseudoLabels(
    jnp.array([[1, 1, 0, 0.3, 1.0], [1, 0, 1, 0, 1]]),
    jnp.array([[0, 0, 0, 0, 1], [0] * 5], bool),
  )
  truth = jnp.array([[1, 0, 0.5, 0.5, 1], [jnp.nan] * 5])
  found = pseudo_labels.quality(labels, truth, mean_threshold=0.25)
  np.testing.assert_allclose(found, (1.5 / 3, 1.5 / 2), rtol=1e-6)


def test_a_quality_that_is_not_defined_is_nan():
  none = pseudo_labels.PseudoLabels(jnp.zeros((1, 2)), jnp.zeros((1, 2), bool))
  some = none._replace(labels=jnp.ones((1, 2)))
  for labels, truth, want in (
    (none, [[1.0, 0.0]], (np.nan, 0)),
    (some, [[0.0, 0.0]], (0, np.nan)),
    (some, [[np.nan, np.nan]], (np.nan, np.nan)),
  ):
    found = pseudo_labels.quality(labels, jnp.array(truth), mean_threshold=0.25)
    np.testing.assert_array_equal(found, want)
