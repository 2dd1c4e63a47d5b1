"""Scores of a model, or by novelty."""

import csv
import json

import numpy as np
import pytest

from adplg_jax.score import __main__ as score
from adplg_jax.score.detectors import Novelty, Trained, from_normal
from adplg_jax.scoring import novelty
from adplg_jax.scoring.sequence import (
  Failure,
  FeatureSequence,
  regular_times,
)
from adplg_jax.scoring.trained import load_scorer
from tests import layouts


def sequence(name="v", snippets=12, width=4, kind=""):
  rng = np.random.default_rng([snippets, width, *name.encode()])
  features = rng.random((2, snippets, width), np.float32)
  return FeatureSequence(name, features, regular_times(snippets, 16), kind=kind)


def test_a_trained_model_says_what_it_is(whole):
  scorer = load_scorer(whole)
  detector = Trained(scorer, whole, whole)
  assert detector.described == f"the checkpoint of step {scorer.model.step}"
  assert detector.facts()["fingerprint"] == scorer.fingerprint()
  assert detector.usual_threshold() is not None
  assert Trained(scorer, whole).usual_threshold() is None


def test_novelty_is_that_of_the_function():
  video, normal = sequence(), sequence("n", 30)
  detector = Novelty()
  found = detector.score_crops(video.features)
  np.testing.assert_array_equal(found.scores, novelty.novelty(video.features))
  detector = from_normal([normal, sequence("m", 20)])
  assert "distance to 50 normal snippets" in detector.described
  stacked = [normal.features, sequence("m", 20).features]
  mean = np.concatenate([one.mean(0, keepdims=True) for one in stacked], axis=1)
  np.testing.assert_allclose(
    detector.score_crops(video.features).scores,
    novelty.novelty(video.features, mean),
  )
  assert detector.usual_threshold().value == novelty.THRESHOLD


@pytest.mark.parametrize(
  ("videos", "said"),
  [
    ([Failure("n.mp4", "no frame.")], "--normal n.mp4: no frame."),
    ([], "there are none"),
    ([sequence(), sequence(width=5)], "unknown of width 4, unknown of width 5"),
    ([sequence(kind="a"), sequence(kind="b")], "a of width 4, b of width 4"),
  ],
)
def test_normal_videos_that_cannot_be_are_refused(videos, said):
  with pytest.raises(ValueError, match=said):
    from_normal(videos)


def test_novelty_against_another_kind_is_refused():
  detector = from_normal([sequence(kind="a")])
  detector.check_kind("")
  with pytest.raises(ValueError, match="kind 'b', but the normal ones of 'a'"):
    detector.check_kind("b")


@pytest.mark.parametrize("normal", [False, True])
def test_files_are_scored_without_a_model(tmp_path, capsys, normal):
  """What differs from the rest stands out, and it is said what that means."""
  rng = np.random.default_rng(0)
  usual = rng.normal(size=(40, 8)).astype(np.float32)
  strange = usual.copy()
  strange[20:24] += 20
  layouts.save(tmp_path / "videos" / "v.npy", strange)
  layouts.save(tmp_path / "normal" / "n.npy", usual + 0.01)
  out = tmp_path / "out"
  words = ["--novelty", "--features", tmp_path / "videos", "--out", out]
  words += ["--normal", tmp_path / "normal"] * normal
  assert score.main([str(word) for word in words]) == 0
  said = capsys.readouterr().out
  assert "what is rare, not what is anomalous; no model was trained" in said
  found = json.loads((out / "results.json").read_text())
  assert found["threshold"]["origin"] == "twice as far as an ordinary snippet"
  (video,) = found["videos"]
  (interval,) = video["intervals"]
  rows = list(csv.DictReader((out / video["csv"]).read_text().splitlines()))
  scores = np.array([float(row["score"]) for row in rows])
  assert set(np.argsort(scores)[-4:]) == {20, 21, 22, 23}
  assert interval["start_frame"] == 320


@pytest.mark.parametrize(
  ("words", "said"),
  [
    (["--workdir", "R", "--novelty", "--features", "F"], "which has no model"),
    (["--workdir", "R", "--normal", "N", "--features", "F"], "goes with --nov"),
    (["--novelty", "--follow", "-"], "--follow goes with --workdir"),
  ],
)
def test_words_that_do_not_go_together(words, said, capsys):
  with pytest.raises(SystemExit):
    score.main(["--out", "O"] * ("--follow" not in words) + words)
  assert said in capsys.readouterr().err
