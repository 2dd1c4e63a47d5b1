"""A run as a scorer of features."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import adplg_jax
from adplg_jax import main
from adplg_jax.data import store
from adplg_jax.experiment import open_experiment
from adplg_jax.scoring import metrics
from adplg_jax.scoring.trained import TrainedScorer, as_crops, load_scorer
from adplg_jax.scoring.windows import blend, window_starts
from tests.runs import scores, tiny


@pytest.fixture(scope="module")
def scorer(whole):
  return adplg_jax.load_scorer(whole)


def features(snippets, crops=2, width=16, seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(snippets, crops, width)).astype(np.float32)


def test_the_package_is_imported_without_jax():
  code = (
    "import sys, adplg_jax; adplg_jax.__version__; "
    "print('jax' in sys.modules, adplg_jax.load_scorer.__module__)"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert done.stdout.split() == ["False", "adplg_jax.scoring.trained"]
  with pytest.raises(AttributeError, match="no attribute 'load_scorers'"):
    adplg_jax.load_scorers  # noqa: B018


def test_scores_are_those_of_the_evaluation(whole, data_dir, scorer):
  """Of all test videos, to 1e-6."""
  data = store.open_dataset(str(data_dir), "synthetic", "tiny", 8)
  videos = {}
  for example in data.test:
    videos.setdefault(example["video"], []).append(example)
  found = []
  for name in sorted(videos):
    own = videos[name]
    score = scorer.score(np.stack([e["features"] for e in own], axis=1))
    step, frames = (int(own[0][f]) for f in ("frames_per_snippet", "frames"))
    found.append(metrics.frame_scores(score, step, frames))
  want = scores(whole / "results/selected")
  np.testing.assert_allclose(np.concatenate(found), want, atol=1e-6)


def test_crops_are_averaged(scorer):
  both = features(9)
  each = [scorer.score(both[:, crop]) for crop in (0, 1)]
  np.testing.assert_allclose(scorer.score(both), np.mean(each, axis=0))
  assert scorer.score(both[:1]).shape == (1,)


def test_a_long_video_is_scored_in_windows(whole, scorer):
  """Each as a video by itself; the scores are blended."""
  video = features(45)
  short = load_scorer(whole, window=20, overlap=6)
  starts = window_starts(45, 20, 6)
  assert len(starts) == 3
  each = [scorer.score(video[start : start + 20]) for start in starts]
  found = short.score_crops(as_crops(video))
  np.testing.assert_allclose(
    found.scores, blend(np.stack(each), starts, 45), atol=1e-6
  )
  assert (found.windows, found.overlap) == (3, 6)


def test_a_video_that_the_model_takes_is_scored_whole(scorer):
  assert scorer.window == 160 and scorer.overlap == 40
  for snippets, windows in ((160, 1), (161, 2)):
    found = scorer.score_crops(as_crops(features(snippets)))
    assert (found.windows, found.overlap) == (windows, 40 * (windows - 1))


def test_windows_agree_with_the_whole_video(whole, scorer):
  """Roughly: a snippet attends to all others of its window."""
  video = features(150)
  windows = load_scorer(whole, window=100).score(video)
  difference = np.abs(windows - scorer.score(video))
  assert difference.mean() < 0.06
  assert difference.max() > 0


def test_few_shapes_are_compiled(whole):
  scorer = load_scorer(whole)
  for snippets in range(1, 65, 9):
    scorer.score(features(snippets))
  assert scorer._score._cache_size() == 1


def test_features_are_normalised_as_in_training(tmp_path, data_dir):
  config = tiny(data_dir, total_steps=4, **{"data.normalize": "standardize"})
  assert main.run(config, str(tmp_path / "run")) == 0
  scorer = load_scorer(tmp_path / "run", "last")
  experiment = open_experiment(config)
  example = experiment.test[0]
  raw = experiment.dataset.normalized(
    type(experiment.normalization)("none", np.float32(0), np.float32(1))
  ).test[0]["features"]
  assert np.abs(raw - example["features"]).max() > 0.1
  plain = scorer.model._replace(
    normalization=scorer.model.normalization.__class__(
      "none", np.float32(0), np.float32(1)
    )
  )
  want = type(scorer)(plain).score(example["features"])
  np.testing.assert_allclose(scorer.score(raw), want, atol=1e-6)


def test_a_double_precision_run_is_scored_so_without_a_trace(
  tmp_path, data_dir
):
  config = tiny(data_dir, total_steps=4, precision="float64")
  try:
    assert main.run(config, str(tmp_path / "run")) == 0
  finally:
    jax.config.update("jax_enable_x64", False)
  scorer = load_scorer(tmp_path / "run", "last")
  kernel = jax.tree.leaves(scorer.model.params["snippet"])[0]
  assert kernel.dtype == np.float64
  found = scorer.score(features(9))
  assert (found != found.astype(np.float32)).any()
  assert not jax.config.jax_enable_x64


@pytest.mark.parametrize(
  ("bad", "said"),
  [
    (features(4, width=15), "feature width is 15, but the model was trained"),
    (features(0), "2 crops of 0 snippets"),
    (features(4)[0, 0], "allowed: floating-point"),
    (np.zeros((4, 16), int), "int64"),
    (np.full((4, 16), np.nan, np.float32), "NaN or infinity"),
  ],
)
def test_other_features_are_refused(scorer, bad, said):
  with pytest.raises(ValueError, match=said):
    scorer.score(bad)


def test_another_kind_is_refused_where_it_is_known(whole):
  scorer = load_scorer(whole)
  scorer.check_kind("clip")
  scorer.kind = "i3d"
  scorer.check_kind("")
  scorer.check_kind("i3d")
  with pytest.raises(ValueError, match=r"of the kind 'clip', but .* 'i3d'"):
    scorer.check_kind("clip")


def test_the_kind_is_what_training_noted(whole):
  model = load_scorer(whole).model
  scorer = TrainedScorer(model._replace(kind="rocng:abababab"))
  with pytest.raises(ValueError, match="kind 'urdmu:abababab', but"):
    scorer.check_kind("urdmu:abababab")
  with pytest.raises(ValueError, match=r"kind 'rocng:01', .* 'rocng:abababab'"):
    scorer.check_kind("rocng:01")
  scorer.check_kind("rocng:abababab")


@pytest.mark.parametrize(
  ("sizes", "said"),
  [
    ({"window": 161}, "window is 161 snippets; allowed: 1 to 160"),
    ({"window": 0}, "window is 0"),
    ({"window": 8, "overlap": 5}, "overlap is 5 snippets; allowed: 0 to 4"),
  ],
)
def test_impossible_windows_are_refused(whole, sizes, said):
  with pytest.raises(ValueError, match=said):
    load_scorer(whole, **sizes)


def test_the_fingerprint_tells_models_apart(whole, scorer):
  again = load_scorer(whole / "checkpoints" / str(scorer.model.step))
  assert again.fingerprint() == scorer.fingerprint()
  assert len(scorer.fingerprint()) == 16
  other = 4 if scorer.model.step == 8 else 8
  assert load_scorer(whole, other).fingerprint() != scorer.fingerprint()
