"""Scores of features that are still being written."""

import csv
import io

import numpy as np
import pytest

from adplg_jax.score import follow as follow_lib
from adplg_jax.score.follow import follow
from adplg_jax.scoring.trained import load_scorer


@pytest.fixture(scope="module")
def scorer(whole):
  return load_scorer(whole)


def features(snippets=30):
  rng = np.random.default_rng(0)
  return rng.normal(size=(snippets, 16)).astype(np.float32)


def run(scorer, path, *, fps=None, crops=1):
  out = io.StringIO()
  follow(
    scorer,
    scorer.stream(hop=4, look_ahead=5),
    str(path),
    "float32",
    crops=crops,
    idle_seconds=0.01,
    frames_per_snippet=8,
    fps=fps,
    out=out,
  )
  return list(csv.DictReader(out.getvalue().splitlines()))


def test_a_line_a_snippet_as_in_the_csv_of_a_finished_video(scorer, tmp_path):
  path = tmp_path / "rows.f32"
  path.write_bytes(features().tobytes())
  rows = run(scorer, path, fps=4.0)
  assert [row["snippet"] for row in rows] == [str(i) for i in range(30)]
  assert [int(row["start_frame"]) for row in rows] == list(range(0, 240, 8))
  assert rows[3]["end_seconds"] == "8.0"
  stream = scorer.stream(hop=4, look_ahead=5)
  want = np.concatenate([stream.push(features()), stream.finish()])
  found = [float(row["score"]) for row in rows]
  np.testing.assert_allclose(found, want, rtol=1e-5)
  path.write_bytes(features(15).tobytes())
  assert len(run(scorer, path)) == 15
  path.write_bytes(np.repeat(features(15), 2, axis=0).tobytes())
  assert len(run(scorer, path, crops=2)) == 15


def test_a_file_that_is_not_there_is_named(scorer, tmp_path):
  with pytest.raises(ValueError, match="there is no such file; begin to write"):
    run(scorer, tmp_path / "none.f32")


def test_what_is_left_is_scored_when_it_is_interrupted(
  scorer, tmp_path, monkeypatch
):
  def rows(*_):
    yield features(7)[:, None]
    raise KeyboardInterrupt

  monkeypatch.setattr(follow_lib, "_rows", rows)
  assert len(run(scorer, "x")) == 7
