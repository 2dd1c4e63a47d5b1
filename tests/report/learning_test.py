"""Branches that learn nothing are named, once."""

import numpy as np
import pytest

from adplg_jax import main
from adplg_jax.configs import synthetic
from adplg_jax.report.learning import LearningWatch, score_spread
from adplg_jax.scoring.metrics import VideoScore
from tests import layouts
from tests.runs import tiny


def watch(**changes):
  config = synthetic.get_config()
  config.update_from_flattened_dict({"warm_up_steps": 120, **changes})
  return LearningWatch(config)


def losses(dissimilarity=1.0, separation=1.0):
  return {"loss/dissimilarity": dissimilarity, "loss/separation": separation}


def said(caplog):
  return [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]


def scored(*snippet_scores):
  """A video for each."""
  rows = [np.array(row, float) for row in snippet_scores]
  return [VideoScore("v", "Normal", 0, row, row, None) for row in rows]


def test_a_uniform_attention_is_said_once_after_the_warm_up(caplog):
  looking = watch()
  for step in range(1, 300):
    looking.see_step(step, losses(0.99999, 1.0001))
    assert len(said(caplog)) == (step > 120)
  (text,) = said(caplog)
  assert text.startswith("Step 121: the video branch has learnt nothing")
  assert "loss/dissimilarity 1.0000, loss/separation 1.0001" in text
  assert "--config.data.normalize=standardize, or rms" in text


@pytest.mark.parametrize("values", [losses(0.99), losses(1.0, 0.98)])
def test_an_attention_that_has_learnt_is_not(caplog, values):
  """One loss at 1 is not enough, nor is the start of the warm-up."""
  looking = watch()
  for step in range(1, 300):
    looking.see_step(step, losses() if step < 100 else values)
  assert said(caplog) == []


def test_a_short_warm_up_is_waited_for(caplog):
  looking = watch(warm_up_steps=0)
  for step in range(1, 101):
    looking.see_step(step, losses())
  assert said(caplog) == []


def test_scores_that_do_not_depend_on_the_video_are_said_once(caplog):
  """They may depend on the place, and videos differ in length."""
  looking = watch(**{"data.normalize": "rms"})
  same = scored([0.1, 0.5, 0.9], [0.1, 0.5], [0.1001, 0.5, 0.9, 0.3])
  looking.see_scores(219, same)
  assert said(caplog) == []
  looking.see_scores(220, same)
  looking.see_scores(240, same)
  (text,) = said(caplog)
  assert text.startswith("Step 220: the snippet branch has learnt nothing")
  assert "normalised (rms)" in text


def test_scores_that_differ_are_not(caplog):
  looking = watch()
  looking.see_scores(500, scored([0.01, 0.01, 0.02], [0.02, 0.01, 0.01]))
  looking.see_scores(500, scored([1.0]))
  assert said(caplog) == []


def test_the_spread_of_scores():
  spread = score_spread(scored([0, 0.5, 0.7], [0.4, 0.5]))
  assert spread == pytest.approx(0.1)
  assert score_spread(scored([1])) == np.inf


@pytest.mark.parametrize("kind", ["none", "standardize"])
def test_features_of_a_small_spread(tmp_path, caplog, kind):
  """As they are, neither branch learns; normalised, both do."""
  rows = layouts.folder(tmp_path, width=16)
  for row in rows:
    path = tmp_path / row["path"]
    # As long as each other, which would make their scores differ, too.
    np.save(path, 0.011 + 0.00001 * np.load(path)[:5])
  manifest = layouts.write_manifest(tmp_path / "manifest.csv", rows)
  layouts.prepare_folder(manifest, "small", 8, tmp_path / "data")
  fields = {
    "data.builder": "folder",
    "data.variant": "small",
    "data.normalize": kind,
    "batch_size": 2,
    "warm_up_steps": 100,
    "total_steps": 200,
    "evaluation.every_steps": 100,
    "checkpoint.every_steps": 100,
  }
  assert main.run(tiny(tmp_path / "data", **fields), str(tmp_path / "run")) == 0
  found = [text for text in said(caplog) if "learnt nothing" in text]
  assert len(found) == (2 if kind == "none" else 0), found
