"""The folder of results."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from adplg_jax.report.thumbnails import Thumbnail
from adplg_jax.report.timeline import Timeline
from adplg_jax.score.drawn import Clip, Drawn
from adplg_jax.score.outputs import (
  OutputError,
  Outputs,
  file_name,
  table,
)
from adplg_jax.scoring.intervals import IntervalRule, find_intervals
from adplg_jax.scoring.sequence import ScoredSequence, regular_times

RULE = IntervalRule(0.8, 0.6)
MODEL = {"fingerprint": "0123", "run": "runs/a", "step": 8}


def make(name="v", fps=None):
  scores = np.array([0.1, 0.7, 0.9, 0.65, 0.2])
  video = ScoredSequence(
    name, scores, regular_times(5, 16, fps=fps), files=(f"{name}.npy",), fps=fps
  )
  return Timeline(video, find_intervals(scores, RULE))


def write(folder, *timelines, overwrite=False, model=MODEL):
  outputs = Outputs(folder, model, overwrite=overwrite)
  for timeline in timelines:
    outputs.write_scores(timeline.video)
  outputs.finish(timelines, RULE, {"metrics": None})
  return json.loads((folder / "results.json").read_text())


def files(folder):
  paths = (p for p in folder.rglob("*") if p.is_file())
  return sorted(str(path.relative_to(folder)) for path in paths)


def test_what_is_written(tmp_path):
  results = write(tmp_path / "out", make("a/v", fps=4.0))
  assert files(tmp_path / "out") == [
    "results.json",
    "timelines.png",
    "videos/a/v.csv",
    "videos/a/v.png",
  ]
  assert results["complete"] and results["model"] == MODEL
  (video,) = results["videos"]
  assert video["csv"] == "videos/a/v.csv"
  assert video["picture"] == "videos/a/v.png"
  assert (video["frames"], video["seconds"], video["snippets"]) == (80, 20, 5)
  assert (video["peak"], video["peak_frame"], video["peak_seconds"]) == (
    0.9,
    32,
    8,
  )
  (interval,) = video["intervals"]
  assert interval == {
    "start_frame": 16,
    "end_frame": 64,
    "start_seconds": 4,
    "end_seconds": 16,
    "peak": 0.9,
    "peak_frame": 32,
    "peak_seconds": 8,
    "mean": pytest.approx(0.75),
    "looks_like": None,
    "clip": None,
  }
  assert video["overlay"] is None and video["looks_like"] is None


def test_what_was_drawn_is_named(tmp_path):
  """Also where another video has a name that a clip would have."""
  own, other = make("v", fps=4.0), make("v.interval_1", fps=4.0)
  looks = tuple((("yoga", 0.1 * n), ("zumba", 0.01)) for n in range(5))
  own = own._replace(video=dataclasses.replace(own.video, looks=looks))
  outputs = Outputs(tmp_path, MODEL)
  for one in (own, other):
    outputs.write_scores(one.video)
  (interval,) = own.intervals
  path = tmp_path / outputs.path("v", ".mp4", "interval_1")
  assert path.name == "v.interval_1~2.mp4"
  image = np.zeros((4, 6, 3), np.uint8)
  drawn = Drawn(
    (Thumbnail(image, 10.0, 0.9, "0:10"),),
    tmp_path / outputs.path("v", ".mp4"),
    (Clip(path, interval, 3.0, 17.0),),
    seconds=2.5,
  )
  outputs.write_found([own, other], {})
  before = json.loads((tmp_path / "results.json").read_text())
  assert not before["complete"] and len(before["videos"]) == 2
  outputs.finish([own, other], RULE, {}, {"v": drawn})
  first, second = json.loads((tmp_path / "results.json").read_text())["videos"]
  assert first["overlay"] == "videos/v.mp4" and second["overlay"] is None
  assert first["intervals"][0]["clip"] == "videos/v.interval_1~2.mp4"
  assert first["spent_seconds"] == {"drawing": 2.5}
  assert first["looks_like"][0] == {"class": "yoga", "probability": 0.2}
  assert first["intervals"][0]["looks_like"] == first["looks_like"]
  sizes = [(tmp_path / v["picture"]).stat().st_size for v in (first, second)]
  assert sizes[0] != sizes[1]


@pytest.mark.parametrize(("fps", "seconds"), [(4.0, "4.0"), (None, "")])
def test_a_table_has_the_extent_of_each_snippet(fps, seconds):
  rows = list(csv.DictReader(table(make(fps=fps).video).splitlines()))
  assert [row["snippet"] for row in rows] == list("01234")
  assert [row["start_frame"] for row in rows] == ["0", "16", "32", "48", "64"]
  assert rows[0]["end_frame"] == rows[1]["start_frame"]
  assert rows[1]["start_seconds"] == rows[0]["end_seconds"] == seconds
  assert float(rows[2]["score"]) == 0.9


def test_no_name_leads_out_of_the_folder_or_meets_another(tmp_path):
  names = ["../v", "/v", "v", "a/../v", "V", "_/v", "a\\b", "..", ""]
  outputs = Outputs(tmp_path / "out", MODEL)
  paths = [outputs.path(name, ".csv") for name in names]
  assert len({path.lower() for path in paths}) == len(names)
  root = (tmp_path / "out/videos").resolve()
  for path in paths:
    assert (tmp_path / "out" / path).resolve().is_relative_to(root)
  assert paths[:3] == ["videos/_/v.csv", "videos/v.csv", "videos/v~2.csv"]
  assert outputs.path("v", ".png") == "videos/v~2.png"
  assert file_name("a/b\n") == "a/b_"
  assert len(file_name(300 * "ä").encode()) <= 200


def test_results_of_the_same_model_are_replaced_completely(tmp_path):
  write(tmp_path, make("old"), make("both"))
  results = write(tmp_path, make("both"), model=MODEL | {"run": "moved"})
  assert [video["name"] for video in results["videos"]] == ["both"]
  assert "videos/old.csv" not in files(tmp_path)


def test_results_of_another_model_are_kept_unless_asked(tmp_path):
  write(tmp_path, make())
  other = MODEL | {"fingerprint": "4567"}
  with pytest.raises(
    OutputError, match=r"another model, step 8 of runs/a;.*--o"
  ):
    write(tmp_path, make("w"), model=other)
  assert "videos/v.csv" in files(tmp_path)
  write(tmp_path, make("w"), model=other, overwrite=True)
  assert "videos/v.csv" not in files(tmp_path)


def test_a_folder_of_other_files_is_never_touched(tmp_path):
  (tmp_path / "thesis.txt").write_text("")
  for overwrite in (False, True):
    with pytest.raises(OutputError, match="holds other files"):
      write(tmp_path, make(), overwrite=overwrite)
  assert files(tmp_path) == ["thesis.txt"]
  with pytest.raises(OutputError, match="cannot be written"):
    write(tmp_path / "thesis.txt" / "out", make())


def test_what_was_interrupted_says_so_and_can_be_done_again(tmp_path):
  outputs = Outputs(tmp_path, MODEL)
  outputs.write_scores(make().video)
  assert not json.loads((tmp_path / "results.json").read_text())["complete"]
  assert write(tmp_path, make("w"))["complete"]
  assert "videos/v.csv" not in files(tmp_path)


def test_the_page_has_the_highest_peaks_and_pictures_are_limited(
  tmp_path, monkeypatch
):
  drawn = []
  monkeypatch.setattr(
    "adplg_jax.report.timeline.draw",
    lambda path, timelines, rule, heading="", **_: drawn.append(
      (path.name, len(timelines), heading)
    ),
  )
  results = write(tmp_path, *(make(f"v{i}") for i in range(60)))
  heading = "60 videos, the 10 with the highest peaks"
  assert drawn[-1] == ("timelines.png", 10, heading)
  assert len(drawn) == 51
  pictures = [video["picture"] for video in results["videos"]]
  assert pictures[49] == "videos/v49.png" and pictures[50] is None
