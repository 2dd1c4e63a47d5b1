"""Live videos: scored as they come, over this machine's own addresses."""

import csv
import http.server
import io
import socket
import threading
import time

import av
import jax
import numpy as np
import pytest

from adplg_jax.score import __main__ as score
from adplg_jax.score import live as live_lib
from adplg_jax.score.follow import follow
from adplg_jax.score.live import LiveVideo
from adplg_jax.scoring.trained import load_scorer
from adplg_jax.video.extraction import Ended, Extractor, Snippet
from adplg_jax.video.profiles import find_profile
from tests.video.clips import ramp, write_video
from tests.video.stub import stub

SNIPPETS = 12


@pytest.fixture(scope="module")
def film(tmp_path_factory):
  """A video that can be read while it is being sent."""
  path = tmp_path_factory.mktemp("live") / "film.ts"
  # The last frames of such a stream may be cut off.
  frames = [ramp(n % 50) for n in range(16 * SNIPPETS + 8)]
  write_video(path, frames, codec="mpeg2video", pixels="yuv420p")
  return path


@pytest.fixture
def camera(film):
  """An address that sends most of the film at once, the rest when told to."""
  data = film.read_bytes()
  go_on = threading.Event()

  class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
      self.send_response(200)
      self.send_header("Content-Type", "video/mp2t")
      self.end_headers()
      half = len(data) * 3 // 4
      self.wfile.write(data[:half])
      self.wfile.flush()
      go_on.wait(60)
      self.wfile.write(data[half:])

    def log_message(self, *words):
      pass

  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
  thread = threading.Thread(target=server.serve_forever)
  thread.start()
  yield f"http://127.0.0.1:{server.server_port}/live", go_on
  go_on.set()
  server.shutdown()
  thread.join()
  server.server_close()


class Out(io.StringIO):
  """Text that tells when its first score came."""

  def __init__(self, first):
    super().__init__()
    self._first = first
    self.waited = None

  def flush(self):
    if len(self.getvalue().splitlines()) > 1 and self.waited is None:
      self.waited = self._first.is_set()
      self._first.set()


def live(run, video, out):
  scorer = load_scorer(run / "run")
  stream = scorer.stream(hop=2, look_ahead=2)
  extractor = Extractor(find_profile("kinetics-scratch"), stub(), batch_clips=1)
  found = LiveVideo(str(video), extractor, stream)
  follow(stream, found, out, frames_per_snippet=16)
  return found


def rows(text):
  return list(csv.DictReader(text.splitlines()))


def test_scores_come_while_the_video_is_being_sent(run, film, camera, capsys):
  """The address goes on only once there is a score."""
  address, go_on = camera
  out = Out(go_on)
  found = live(run, address, out)
  assert out.waited is False
  text = capsys.readouterr().err
  # 16 frames at 25 a second.
  assert "a snippet is of 16 frames, 0.64 s: its score comes 1.3 to 1.9" in text
  assert f"{SNIPPETS - 2} scores, median" in found.delays()
  got = rows(out.getvalue())
  assert len(got) == SNIPPETS
  assert float(got[3]["start_seconds"]) == pytest.approx(1.92, abs=0.05)
  whole = io.StringIO()
  live(run, film, whole)
  assert rows(whole.getvalue()) == got


def test_delays_are_those_of_the_snippets_that_were_scored(run, monkeypatch):
  """A snippet a second; two are scored as soon as two more are there."""
  clock = [0.0]
  monkeypatch.setattr(live_lib.time, "monotonic", lambda: clock[0])

  class Film(Extractor):
    def __init__(self):
      pass

    def warm_up(self):
      return features

    def stream(self, videos):
      for index in range(6):
        clock[0] += 1
        yield Snippet("x", index, float(index), index + 1.0, clock[0], features)
      yield Ended("x", 96, 96, 16, ())

  features = np.ones((1, 4), np.float32)
  stream = load_scorer(run / "run").stream(hop=2, look_ahead=2)
  found = LiveVideo("x", Film(), stream)
  follow(stream, found, io.StringIO(), frames_per_snippet=16)
  assert found.delays() == (
    "delay from the end of a snippet to its score: 4 scores, median 2.5 s, "
    "longest 3.0 s"
  )


