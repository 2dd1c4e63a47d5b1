"""Videos that the tests make, by PyAV."""

from fractions import Fraction

import av
import numpy as np

_MILLISECOND = Fraction(1, 1000)
SIZE = (48, 64)


def ramp(number, size=SIZE):
  """A frame that tells its number: grey, brighter from frame to frame."""
  return np.full((*size, 3), (number * 5) % 250, np.uint8)


def number_of(image):
  """The number that a `ramp` frame was made of, below 50."""
  return round(float(image.mean()) / 5)


def quarters(size=SIZE):
  """Red, green over blue, black: upright or not can be told."""
  height, width = size
  image = np.zeros((*size, 3), np.uint8)
  image[: height // 2, : width // 2, 0] = 255
  image[: height // 2, width // 2 :, 1] = 255
  image[height // 2 :, : width // 2, 2] = 255
  return image


def write_video(
  path,
  images,
  *,
  rate=25,
  codec="ffv1",
  pixels="bgr0",
  times=None,
  turn=None,
  sound=False,
  options=None,
  tags=None,
):
  """Writes a video.

  Args:
    path: Its suffix tells the container.
    images: Frames, uint8 [height, width, 3].
    rate: Frames in a second.
    codec: Of FFmpeg; ffv1 keeps every pixel.
    pixels: Pixel format.
    times: When each frame is shown [ms]; None for a constant rate.
    turn: Of the display matrix [degrees, counter-clockwise].
    sound: Whether there is a sound track, too.
    options: Of the container.
    tags: Such as its title.
  """
  with av.open(str(path), "w", container_options=options or {}) as container:
    container.metadata.update(tags or {})
    stream = container.add_stream(codec, rate=rate)
    stream.height, stream.width = images[0].shape[:2]
    stream.pix_fmt = pixels
    if turn is not None:
      stream.set_display_rotation(turn)
    if times is not None:
      stream.codec_context.time_base = stream.time_base = _MILLISECOND
    audio = add_sound(container) if sound else None
    for number, image in enumerate(images):
      frame = av.VideoFrame.from_ndarray(image, format="rgb24")
      if times is not None:
        frame.pts, frame.time_base = times[number], _MILLISECOND
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
    if audio is not None:
      write_sound(container, audio, len(images) / rate)
  return str(path)


def add_sound(container):
  """A sound track that `write_sound` fills."""
  stream = container.add_stream("pcm_s16le", rate=8000)
  stream.layout = "mono"
  return stream


def write_sound(container, stream, seconds):
  """Writes silence."""
  silence = np.zeros((1, int(8000 * seconds)), np.int16)
  frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
  frame.sample_rate, frame.pts = 8000, 0
  container.mux(stream.encode(frame))
  container.mux(stream.encode())


def write_sound_file(path, seconds=1.0):
  """A file of sound alone."""
  with av.open(str(path), "w") as container:
    write_sound(container, add_sound(container), seconds)
  return str(path)


def cut(path, share):
  """Leaves the first part of a file, as a broken download does."""
  data = path.read_bytes()
  path.write_bytes(data[: int(len(data) * share)])
  return str(path)
