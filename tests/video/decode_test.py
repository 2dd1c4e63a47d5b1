"""Every kind of video that people have, made here."""

import functools
import http.server
import socket
import struct
import threading

import av
import numpy as np
import pytest

from adplg_jax.video import decode
from adplg_jax.video.decode import Decoder, VideoError, header_seconds
from tests.video.clips import (
  cut,
  number_of,
  quarters,
  ramp,
  write_sound_file,
  write_video,
)

FRAMES = [ramp(number) for number in range(20)]
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def decoded(path, **options):
  """The frames of a video, and its decoder."""
  decoder = Decoder(path, **options)
  return list(decoder), decoder


def test_frames_are_exact_and_have_their_times(tmp_path):
  frames, decoder = decoded(write_video(tmp_path / "a.mkv", FRAMES))
  for number, frame in enumerate(frames):
    np.testing.assert_array_equal(frame.image, FRAMES[number])
    assert frame.start == pytest.approx(number / 25, abs=5e-4)
    assert frame.end == pytest.approx((number + 1) / 25, abs=5e-4)
  assert len(frames) == decoder.decoded == 20
  assert decoder.frame_rate == 25 and decoder.warnings == []


def test_frames_come_one_at_a_time(tmp_path):
  path = write_video(tmp_path / "a.mkv", FRAMES)
  decoder = Decoder(path)
  next(iter(decoder))
  assert decoder.decoded < 20


@pytest.mark.parametrize(
  ("name", "codec", "pixels"),
  [
    ("a.mp4", "libx264", "yuv420p"),
    ("a.mp4", "libx265", "yuv420p"),
    ("a.mkv", "libx265", "yuv420p10le"),
    ("a.webm", "libvpx-vp9", "yuva420p"),
    ("a.mov", "png", "rgba"),
    ("a.avi", "mpeg4", "yuv420p"),
    ("a.ts", "libx264", "yuv420p"),
  ],
)
def test_codecs_depths_and_alpha(tmp_path, name, codec, pixels):
  images = [quarters()] * 20
  path = write_video(tmp_path / name, images, codec=codec, pixels=pixels)
  frames, decoder = decoded(path)
  assert len(frames) == 20 and decoder.warnings == []
  for frame in frames:
    np.testing.assert_allclose(frame.image[4, 4], RED, atol=16)
    np.testing.assert_allclose(frame.image[4, -4], GREEN, atol=16)
    np.testing.assert_allclose(frame.image[-4, 4], BLUE, atol=16)
  assert frames[0].start == pytest.approx(0, abs=1e-6)
  assert frames[-1].end == pytest.approx(0.8, abs=2e-3)


def test_odd_sizes(tmp_path):
  image = quarters((49, 65))
  path = write_video(tmp_path / "a.avi", [image] * 2, codec="mpeg4",
                     pixels="yuv420p")  # fmt: skip
  (frame, _), _ = decoded(path)
  assert frame.image.shape == (49, 65, 3)
  np.testing.assert_allclose(frame.image[-4, 4], BLUE, atol=16)


