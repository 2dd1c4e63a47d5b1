"""Scores of features that are still being written."""

import csv
import io

import numpy as np
import pytest

from adplg_jax.score.follow import Chunk, follow
from adplg_jax.score.rows import follow_rows
from adplg_jax.scoring.trained import load_scorer


@pytest.fixture(scope="module")
def scorer(whole):
  return load_scorer(whole)


def features(snippets=30):
  rng = np.random.default_rng(0)
  return rng.normal(size=(snippets, 16)).astype(np.float32)


def run(scorer, path, *, seconds=None, crops=1):
  rows = follow_rows(
    str(path),
    "float32",
    width=16,
    crops=crops,
    idle_seconds=0.01,
    seconds_per_snippet=seconds,
  )
  return followed(scorer, rows)


def followed(scorer, chunks):
  out = io.StringIO()
  stream = scorer.stream(hop=4, look_ahead=5)
  follow(stream, chunks, out, frames_per_snippet=8)
  return list(csv.DictReader(out.getvalue().splitlines()))


def test_a_line_a_snippet_as_in_the_csv_of_a_finished_video(scorer, tmp_path):
  path = tmp_path / "rows.f32"
  path.write_bytes(features().tobytes())
  rows = run(scorer, path, seconds=2.0)
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


def test_what_is_left_is_scored_when_it_is_interrupted(scorer):
  def chunks():
    yield Chunk(features(7)[:, None], None)
    raise KeyboardInterrupt

  assert len(followed(scorer, chunks())) == 7


def test_snippets_have_the_seconds_that_come_with_them(scorer):
  """Of any length, pushed one by one or together."""
  edges = np.cumsum([0, *range(1, 31)]) / 10
  seconds = np.stack([edges[:-1], edges[1:]], axis=1)
  parts = np.split(np.arange(30), [1, 2, 9, 11, 24])
  rows = followed(
    scorer,
    [Chunk(features()[part, None], seconds[part]) for part in parts],
  )
  found = [(float(r["start_seconds"]), float(r["end_seconds"])) for r in rows]
  np.testing.assert_allclose(found, seconds, atol=1e-3)
