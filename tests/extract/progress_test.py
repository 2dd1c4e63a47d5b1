import pytest

from adplg_jax.extract import progress as progress_lib
from adplg_jax.extract.progress import Progress
from adplg_jax.extract.videos import NamedVideo


@pytest.fixture
def clock(monkeypatch):
  """Seconds that a test sets."""
  now = [100.0]
  monkeypatch.setattr(progress_lib.time, "monotonic", lambda: now[0])
  return now


@pytest.fixture
def progress(tmp_path, clock):
  """Of a file of 30 bytes, one of 10, and an address."""
  videos = []
  for name, size in (("a", 30), ("b", 10)):
    (tmp_path / name).write_bytes(b"x" * size)
    videos.append(NamedVideo(str(tmp_path / name), name))
  bar = Progress([*videos, NamedVideo("rtsp://c", "c")])
  yield bar, [video.video for video in videos]
  bar.close()


def test_it_goes_by_bytes_and_within_a_video_by_time(progress):
  bar, (a, b) = progress
  assert bar._bar.total == 30 + 10 + 20
  bar.start("a", 10.0)
  bar.at(a, 5.0)
  assert bar._bar.n == 15
  bar.at(a, 20.0)  # Longer than its header says.
  assert bar._bar.n == 30
  bar.end(a, 20.0)
  bar.start("b", 0.0)  # Its header says nothing.
  bar.at(b, 5.0)
  assert bar._bar.n == 30
  bar.end(b, 6.0)
  bar.start("c", 0.0)
  bar.end("rtsp://c", 0.0)
  assert bar._bar.n == 60 and bar.seconds == 26


def test_the_speed_is_beside_real_time(progress, clock):
  bar, (a, _) = progress
  bar.start("a", 10.0)
  clock[0] += 4
  bar.at(a, 6.0)
  assert bar.speed == 1.5
  bar.end(a, 10.0)
  assert bar.speed == 2.5 and bar.seconds == 10


def test_lines_go_to_standard_error(progress, capsys):
  progress[0].write("error: something")
  streams = capsys.readouterr()
  assert "error: something" in streams.err and not streams.out


def test_there_may_be_nothing_to_do(clock):
  bar = Progress([])
  assert bar.seconds == 0
  bar.close()