@pytest.mark.parametrize("turn", [90, 180, -90])
def test_the_display_matrix_turns_frames(tmp_path, turn):
  path = write_video(
    tmp_path / "a.mp4", [quarters()] * 2, codec="png", pixels="rgb24", turn=turn
  )
  (frame, _), _ = decoded(path)
  expected = np.rot90(quarters(), turn // 90)
  np.testing.assert_array_equal(frame.image, expected)
  assert frame.image.flags.c_contiguous


def test_the_display_matrix_mirrors_frames(tmp_path):
  path = tmp_path / "a.mp4"
  write_video(path, [quarters()], codec="png", pixels="rgb24", turn=90)
  one = 1 << 16
  turned = struct.pack(">5i", 0, -one, 0, one, 0)
  mirrored = struct.pack(">5i", -one, 0, 0, 0, one)
  data = path.read_bytes()
  # Once in the header's track.
  assert data.count(turned) == 1
  path.write_bytes(data.replace(turned, mirrored))
  (frame,), _ = decoded(path)
  np.testing.assert_array_equal(frame.image, quarters()[:, ::-1])


def test_a_variable_frame_rate(tmp_path):
  times = [0, 40, 400, 1000, 1040]
  path = write_video(tmp_path / "a.mkv", FRAMES[:5], times=times)
  frames, _ = decoded(path)
  starts = [frame.start for frame in frames]
  np.testing.assert_allclose(starts, np.array(times) / 1000)
  np.testing.assert_allclose([f.end for f in frames[:-1]], starts[1:])
  assert frames[-1].end > frames[-1].start


def test_times_count_from_the_beginning_of_the_file(tmp_path):
  path = write_video(tmp_path / "a.mkv", FRAMES[:2], times=[5000, 5040])
  frames, _ = decoded(path)
  assert [frame.start for frame in frames] == [0, 0.04]
  # Sound that begins before the picture: players show 0 where it begins.
  path = write_video(tmp_path / "b.mkv", FRAMES[:2], times=[400, 440],
                     sound=True)  # fmt: skip
  frames, _ = decoded(path)
  assert [frame.start for frame in frames] == [0.4, 0.44]


def test_raw_streams_have_times_too(tmp_path):
  path = write_video(
    tmp_path / "a.h264", FRAMES, codec="libx264", pixels="yuv420p"
  )
  frames, decoder = decoded(path)
  assert len(frames) == 20
  assert (np.diff([frame.start for frame in frames]) > 0).all()
  assert decoder.frame_rate == 25


def test_times_that_begin_again_are_guessed(tmp_path):
  path = tmp_path / "a.mpg"
  write_video(path, FRAMES, codec="mpeg2video", pixels="yuv420p")
  path.write_bytes(path.read_bytes() * 2)
  frames, decoder = decoded(path)
  assert (np.diff([frame.start for frame in frames]) > 0).all()
  assert frames[-1].end == pytest.approx(len(frames) / 25, abs=0.1)
  assert any("frames have no time" in text for text in decoder.warnings)


def test_times_after_a_jump_are_guessed_from_the_frame_rate(
  tmp_path, monkeypatch
):
  path = write_video(tmp_path / "a.mkv", FRAMES)
  original = Decoder._decoded

  def damaged(self, *words):
    for number, frame in enumerate(original(self, *words)):
      frame.pts += 10**9 if number == 5 else 0
      yield frame

  monkeypatch.setattr(Decoder, "_decoded", damaged)
  frames, decoder = decoded(path)
  steps = np.diff([frame.start for frame in frames])
  np.testing.assert_allclose(np.delete(steps, 4), 0.04, atol=1e-3)
  assert decoder.warnings[0].startswith("14 frames have no time, or one before")


@pytest.mark.parametrize(
  ("fps", "numbers"),
  [
    (25.0, range(20)),
    (50.0, [n // 2 for n in range(40)]),
    (12.5, range(0, 20, 2)),
    (5.0, [0, 5, 10, 15]),
  ],
)
def test_another_frame_rate_takes_what_is_shown(tmp_path, fps, numbers):
  path = write_video(tmp_path / "a.mkv", FRAMES)
  frames, decoder = decoded(path, fps=fps)
  found = [number_of(frame.image) for frame in frames]
  assert found == list(numbers)
  np.testing.assert_allclose(
    [frame.start for frame in frames], np.arange(len(frames)) / fps, atol=1e-9
  )
  assert decoder.frame_rate == fps and decoder.decoded == 20


def test_another_frame_rate_goes_by_the_times(tmp_path):
  times = [0, 400, 1000, 1040]
  path = write_video(tmp_path / "a.mkv", FRAMES[:4], times=times)
  frames, _ = decoded(path, fps=5.0)
  assert [number_of(frame.image) for frame in frames[:6]] == [0, 0, 1, 1, 1, 2]


def test_a_jump_in_time_is_not_filled_for_hours(tmp_path, monkeypatch):
  monkeypatch.setattr(decode, "_STILL", 2)
  times = [0, 1000, 3500, 90_000_000]
  path = write_video(tmp_path / "a.mkv", FRAMES[:4], times=times)
  frames, decoder = decoded(path, fps=10.0)
  shown = [number_of(frame.image) for frame in frames]
  assert shown[:51] == [0] * 10 + [1] * 20 + [2] * 20 + [3]
  assert frames[30].start == 3.5 and frames[50].start == 90_000
  assert decoder.warnings[0] == (
    "2 frames are shown for more than 2 s; what is beyond that was left out"
  )
  assert len(decoded(path)[0]) == 4


def test_rounded_times_at_their_own_rate_are_all_frames_once(tmp_path):
  # Matroska has milliseconds: 0, 33, 67, 100 ...
  path = write_video(tmp_path / "a.mkv", FRAMES, rate=30)
  frames, _ = decoded(path, fps=30.0)
  assert [number_of(frame.image) for frame in frames] == list(range(20))


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.avi"])
def test_a_truncated_file_gives_what_decodes(tmp_path, name):
  frames = [ramp(number % 50) for number in range(75)]
  path = tmp_path / name
  write_video(path, frames, codec="mpeg4", pixels="yuv420p")
  found, decoder = decoded(cut(path, 0.5))
  assert 5 < len(found) == decoder.decoded < 75
  if name != "a.ts":  # Which has no header.
    assert any("the header says" in text for text in decoder.warnings)


def test_a_wrong_frame_count_in_the_header_is_noted(tmp_path):
  path = tmp_path / "a.avi"
  write_video(path, FRAMES, codec="mpeg4", pixels="yuv420p")
  data = bytearray(path.read_bytes())
  place = data.index(b"strh") + 8 + 32  # The stream's length in frames.
  assert int.from_bytes(data[place : place + 4], "little") == 20
  data[place : place + 4] = (444).to_bytes(4, "little")
  path.write_bytes(data)
  frames, decoder = decoded(path)
  assert len(frames) == 20
  assert "the header says 444 frames, 20 decode" in decoder.warnings


def test_damaged_packets_are_left_out_and_noted(tmp_path):
  path = tmp_path / "a.mov"
  write_video(path, [quarters()] * 10, codec="png", pixels="rgb24")
  data = path.read_bytes()
  place = data.index(b"\x89PNG", len(data) // 2)
  path.write_bytes(data[:place] + b"zzzz" + data[place + 4 :])
  frames, decoder = decoded(path)
  assert len(frames) == 9
  assert "1 packets are damaged" in decoder.warnings


def test_one_frame(tmp_path):
  (frame,), decoder = decoded(write_video(tmp_path / "a.mkv", FRAMES[:1]))
  assert frame.start == 0 and frame.end == pytest.approx(0.04)
  assert decoder.decoded == 1


@pytest.mark.parametrize(
  "name", ["видео 1.mkv", "監視:1.mkv", "http:a%d?*.mkv", "a\nb.mkv", "-i.mkv"]
)
def test_names_in_any_script(tmp_path, monkeypatch, name):
  monkeypatch.chdir(tmp_path)
  write_video(f"file:{name}", FRAMES[:2])
  frames, decoder = decoded(name)
  assert len(frames) == 2 and decoder.name == name


def test_what_is_no_video_is_refused_by_name(tmp_path):
  text = tmp_path / "notes.mp4"
  text.write_text("no video\n" * 100)
  empty = tmp_path / "empty.mp4"
  empty.touch()
  mp4 = tmp_path / "cut.mp4"
  write_video(mp4, FRAMES, codec="mpeg4", pixels="yuv420p")
  cut(mp4, 0.5)  # Its index was at the end.
  for path in (text, empty, mp4, tmp_path / "nowhere.mp4", tmp_path):
    with pytest.raises(VideoError, match=r"cannot be read as a video \(") as e:
      decoded(path)
    assert str(path) in str(e.value)


def test_tags_of_another_encoding(tmp_path):
  path = tmp_path / "a.mkv"
  write_video(path, FRAMES, tags={"title": "TITLE"})
  path.write_bytes(path.read_bytes().replace(b"TITLE", b"\xb1\xea\xcc\xe2!"))
  assert len(decoded(path)[0]) == 20
  assert header_seconds(path) > 0


def test_a_small_picture_before_the_video_is_passed_over(tmp_path):
  path = str(tmp_path / "a.mkv")
  with av.open(path, "w") as container:
    sizes = ((16, 16), (64, 48))
    streams = [container.add_stream("libx264", rate=25) for _ in sizes]
    for stream, size in zip(streams, sizes, strict=True):
      stream.width, stream.height = size
      stream.pix_fmt = "yuv420p"
    for stream, count in zip(streams, (1, 20), strict=True):
      image = np.zeros((stream.height, stream.width, 3), np.uint8)
      for _ in range(count):
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
      container.mux(stream.encode())
  frames, _ = decoded(path)
  assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
  assert len(frames) == 20
  assert header_seconds(path) == pytest.approx(0.8, abs=1e-3)


def test_sound_alone_is_refused_by_name(tmp_path):
  path = write_sound_file(tmp_path / "song.wav")
  with pytest.raises(VideoError, match=r"song\.wav: has no video .* audio"):
    decoded(path)


def test_a_video_of_which_nothing_decodes_is_refused(tmp_path):
  path = tmp_path / "a.mov"
  write_video(path, FRAMES[:3], codec="png", pixels="rgb24")
  path.write_bytes(path.read_bytes().replace(b"\x89PNG", b"zzzz"))
  with pytest.raises(VideoError, match="no frame of its video stream"):
    decoded(path)


@pytest.fixture
def served(tmp_path):
  """A folder, and where its files are served: this machine alone."""

  class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
      pass

  handler = functools.partial(Quiet, directory=tmp_path)
  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
  thread = threading.Thread(target=server.serve_forever)
  thread.start()
  yield tmp_path, f"http://127.0.0.1:{server.server_port}"
  server.shutdown()
  thread.join()
  server.server_close()


def test_a_number_is_a_camera_unless_there_is_such_a_file(
  tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(VideoError, match=r"^97: cannot be read as a video"):
    decoded("97")
  path = write_video(tmp_path / "a.mkv", FRAMES)
  opened = av.open
  asked = []

  def stand_in(name, **options):
    asked.append((name, options.pop("format")))
    return opened(path, **options)

  monkeypatch.setattr(av, "open", stand_in)
  assert len(decoded("3")[0]) == 20
  (tmp_path / "3").touch()
  assert len(decoded("3")[0]) == 20
  assert asked == [
    ("/dev/video3", "v4l2"),
    (f"file:{tmp_path / '3'}", None),
  ]


def test_addresses(served):
  folder, address = served
  write_video(folder / "a b.mkv", FRAMES)
  frames, decoder = decoded(f"{address}/a%20b.mkv")
  assert len(frames) == 20 and decoder.name == f"{address}/a%20b.mkv"
  with pytest.raises(VideoError, match=r"b\.mkv: cannot be read as a video"):
    decoded(f"{address}/b.mkv")


def test_an_address_that_never_answers_is_refused(monkeypatch):
  monkeypatch.setattr(decode, "_PATIENCE", 0.3)
  with socket.create_server(("127.0.0.1", 0)) as silent:
    address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.mkv"
    # Without patience of its own the decoder would wait for this.
    stop = threading.Timer(10, silent.shutdown, (socket.SHUT_RDWR,))
    stop.start()
    with pytest.raises(VideoError, match=r"no data for 0\.3 s"):
      decoded(address)
    stop.cancel()


def test_an_address_is_not_opened_for_its_duration(monkeypatch):
  monkeypatch.setattr(decode, "_PATIENCE", 0.3)
  with socket.create_server(("127.0.0.1", 0)) as once:
    once.settimeout(0)
    address = f"http://127.0.0.1:{once.getsockname()[1]}/a.mkv"
    assert header_seconds(address) == 0
    with pytest.raises(BlockingIOError):
      once.accept()


def test_the_duration_that_a_header_says(tmp_path):
  path = write_video(tmp_path / "a.mkv", FRAMES)
  assert header_seconds(path) == pytest.approx(0.8, abs=1e-3)
  assert header_seconds(tmp_path / "b.mkv") == 0
  assert header_seconds(write_sound_file(tmp_path / "a.wav")) == 0
