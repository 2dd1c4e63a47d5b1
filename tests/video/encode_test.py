"""Videos that are written: frames, times and sound."""

import math

import av
import numpy as np
import pytest

from adplg_jax.video import encode
from adplg_jax.video.decode import Decoder
from adplg_jax.video.encode import EncodeError, Part, VideoWriter
from tests.video.clips import number_of, ramp, write_video


def write(path, source, start=0.0, end=math.inf):
  """Writes a part of a video again; gives what could not be kept."""
  decoder = Decoder(source)
  writer = None
  for frame in decoder:
    if writer is None:
      part = Part(source, decoder.origin, start, end)
      writer = VideoWriter(path, part, rate=decoder.frame_rate)
    if start <= frame.start < end:
      writer.add(frame.image, frame.start - start, frame.end - start)
  assert writer is not None
  writer.finish()
  writer.close()
  return writer.note


def sound_seconds(path):
  """Name of the codec of the sound, and how long it is."""
  with av.open(str(path)) as container:
    (stream,) = container.streams.audio
    samples = sum(frame.samples for frame in container.decode(stream))
    return stream.codec_context.name, samples / stream.codec_context.sample_rate


def times(path):
  return [frame.start for frame in Decoder(path)]


def test_a_video_comes_back_as_it_was(tmp_path):
  source = write_video(tmp_path / "a.mkv", [ramp(n) for n in range(50)])
  assert write(tmp_path / "b.mp4", source) == ""
  frames = list(Decoder(tmp_path / "b.mp4"))
  assert [number_of(frame.image) for frame in frames] == list(range(50))
  np.testing.assert_allclose(times(tmp_path / "b.mp4"), np.arange(50) / 25)
  assert frames[-1].end == pytest.approx(2.0, abs=1e-3)


def test_times_of_a_variable_rate_are_kept(tmp_path):
  shown = [0, 40, 400, 440, 1000, 1013, 1900]
  images = [ramp(n) for n in range(7)]
  source = write_video(tmp_path / "a.mkv", images, times=shown)
  write(tmp_path / "b.mp4", source)
  np.testing.assert_allclose(
    times(tmp_path / "b.mp4"), np.array(shown) / 1000, atol=1e-3
  )


def test_a_part_has_its_own_time(tmp_path):
  source = write_video(
    tmp_path / "a.mkv", [ramp(n) for n in range(50)], sound=True
  )
  write(tmp_path / "b.mp4", source, 0.4, 1.2)
  frames = list(Decoder(tmp_path / "b.mp4"))
  assert [number_of(frame.image) for frame in frames] == list(range(10, 30))
  assert frames[0].start == pytest.approx(0, abs=1e-3)
  name, seconds = sound_seconds(tmp_path / "b.mp4")
  assert name == "aac" and seconds == pytest.approx(0.8, abs=0.15)


@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
def test_any_encoder_will_do(tmp_path, monkeypatch, encoder):
  monkeypatch.setattr(encode, "_ENCODERS", {encoder: encode._ENCODERS[encoder]})
  source = write_video(tmp_path / "a.mkv", [ramp(n) for n in range(30)])
  write(tmp_path / "b.mp4", source)
  with av.open(str(tmp_path / "b.mp4")) as container:
    assert container.streams.video[0].codec_context.name in ("h264", "mpeg4")
  assert len(times(tmp_path / "b.mp4")) == 30


def test_without_an_encoder_nothing_is_left(tmp_path, monkeypatch):
  monkeypatch.setattr(encode, "_ENCODERS", {"no_such_encoder": {}})
  source = write_video(tmp_path / "a.mkv", [ramp(0)] * 20)
  with pytest.raises(EncodeError, match="encodes neither no_such_encoder"):
    write(tmp_path / "b.mp4", source)
  assert [file.name for file in tmp_path.iterdir()] == ["a.mkv"]


def test_a_file_has_its_name_once_it_is_whole(tmp_path):
  source = write_video(tmp_path / "a.mkv", [ramp(0)] * 20)
  writer = VideoWriter(tmp_path / "b.mp4", Part(source))
  writer.add(ramp(1), 0.0, 0.04)
  assert not (tmp_path / "b.mp4").exists()
  writer.close()
  assert [file.name for file in tmp_path.iterdir()] == ["a.mkv"]
  with pytest.raises(EncodeError, match="no frame was written"):
    writer.finish()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
  source = write_video(tmp_path / "a.mkv", [ramp(0)] * 20)
  (tmp_path / "file").write_text("")
  with pytest.raises((EncodeError, OSError)):
    write(tmp_path / "file" / "b.mp4", source)


def test_sound_that_cannot_be_written_is_left_out(tmp_path, monkeypatch):
  def refuse(*_, **__):
    raise ValueError("no")

  monkeypatch.setattr(encode, "Sound", refuse)
  source = write_video(tmp_path / "a.mkv", [ramp(0)] * 20, sound=True)
  note = write(tmp_path / "b.mp4", source)
  assert note == "its sound cannot be written, and is left out"
  assert len(times(tmp_path / "b.mp4")) == 20
