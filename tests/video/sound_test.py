"""The sound of a file in another one."""

import math

import av
import numpy as np
import pytest

from adplg_jax.video.decode import Decoder
from adplg_jax.video.encode import Part, VideoWriter
from tests.video.clips import ramp, write_video

RATE = 16000


def tone(path, codec, seconds=2.0):
  """A video whose sound is quiet in its first second, and then loud."""
  with av.open(str(path), "w") as container:
    video = container.add_stream("libx264", rate=25)
    video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
    rate = 48000 if codec == "libopus" else RATE
    sound = container.add_stream(codec, rate=rate)
    sound.layout = "mono"
    resampler = av.AudioResampler(
      sound.codec_context.format, "mono", rate, frame_size=1024
    )
    for number in range(int(25 * seconds)):
      image = av.VideoFrame.from_ndarray(ramp(number), format="rgb24")
      container.mux(video.encode(image))
      time = number / 25 + np.arange(rate // 25) / rate
      wave = 9000 * np.sin(2000 * time) * (time > 1)
      frame = av.AudioFrame.from_ndarray(
        wave.astype(np.int16)[None], format="s16", layout="mono"
      )
      frame.sample_rate, frame.pts = rate, number * rate // 25
      for own in resampler.resample(frame):
        container.mux(sound.encode(own))
    container.mux(video.encode())
    container.mux(sound.encode())
  return str(path)


def again(source, path, start=0.0, end=math.inf):
  """Writes a part again; gives its note, codec and when it becomes loud [s]."""
  decoder = Decoder(source)
  frames = list(decoder)
  part = Part(source, decoder.origin, start, end)
  writer = VideoWriter(path, part, rate=25.0)
  for frame in frames:
    if start <= frame.start < end:
      writer.add(frame.image, frame.start - start, frame.end - start)
  writer.finish()
  writer.close()
  with av.open(str(path)) as container:
    first = container.start_time / 1e6
    (stream,) = container.streams.audio
    wave, begin = [], None
    for frame in container.decode(stream):
      begin = frame.time if begin is None else begin
      values = frame.to_ndarray().astype(float)
      wave.append(values[0])
    wave = np.abs(np.concatenate(wave))
    loud = np.argmax(wave > wave.max() / 2) / stream.codec_context.sample_rate
    name = stream.codec_context.name
    return writer.note, name, begin + loud - min(first, 0.0)


@pytest.mark.parametrize(
  ("suffix", "codec", "name"),
  [
    (".mp4", "aac", "aac"),
    (".ts", "aac", "aac"),
    (".mkv", "libopus", "opus"),
    (".mkv", "flac", "flac"),
  ],
)
def test_sound_is_copied_where_mp4_takes_it(tmp_path, suffix, codec, name):
  source = tone(tmp_path / f"a{suffix}", codec)
  note, found, loud = again(source, tmp_path / "b.mp4")
  assert (note, found) == ("", name)
  assert loud == pytest.approx(1.0, abs=0.1)


def test_other_sound_becomes_aac(tmp_path):
  source = tone(tmp_path / "a.mkv", "pcm_s16le")
  note, found, loud = again(source, tmp_path / "b.mp4")
  assert note == "its sound, pcm_s16le, is encoded again as AAC"
  assert found == "aac" and loud == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_a_parts_sound_is_at_its_pictures(tmp_path, codec):
  source = tone(tmp_path / "a.mkv", codec)
  _, _, loud = again(source, tmp_path / "b.mp4", 0.6, 1.6)
  assert loud == pytest.approx(0.4, abs=0.1)


def test_a_video_without_sound_has_none(tmp_path):
  source = write_video(tmp_path / "a.mkv", [ramp(n) for n in range(20)])
  writer = VideoWriter(tmp_path / "b.mp4", Part(source))
  writer.add(ramp(0), 0.0, 0.04)
  writer.finish()
  writer.close()
  assert writer.note == ""
  with av.open(str(tmp_path / "b.mp4")) as container:
    assert not container.streams.audio


def test_sound_whose_time_goes_back_is_left_out(tmp_path):
  """As where two recordings are in one file."""
  tone(tmp_path / "a.ts", "aac")
  both = tmp_path / "both.ts"
  both.write_bytes(2 * (tmp_path / "a.ts").read_bytes())
  note, found, loud = again(str(both), tmp_path / "b.mp4")
  assert (note, found) == ("", "aac")
  assert loud == pytest.approx(1.0, abs=0.1)
  assert sum(1 for _ in Decoder(tmp_path / "b.mp4")) > 90
