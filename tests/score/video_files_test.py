"""Videos to scores in one command, with a backbone that is a mean."""

import csv
import json

import numpy as np
import pytest

from adplg_jax.score import __main__ as score
from adplg_jax.video import backbones, encode
from adplg_jax.video.classifier import Classifier
from adplg_jax.video.decode import Decoder
from tests.score.conftest import call
from tests.video.clips import ramp, write_video
from tests.video.stub import SHA256, stub


def scores(folder):
  return {
    file.stem: [
      tuple(
        map(float, (row["start_seconds"], row["end_seconds"], row["score"]))
      )
      for row in csv.DictReader(file.read_text().splitlines())
    ]
    for file in sorted((folder / "videos").rglob("*.csv"))
  }


def test_videos_are_scored_as_their_features_are(run, weights, tmp_path):
  """In one pass: the same scores, at the seconds of the video."""
  common = "--workdir", run / "run", "--out"
  call(score.main, *common, tmp_path / "one", "--videos", run / "clips")
  call(score.main, *common, tmp_path / "two", "--features", run / "features")
  one, two = scores(tmp_path / "one"), scores(tmp_path / "two")
  assert one.keys() == two.keys() and len(one) == 6
  for name, rows in one.items():
    np.testing.assert_allclose(rows, two[name], atol=1e-6)
  # 64 frames at 25 a second.
  np.testing.assert_allclose(
    [row[:2] for row in one["a"]],
    [(0, 0.64), (0.64, 1.28), (1.28, 1.92), (1.92, 2.56)],
  )
  assert weights.asked == [("kinetics-scratch", None)]


def test_a_bad_video_is_named_and_the_others_scored(
  run, weights, tmp_path, capsys
):
  clips = tmp_path / "clips"
  clips.mkdir()
  write_video(clips / "good.mkv", [ramp(n) for n in range(40)])
  (clips / "bad.mp4").write_bytes(b"no video")
  out = tmp_path / "out"
  words = ["--workdir", run / "run", "--out", out, "--videos", clips]
  call(score.main, *words, code=1)
  found = json.loads((out / "results.json").read_text())
  assert [video["name"] for video in found["videos"]] == ["good"]
  (failure,) = found["failures"]
  assert failure["where"] == str(clips / "bad.mp4")
  assert "bad.mp4" in capsys.readouterr().err


def test_features_of_other_weights_are_refused_at_once(
  run, weights, tmp_path, capsys
):
  weights.sha256 = "cd" * 32
  words = ["--workdir", run / "run", "--out", tmp_path / "out"]
  call(score.main, *words, "--videos", run / "clips", code=1)
  said = capsys.readouterr().err
  assert f"'kinetics-scratch:{'cd' * 4}', but the model was trained" in said
  assert f"'kinetics-scratch:{SHA256[:8]}'" in said
  assert not (tmp_path / "out").exists()


def test_the_profile_is_that_of_the_runs_features(run, weights, tmp_path):
  words = ["--workdir", run / "run", "--out", tmp_path / "out"]
  words += ["--videos", run / "clips", "--profile", "rocng"]
  call(score.main, *words, code=1)
  assert weights.asked == [("rocng", None)]


def test_videos_are_drawn_on(run, weights, tmp_path, capsys):
  """All are scored, as many as asked for are drawn."""
  out = tmp_path / "out"
  words = ["--workdir", run / "run", "--out", out, "--videos", run / "clips"]
  words += ["--threshold", 0.0, "--draw", 2, "--clips", 1]
  call(score.main, *words)
  found = json.loads((out / "results.json").read_text())
  assert found["complete"] and not found["failures"]
  videos = found["videos"]
  assert [video["overlay"] is not None for video in videos] == [True] * 2 + [
    False
  ] * 4
  for video in videos[:2]:
    (interval,) = video["intervals"]
    for file in (video["overlay"], interval["clip"]):
      assert sum(1 for _ in Decoder(out / file)) == 64
    assert video["looks_like"] is None
    assert set(video["spent_seconds"]) == {
      "decoding", "features", "scoring", "drawing",
    }  # fmt: skip
  together = found["spent_seconds"]
  for kind in ("decoding", "features", "scoring", "drawing"):
    assert together[kind] == pytest.approx(
      sum(video["spent_seconds"].get(kind, 0) for video in videos)
    )
  assert together["times_real_time"] == pytest.approx(
    6 * 2.56 / together["together"]
  )
  assert "drawing 2 overlays and 2 clips" in capsys.readouterr().out


def test_scores_stay_where_nothing_can_be_drawn(
  run, weights, tmp_path, monkeypatch
):
  monkeypatch.setattr(encode, "_ENCODERS", {})
  out = tmp_path / "out"
  words = ["--workdir", run / "run", "--out", out, "--videos"]
  call(score.main, *words, run / "clips/normal/a.mkv", code=1)
  found = json.loads((out / "results.json").read_text())
  assert found["complete"] and (out / found["videos"][0]["picture"]).is_file()
  (failure,) = found["failures"]
  assert "was scored, but not drawn" in failure["reason"]
  call(score.main, *words, run / "clips/normal/a.mkv", "--draw", 0)


def test_peaks_are_named_where_there_is_a_classifier(
  run, weights, tmp_path, monkeypatch, capsys
):
  kernel = np.zeros((4, 400), np.float32)
  bias = np.arange(400, dtype=np.float32)
  own = stub()._replace(classifier=Classifier(kernel, bias))
  monkeypatch.setattr(backbones, "load_backbone", lambda *_: own)
  out = tmp_path / "out"
  words = ["--workdir", run / "run", "--out", out, "--no-overlay"]
  call(score.main, *words, "--videos", run / "clips/normal/a.mkv")
  found = json.loads((out / "results.json").read_text())
  (video,) = found["videos"]
  names = [one["class"] for one in video["looks_like"]]
  assert names == ["zumba", "yoga", "yawning"] and video["overlay"] is None
  assert video["looks_like"][0]["probability"] == pytest.approx(0.632, abs=0.01)
  assert "not what the anomaly is" in found["looks_like"]
  said = capsys.readouterr().out
  assert "zumba 0.63, yoga 0.23, yawning 0.09" in said
  assert "not what the anomaly is" in said


@pytest.mark.parametrize(
  "words", [["--features", "F"], ["--follow", "-"], ["--annotations", "A"]]
)
def test_videos_exclude_other_inputs(words, capsys):
  with pytest.raises(SystemExit):
    score.main(["--workdir", "R", "--out", "O", "--videos", "V", *words])
  assert "error: " in capsys.readouterr().err
