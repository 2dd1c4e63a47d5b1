"""From videos of any source to results."""

import json

import numpy as np
import pytest

from adplg_jax.score.command import Choice, score_source
from adplg_jax.score.detectors import Trained
from adplg_jax.score.outputs import Outputs
from adplg_jax.scoring.sequence import (
  Failure,
  FeatureSequence,
  Truth,
  regular_times,
)
from adplg_jax.scoring.trained import load_scorer


@pytest.fixture(scope="module")
def scorer(whole):
  return load_scorer(whole)


def sequence(name, snippets=9, width=16, fps=None, **fields):
  rng = np.random.default_rng([snippets, *name.encode()])
  features = rng.normal(size=(2, snippets, width)).astype(np.float32)
  times = regular_times(snippets, 16, fps=fps)
  return FeatureSequence(name, features, times, fps=fps, **fields)


def run(scorer, tmp_path, *items, choice=Choice(), workdir=None):  # noqa: B008
  detector = Trained(scorer, tmp_path, workdir)
  outputs = Outputs(tmp_path / "out", detector.facts())
  result = score_source(detector, list(items), outputs, choice)
  written = json.loads((tmp_path / "out/results.json").read_text())
  return result, written


def test_a_source_need_not_be_of_files(scorer, tmp_path, capsys):
  """Such as one that extracts features; its failures are passed on."""
  result, written = run(
    scorer,
    tmp_path,
    sequence("camera/1", fps=25.0),
    Failure("broken.mp4", "no frame can be decoded."),
    sequence("long", 200),
    sequence("wide", width=15, files=("wide.npy",)),
  )
  assert [v["name"] for v in written["videos"]] == [
    own.video.name for own in result.timelines
  ]
  peaks = [v["peak"] for v in written["videos"]]
  assert peaks == sorted(peaks, reverse=True)
  assert len(result.failures) == 2
  error = capsys.readouterr().err
  assert "broken.mp4: no frame can be decoded." in error
  assert "wide.npy: feature width is 15, but the model" in error
  assert written["failures"][0]["where"] == "broken.mp4"
  by_name = {video["name"]: video for video in written["videos"]}
  assert (by_name["long"]["windows"], by_name["long"]["overlap"]) == (2, 40)
  assert (by_name["camera/1"]["windows"], by_name["camera/1"]["fps"]) == (1, 25)
  assert "1 video is longer than 160 snippets: scored in windows" in result.text
  assert "overlap by 40 or more" in result.text
  assert "2 faults found" in result.text
  assert written["metrics"] is None


def test_the_threshold_is_the_runs_best_f1(scorer, whole, tmp_path):
  result, written = run(scorer, tmp_path, sequence("v"), workdir=whole)
  own = json.loads((whole / "results/selected/metrics.json").read_text())
  found = written["threshold"]
  assert found["high"] == own["best_f1"]["threshold"]
  assert found["low"] == pytest.approx(0.8 * found["high"])
  assert (
    "over the frames of the test split of synthetic/tiny" in found["origin"]
  )
  assert found["origin"] in result.text


@pytest.mark.parametrize(
  ("choice", "origin"),
  [
    (Choice(threshold=0.25), "given by --threshold"),
    (Choice(quantile=0.5), "quantile 0.5 of the snippets"),
  ],
)
def test_a_threshold_of_ones_own(scorer, whole, tmp_path, choice, origin):
  videos = (sequence("v", 20), sequence("w", 30))
  _, written = run(scorer, tmp_path, *videos, choice=choice, workdir=whole)
  found = written["threshold"]
  assert origin in found["origin"]
  if choice.threshold is not None:
    assert found["high"] == 0.25
  else:
    scores = [scorer.score_crops(video.features).scores for video in videos]
    assert found["high"] == pytest.approx(np.median(np.concatenate(scores)))


def test_a_quantile_without_a_run_that_was_evaluated(scorer, tmp_path):
  _, written = run(scorer, tmp_path, sequence("v", 40), workdir=tmp_path)
  assert "quantile 0.95" in written["threshold"]["origin"]
  assert len(written["videos"][0]["intervals"]) >= 1
  _, written = run(scorer, tmp_path, workdir=tmp_path)
  assert written["videos"] == [] and written["complete"]
  assert written["threshold"]["high"] is None


def test_what_keeps_an_interval_is_below_the_threshold(scorer, whole, tmp_path):
  """Refused before anything is scored; a quantile is not below it."""

  class Unread:
    def __len__(self):
      return 1

    def __iter__(self):
      raise AssertionError("the source was read")

  detector = Trained(scorer, tmp_path, whole)
  outputs = Outputs(tmp_path, detector.facts())
  with pytest.raises(ValueError, match="up to the one that opens it"):
    score_source(detector, Unread(), outputs, Choice(low=1.0))
  choice = Choice(low=1.0, quantile=0.5)
  _, written = run(scorer, tmp_path, sequence("v"), choice=choice)
  assert written["threshold"]["high"] == written["threshold"]["low"] == 1


def test_metrics_where_labels_are_known(scorer, tmp_path):
  """One class gives null values; unknown videos are left out."""
  spans = Truth(1, "Fire", ((16, 64),))
  normal = Truth(0, "Normal", ())
  result, written = run(
    scorer, tmp_path, sequence("a", truth=spans), sequence("b", truth=normal),
    sequence("c"),
  )  # fmt: skip
  assert 0 <= written["metrics"]["frame_auc"] <= 1
  assert written["metrics"]["videos"] == 2
  assert "metrics of 2 videos, 1 of them anomalous; 1 of unkn" in result.text
  result, written = run(scorer, tmp_path, sequence("b", truth=normal))
  assert written["metrics"]["frame_auc"] is None
  assert written["metrics"]["undefined"]["frame_auc"] == "every frame is normal"
  assert "every frame is normal" in result.text


def test_another_kind_is_refused(scorer, tmp_path, monkeypatch):
  monkeypatch.setattr(scorer, "kind", "i3d")
  result, _ = run(
    scorer, tmp_path, sequence("a", kind="clip"), sequence("b", kind="i3d"),
    sequence("c"),
  )  # fmt: skip
  assert {own.video.name for own in result.timelines} == {"b", "c"}
  assert "of the kind 'clip'" in result.failures[0].reason


@pytest.mark.parametrize(
  ("fields", "said"),
  [
    ({"threshold": 1.5}, "--threshold is 1.5"),
    ({"quantile": -0.1}, "--quantile is -0.1"),
    ({"threshold": 0.5, "quantile": 0.5}, "one of the two"),
    ({"threshold": 0.5, "low": 0.6}, "up to the one that opens it"),
    ({"shortest": 0}, "shortest interval is 0"),
  ],
)
def test_impossible_choices_are_refused(fields, said):
  with pytest.raises(ValueError, match=said):
    Choice(**fields)