def test_nothing_is_compiled_once_the_source_is_open(run, film, caplog):
  """Also where the window grows past what it was first padded to."""
  scorer = load_scorer(run / "run")
  stream = scorer.stream(context=130, hop=2, look_ahead=2)
  extractor = Extractor(find_profile("kinetics-scratch"), stub(), batch_clips=1)
  opened = extractor.stream
  compiled = []

  def watched(videos):
    with jax.log_compiles():
      caplog.clear()
      # Of a long video: its snippets, again and again.
      items = list(opened(videos))
      snippets = [item for item in items if isinstance(item, Snippet)]
      for number in range(140):
        yield snippets[number % SNIPPETS]._replace(index=number)
      compiled.extend(record.getMessage() for record in caplog.records)
    yield items[-1]

  extractor.stream = watched
  out = io.StringIO()
  with caplog.at_level("WARNING"):
    found = LiveVideo(str(film), extractor, stream)
    follow(stream, found, out, frames_per_snippet=16)
  assert len(rows(out.getvalue())) == 140
  assert [text for text in compiled if "compil" in text.lower()] == []


def test_the_command_follows_an_address(run, camera, monkeypatch, capsys):
  from tests.video.stub import replace_weights

  asked = replace_weights(monkeypatch).asked
  address, go_on = camera
  go_on.set()
  words = ["--workdir", str(run / "run"), "--follow", address]
  assert score.main(words) == 0
  said = capsys.readouterr()
  assert len(rows(said.out)) == SNIPPETS
  assert "delay from the end of a snippet to its score" in said.err
  assert asked == [("kinetics-scratch", None)]


def test_what_is_no_video_is_named(run, tmp_path, capsys, monkeypatch):
  from tests.video.stub import replace_weights

  weights = replace_weights(monkeypatch)
  bad = tmp_path / "bad.mp4"
  bad.write_bytes(b"no video")
  words = ["--workdir", str(run / "run"), "--follow", str(bad)]
  assert score.main(words) == 1
  assert f"{bad}: cannot be read as a video" in capsys.readouterr().err
  weights.sha256 = "cd" * 32
  assert score.main(words) == 1
  assert "but the model was trained" in capsys.readouterr().err


def test_ctrl_c_scores_what_is_there(run, film):
  out = io.StringIO()
  scorer = load_scorer(run / "run")
  stream = scorer.stream(hop=2, look_ahead=2)
  extractor = Extractor(find_profile("kinetics-scratch"), stub(), batch_clips=1)

  def five():
    for number, chunk in enumerate(LiveVideo(str(film), extractor, stream)):
      if number == 5:
        raise KeyboardInterrupt
      yield chunk

  follow(stream, five(), out, frames_per_snippet=16)
  found = rows(out.getvalue())
  assert len(found) == 5
  assert np.isfinite([float(row["score"]) for row in found]).all()


def test_rtsp(run, film, monkeypatch):
  """Pushed to this machine's own address, where the decoder listens."""
  with socket.create_server(("127.0.0.1", 0)) as free:
    address = f"rtsp://127.0.0.1:{free.getsockname()[1]}/live"
  opened = av.open

  def listen(name, **options):
    if name == address:
      options = {
        "options": {"rtsp_flags": "listen", "listen_timeout": "60"},
      }
    return opened(name, **options)

  def push():
    options = {"rtsp_transport": "tcp"}
    with opened(str(film)) as source:
      video = source.streams.video[0]
      packets = [own for own in source.demux(video) if own.dts is not None]
      while True:
        target = opened(address, "w", format="rtsp", options=options)
        copy = target.add_stream_from_template(video)
        try:
          target.start_encoding()
          break
        except OSError:
          # Nobody listens yet.
          time.sleep(0.2)
      for packet in packets:
        packet.stream = copy
        target.mux(packet)
      target.close()

  monkeypatch.setattr(av, "open", listen)
  pusher = threading.Thread(target=push, daemon=True)
  pusher.start()
  out = io.StringIO()
  live(run, address, out)
  pusher.join()
  found = rows(out.getvalue())
  whole = io.StringIO()
  live(run, film, whole)
  assert len(found) == SNIPPETS
  for name in ("score", "start_frame"):
    assert [r[name] for r in found] == [r[name] for r in rows(whole.getvalue())]
