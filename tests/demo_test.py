"""The demo: what the trained model is compared with."""

import argparse
import json
import re
import shutil
import sys

import numpy as np
import pytest

from adplg_jax import demo
from adplg_jax.experiment import open_experiment
from adplg_jax.scoring import metrics, scorer
from tests.runs import run_command, tiny
from tests.scoring.scorer_test import MESH, example, first_channel


def test_crops_are_scored_one_at_a_time_and_averaged():
  """As the model's are, of which batches are scored."""
  rng = np.random.default_rng(0)
  crops = [
    example(f"v{i}", crop, rng.random((5 + i, 1)), spans=[(2, 6)] * (i % 2))
    for crop in range(3)
    for i in range(4)
  ]
  found = demo.score_crops(crops, lambda x: x[:, 0], span_ends="inclusive")
  videos = scorer.score_videos(
    first_channel,
    None,
    scorer.put_batches(crops, batch_snippets=64, longest=64, mesh=MESH),
    span_ends="inclusive",
  )
  want = metrics.evaluate_videos(videos)
  assert found.keys() == want.keys()
  for name in ("frame_auc", "frame_ap", "video_auc"):
    assert found[name] == pytest.approx(want[name], abs=1e-6)
  assert found["frames"] == sum(2 * (5 + i) for i in range(4))


def test_the_trained_model_is_compared_with_three_others(data_dir):
  experiment = open_experiment(tiny(data_dir))
  trained = {"frame_auc": 0.5}
  found = demo.compare(experiment, trained)
  assert list(found) == ["untrained", "best_simple", "linear_mil", "trained"]
  assert found["trained"] is trained
  frames = {found[name]["frames"] for name in list(found)[:3]}
  videos = {e["video"]: int(e["frames"]) for e in experiment.test}
  assert frames == {sum(videos.values())}
  best = max(
    demo.score_crops(experiment.test, function, span_ends="exclusive")[
      "frame_auc"
    ]
    for function in demo.baselines.SIMPLE_SCORES.values()
  )
  assert found["best_simple"]["frame_auc"] == best


def test_a_run_that_fails_is_not_compared(tmp_path, monkeypatch):
  given = []

  def fail(config, workdir):
    given.append((config.data_dir, workdir))
    return 42

  monkeypatch.setattr(demo.main, "run", fail)
  workdir = str(tmp_path / "demo")
  for data_dir in (None, "/elsewhere"):
    arguments = argparse.Namespace(workdir=workdir, data_dir=data_dir)
    assert demo.run(arguments) == 42
  assert given == [(f"{workdir}/data", workdir), ("/elsewhere", workdir)]


def test_videos_are_scored_from_their_files_alone(whole, data_dir, tmp_path):
  run = shutil.copytree(whole, tmp_path / "run")
  experiment = open_experiment(tiny(data_dir))
  assert demo.score_as_own(experiment, run, count=1) == 0
  (video,) = (run / "videos").glob("*.npy")
  (found,) = json.loads((run / "scored" / "results.json").read_text())["videos"]
  assert found["name"] == video.stem
  assert (run / "scored" / "timelines.png").exists()
  with np.load(run / "results/selected/scores.npz") as truth:
    frames = truth["frames"][truth["names"] == video.stem]
  assert found["snippets"] == -(-int(frames[0]) // 16)


@pytest.mark.slow
def test_the_demo_proves_something(tmp_path):
  """It ends with the four lines that the README promises, and the page."""
  said = run_command(
    sys.executable, "-m", "adplg_jax.demo", "--workdir", tmp_path / "demo"
  )
  found = {}
  *lines, page = said.splitlines()[-5:]
  for line in lines:
    match = re.fullmatch(
      r"(\w+) frame_auc=(0\.\d{3}) frame_ap=(0\.\d{3})", line
    )
    assert match, line
    found[match[1]] = float(match[2])
  assert list(found) == ["untrained", "best_simple", "linear_mil", "trained"]
  assert found["trained"] >= 0.9
  assert found["trained"] >= found["best_simple"] + 0.1
  assert found["trained"] > max(found["linear_mil"], found["untrained"])
  assert (tmp_path / "demo" / "report.png").exists()
  assert page.startswith(f"{tmp_path}/demo/report.html")
  assert "open it in a browser" in page


def test_without_plotly_the_demo_says_what_the_page_needs(
  whole, data_dir, tmp_path, monkeypatch, capsys
):
  run = shutil.copytree(whole, tmp_path / "run")
  monkeypatch.setattr(demo.main, "run", lambda *_: 0)
  monkeypatch.setattr(demo, "compare", lambda *_: {})
  monkeypatch.setattr(demo.importlib.util, "find_spec", lambda _: None)
  arguments = argparse.Namespace(workdir=str(run), data_dir=str(data_dir))
  assert demo.run(arguments) == 0
  assert capsys.readouterr().out.endswith("pip install .[report]\n")
  assert not (run / "report.html").exists()
