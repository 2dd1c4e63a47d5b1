"""Scores of videos that are still to come, over loopback addresses."""

import contextlib
import csv
import io
import os
import signal
import threading

import jax.numpy as jnp
import numpy as np
import pytest

from adplg_jax.score import __main__ as score
from adplg_jax.score.live import follow_video
from adplg_jax.scoring.trained import load_scorer
from adplg_jax.video import backbones
from adplg_jax.video.extraction import Backbone, Extractor, Snippet
from adplg_jax.video.profiles import find_profile
from tests.score import servers
from tests.video import stub

FRAMES = 1000
PATIENCE = 60


def features(variables, clips):
  """Sixteen numbers that tell the frames."""
  return jnp.tile(stub.features(variables, clips), 4) * jnp.arange(1.0, 17.0)


@pytest.fixture(scope="module")
def scorer(whole):
  return load_scorer(whole)


@pytest.fixture(scope="module")
def extractor():
  backbone = Backbone(features, jnp.float32(1), stub.SHA256)
  profile = find_profile("kinetics-scratch")
  return Extractor(profile, backbone, batch_clips=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  """The whole video: its path and its bytes."""
  path = tmp_path_factory.mktemp("live") / "video.ts"
  return path, servers.write_ts(path, FRAMES)


class Table(io.StringIO):
  """A csv that says when it has its first score."""

  def __init__(self):
    super().__init__()
    self.scored = threading.Event()

  def flush(self):
    if self.getvalue().count("\n") > 1:
      self.scored.set()

  def rows(self):
    return list(csv.DictReader(self.getvalue().splitlines()))


def follow(scorer, extractor, address, out, said=None):
  stream = scorer.stream(hop=2, look_ahead=3)
  said = [] if said is None else said
  return follow_video(
    scorer, stream, extractor, address, out=out, say=said.append
  )


def halves(data, out):
  """The second half comes once there are scores of the first one."""
  half = len(data) // servers.TS_PACKET // 2 * servers.TS_PACKET
  yield data[:half]
  # No score without the rest: then there is none of it.
  if out.scored.wait(PATIENCE):
    yield data[half:]


def expected(scorer, extractor, path):
  """Scores of the finished file's stream, and when its snippets begin."""
  snippets = [i for i in extractor.stream([path]) if isinstance(i, Snippet)]
  stream = scorer.stream(hop=2, look_ahead=3)
  rows = np.stack([snippet.features for snippet in snippets])
  scores = np.concatenate([stream.push(rows), stream.finish()])
  return scores, [snippet.start for snippet in snippets]


@pytest.mark.parametrize("protocol", ["http", "rtsp"])
def test_scores_come_before_the_video_ends(
  scorer, extractor, finished, protocol
):
  """They are those of the finished file, in seconds of the video."""
  path, data = finished
  out, said = Table(), []
  handler = getattr(servers, protocol)(halves(data, out))
  with servers.served(handler) as port:
    address = f"{protocol}://127.0.0.1:{port}/camera"
    assert follow(scorer, extractor, address, out, said)
  rows = out.rows()
  scores, starts = expected(scorer, extractor, path)
  assert len(rows) == len(scores) == FRAMES // 16
  found = [float(row["score"]) for row in rows]
  np.testing.assert_allclose(found, scores, atol=2e-6)
  assert [int(row["snippet"]) for row in rows] == list(range(len(rows)))
  assert rows[1]["start_frame"] == "16" and rows[1]["end_frame"] == "32"
  seconds = [float(row["start_seconds"]) for row in rows]
  np.testing.assert_allclose(seconds, starts, atol=2e-3)
  assert "a score comes 3 to 4 snippets of 16 frames after its own" in said[0]
  assert "a snippet takes 0.64 s, so that is a delay of 1.9 to 2.6 s" in said[1]
  assert any("measured delay of" in line for line in said)
  assert f"ended after {FRAMES} frames" in said[-1]


@contextlib.contextmanager
def interrupts():
  """Ctrl-C, which workers of pytest ignore."""
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  try:
    yield
  finally:
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_leaves_what_was_scored(scorer, extractor, finished):
  """At once, although the camera says nothing any more."""
  data = finished[1]
  out, said, over = Table(), [], threading.Event()

  def pieces():
    yield data[: len(data) // 2]
    if out.scored.wait(PATIENCE):
      os.kill(os.getpid(), signal.SIGINT)
    over.wait(PATIENCE)

  with interrupts(), servers.served(servers.http(pieces())) as port:
    assert follow(scorer, extractor, f"http://127.0.0.1:{port}/", out, said)
    over.set()
  assert len(out.rows()) >= 5
  assert said[-1].endswith(": stopped")


def test_an_address_without_a_video_is_told(scorer, extractor):
  out, said = Table(), []
  handler = servers.http([b"<html>no video</html>" * 20])
  with servers.served(handler) as port:
    address = f"http://127.0.0.1:{port}/"
    assert not follow(scorer, extractor, address, out, said)
  assert not out.rows()
  assert f"error: {address}: cannot be read as a video" in said[-1]


def replace(monkeypatch, backbone):
  monkeypatch.setattr(backbones, "load_backbone", lambda *_: backbone)


def test_the_command_follows_a_video(whole, finished, monkeypatch, capsys):
  replace(monkeypatch, Backbone(features, jnp.float32(1), stub.SHA256))
  with servers.served(servers.http([finished[1]])) as port:
    words = ["--workdir", str(whole), "--hop", "2", "--look-ahead", "0"]
    words += ["--follow", f"http://127.0.0.1:{port}/a.ts"]
    assert score.main(words) == 0
  said = capsys.readouterr()
  rows = list(csv.DictReader(said.out.splitlines()))
  assert len(rows) == FRAMES // 16
  assert rows[0]["end_seconds"] == rows[1]["start_seconds"]
  assert "a score comes 0 to 1 snippets" in said.err


def test_features_of_another_width_are_refused_at_once(
  whole, finished, monkeypatch, capsys
):
  replace(monkeypatch, stub.stub())
  words = ["--workdir", str(whole), "--follow", str(finished[0])]
  assert score.main(words) == 1
  said = capsys.readouterr()
  assert "feature width is 4, but the model was trained on 16" in said.err
  assert not said.out


@pytest.mark.parametrize("words", [["--idle", "3"], ["--rows", "text"]])
def test_options_of_rows_do_not_go_with_videos(words, capsys):
  with pytest.raises(SystemExit):
    score.main(["--workdir", "R", "--follow", "rtsp://camera/1", *words])
  assert "of features alone" in capsys.readouterr().err
