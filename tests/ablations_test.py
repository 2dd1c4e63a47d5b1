"""The method without each of its parts: what is gone, and what it changes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax import method as method_lib
from adplg_jax import train_state, train_step
from adplg_jax.configs.ablations import ROWS, find_rows
from adplg_jax.models.video_branch import VideoBranchOutput
from tests.train_step_test import (
  WIDTH,
  compiled,
  distance,
  initial,
  make_batch,
  run,
  small_config,
)


@functools.cache
def method_of(name, **fields):
  config = small_config()
  config.snippet.model.windows = (2, 4, 6, 8)
  config.update_from_flattened_dict(dict(find_rows(name)[-1].overrides))
  config.update_from_flattened_dict(fields)
  return method_lib.from_config(config, feature_width=WIDTH, num_keys=5)


@functools.cache
def trained(name):
  return run(method_of(name), 8)


SHAPES = ("no_window_2", "no_window_4", "no_window_6", "no_window_8")
SHAPES += ("no_global_blocks",)


@pytest.mark.parametrize(
  "name", [row.name for row in ROWS[1:] if row.name not in SHAPES]
)
def test_every_row_changes_training(x64, name):
  state, full = trained(name)[0], trained("full")[0]
  gap = distance(state.snippet.params, full.snippet.params)
  same = name.startswith(("no_denoising", "no_history", "frozen"))
  # Labels alone differ: the video branch does not know of them.
  assert (distance(state.video.params, full.video.params) == 0) == same
  assert gap > 1e-6


@pytest.mark.parametrize("name", SHAPES)
def test_blocks_that_are_left_out_have_no_parameters(x64, name):
  def blocks(name):
    state = jax.eval_shape(lambda: train_state.init_state(method_of(name), 0))
    return set(state.snippet.params)

  window = name.removeprefix("no_window_")
  gone = {f"local_{window}"} if window.isdecimal() else {"block_0"}
  assert blocks("full") - blocks(name) == gone


def output():
  """What a video branch may have made of four pairs."""
  rng = np.random.default_rng(0)
  attention = jax.nn.softmax(jnp.asarray(rng.normal(size=(2, 4, 8))))
  fused = jnp.asarray(rng.normal(size=(3, 4, 6)))
  logits = jnp.asarray(rng.normal(size=(2, 4)))
  return VideoBranchOutput(*attention, *fused, *logits)


@pytest.mark.parametrize(
  "part", ["separation", "dissimilarity", "smoothness", "sparsity"]
)
def test_a_loss_without_weight_is_not_in_the_sum(x64, part):
  valid = jnp.ones((4, 8), bool)
  full, parts = train_step.video_losses(output(), valid, method_of("full"))
  method = method_of(f"no_{part}")
  total, again = train_step.video_losses(output(), valid, method)
  assert parts[part] > 1e-3
  assert again == parts
  np.testing.assert_allclose(total, full - parts[part], rtol=1e-12)
  gradient = jax.grad(
    lambda out: train_step.video_losses(out, valid, method)[0]
  )(output())
  # The cross attention is in these two losses alone.
  if part == "separation":
    assert not gradient.cross_fused.any()
  if part == "dissimilarity":
    assert not gradient.cross_attention.any()


def test_cross_attention_is_what_two_losses_are_about(x64):
  """Without it training is that without both."""
  state, history = trained("no_cross_attention")
  for metrics in history:
    assert metrics["loss/separation"] == metrics["loss/dissimilarity"] == 0
  weights = {"separation": 0.0, "dissimilarity": 0.0}
  method = method_of(
    "full", **{f"loss_weights.{k}": v for k, v in weights.items()}
  )
  other, _ = run(method, 8)
  # But for rounding: it is another program.
  assert distance(state.video.params, other.video.params) < 1e-9
  assert distance(state.memory, other.memory) < 1e-9


def test_without_denoising_no_snippet_is_hard(x64):
  assert trained("full")[1][-1]["labels/hard"] > 0
  for metrics in trained("no_denoising")[1]:
    assert metrics["labels/hard"] == 0


def step_with(name, change, at=5):
  """The snippet branch after a step from a state that `change` has changed."""
  method = method_of(name)
  state, _ = run(method, at)
  found = []
  for own in (state, change(state)):
    after, metrics = compiled(method)(state=own, batch=make_batch(at))
    found.append((after, metrics))
  return found


def forget(state):
  """Another past, as many entries of it."""
  rng = np.random.default_rng(0)
  history = jnp.asarray(rng.random(state.memory.history.shape))
  return state.replace(memory=state.memory.replace(history=history))


def test_without_history_the_past_has_no_effect(x64):
  (one, _), (other, _) = step_with("full", forget)
  assert distance(one.snippet, other.snippet) > 1e-6
  (one, _), (other, _) = step_with("no_history", forget)
  assert distance(one.snippet, other.snippet) == 0


def look_elsewhere(state):
  """A video branch of another seed."""
  video = initial(method_of("full"), 1).video
  return state.replace(video=video)


def test_frozen_labels_do_not_follow_the_attention(x64):
  (one, _), (other, _) = step_with("full", look_elsewhere)
  assert distance(one.snippet, other.snippet) > 1e-6
  (one, _), (other, _) = step_with("frozen_labels", look_elsewhere)
  assert distance(one.snippet, other.snippet) == 0


def test_frozen_labels_are_those_of_the_last_step_of_the_warm_up(x64):
  """Up to its end training is the same; the memory is then left alone."""
  method = method_of("frozen_labels")
  warm, _ = run(method, method.warm_up_steps)
  same, _ = run(method_of("full"), method.warm_up_steps)
  assert distance(warm.memory, same.memory) < 1e-12
  after, _ = run(method, 6)
  assert distance(after.memory, warm.memory) == 0
  assert distance(after.video.params, warm.video.params) > 1e-4
  moved, _ = run(method_of("full"), 6)
  assert distance(moved.memory, warm.memory) > 1e-3


def test_videos_that_the_warm_up_did_not_see_are_left_out(x64):
  """Their snippets are all hard: those of normal videos alone are learnt."""
  method = method_of("frozen_labels")
  state = initial(method).replace(step=jnp.array(5, jnp.int32))
  _, metrics = compiled(method)(state=state, batch=make_batch(0))
  assert metrics["labels/hard"] == 1
  assert metrics["loss/snippet_classification"] > 0
