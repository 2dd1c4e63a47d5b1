"""What a page shows, against the run's own files."""

import json

import numpy as np
import pytest

from adplg_jax.report import contents
from adplg_jax.run.files import as_json
from adplg_jax.run.workdir import WorkdirError, read_config
from tests.made_run import make_run
from tests.runs import lines


def shown(*workdirs):
  runs = contents.find_runs(workdirs)
  return json.loads(json.dumps(as_json(contents.contents(runs))))["runs"]


def test_a_run_is_shown_as_its_files_have_it(whole):
  (run,) = shown(whole)
  stored = [line for line in lines(whole) if "evaluation" not in line]
  assert run["training"]["step"] == [line["step"] for line in stored]
  for name, values in run["training"]["metrics"].items():
    if name != "input_wait":
      want = [line.get(name, np.nan) for line in stored]
      found = [np.nan if value is None else value for value in values]
      np.testing.assert_allclose(found, want, rtol=1e-4)
  folder = whole / "results" / "selected"
  results = json.loads((folder / "metrics.json").read_text())
  assert run["metrics"]["selected"]["frame_auc"] == results["frame_auc"]
  assert run["metrics"]["selected"]["best_f1/f1"] == results["best_f1"]["f1"]
  assert run["categories"] == results["categories"]
  assert run["config"]["batch_size"] == "4"
  assert run["versions"]["jax"]
  assert run["data"]["fingerprint"]
  assert len(run["labels"]["keys"]) == 8
  with np.load(folder / "scores.npz") as arrays:
    borders = np.cumsum(arrays["frames"])[:-1]
    scores = np.split(arrays["scores"], borders)
    truths = np.split(arrays["truth"], borders)
    assert [v["name"] for v in run["videos"]] == arrays["names"].tolist()
  for video, own, truth in zip(run["videos"], scores, truths, strict=True):
    lengths = np.diff(video["edges"])
    for bound in ("low", "high"):
      rebuilt = np.repeat(video[bound], lengths) / 1000
      np.testing.assert_allclose(rebuilt, own, atol=5.1e-4)
    mask = np.zeros(len(own), bool)
    for start, end in video["spans"]:
      mask[start:end] = True
    np.testing.assert_array_equal(mask, truth)
    assert video["peak"] == pytest.approx(own.max())
  errors = [v["error"] * v["frames"] for v in run["videos"]]
  counts = np.bincount(np.concatenate(truths).astype(int))
  # Of each class the mean is 1 - AUC.
  lost = (1 - results["frame_auc"]) * counts.sum()
  assert sum(errors) == pytest.approx(lost)


def test_long_runs_and_videos_are_thinned(tmp_path):
  frames = [20_000, 100_000]
  (run,) = shown(make_run(tmp_path / "run", videos=frames, steps=2500))
  training = run["training"]
  assert len(training["step"]) == 1000
  assert training["step"][-1] == training["lines"] == 2500
  assert all(len(values) == 1000 for values in training["metrics"].values())
  assert [len(video["low"]) for video in run["videos"]] == [500, 500]
  assert [video["edges"][-1] for video in run["videos"]] == frames


def test_videos_whose_spans_are_not_known(tmp_path):
  (run,) = shown(
    make_run(tmp_path / "run", videos=[64, 80, 96, 64], truth=False)
  )
  assert run["judged"] == "videos"
  assert run["points"]["recall"][-1] == 1
  assert run["videos"][1]["spans"] is run["videos"][1]["auc"] is None
  assert all(video["error"] is None for video in run["videos"])


def test_one_class_has_no_curves(tmp_path):
  (run,) = shown(make_run(tmp_path / "run", videos=[64]))
  assert run["points"] is None
  assert run["undefined"]["frame_auc"]


def test_a_run_without_results_yet(tmp_path):
  folder = make_run(tmp_path / "run", videos=[64, 80])
  for file in (folder / "results").rglob("*.npz"):
    file.unlink()
  (run,) = shown(folder)
  assert "videos" not in run
  assert run["metrics"] == {}
  assert run["training"]["lines"] == 30


def test_a_damaged_checkpoint_costs_the_heat_maps_alone(tmp_path, caplog):
  folder = make_run(tmp_path / "run", videos=[64, 80])
  (folder / "checkpoints" / "5" / "state").mkdir(parents=True)
  (run,) = shown(folder)
  assert run["labels"]["keys"] == []
  assert run["videos"]


def test_seeds_are_runs(tmp_path):
  for seed in (3, 4):
    make_run(tmp_path / "both" / f"seed_{seed}", videos=[64, 80], seed=seed)
  config = read_config(tmp_path / "both" / "seed_3")
  config.update(seed=3, seeds=2)
  file = tmp_path / "both" / "config.json"
  file.write_text(json.dumps(config.to_dict()))
  seeds = tmp_path / "both" / "results" / "seeds.json"
  seeds.parent.mkdir()
  seeds.write_text('{"selected": {}}')
  make_run(tmp_path / "other" / "both", videos=[64, 80])
  folders = [tmp_path / "both", tmp_path / "other" / "both"]
  found = shown(*folders)
  # Of the same name: by their whole paths.
  assert [run["name"] for run in found] == [
    f"{folders[0]}/seed_3",
    f"{folders[0]}/seed_4",
    str(folders[1]),
  ]
  means = contents.find_seeds(folders)
  assert [found["name"] for found in means] == ["both"]


def test_what_is_no_run_or_named_twice(tmp_path):
  with pytest.raises(WorkdirError, match=r"has no config\.json"):
    contents.find_runs([tmp_path])
  run = make_run(tmp_path / "run", videos=[64, 80])
  with pytest.raises(ValueError, match=r"run is named 2 times; name each"):
    contents.find_runs([run, tmp_path / "." / "run"])
