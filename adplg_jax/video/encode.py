"""Writes videos: frames at their own times, and the sound of another file."""

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.error import FFmpegError

from adplg_jax.video.sound import Sound

# In the order of preference; the second one is part of every FFmpeg.
_ENCODERS = {
  "libx264": {"preset": "veryfast", "crf": "23"},
  "mpeg4": {"qscale": "4"},
}
# Parts of a second that times are rounded to: a whole number of them is a frame
# at the usual rates, and MPEG-4 takes no more than 65535.
_TICKS = 60000
_FRAMES_TO_A_KEY = 50


class EncodeError(ValueError):
  """A video that cannot be written; the message says why."""


class Part(NamedTuple):
  """The part of a file whose sound a video has.

  Attributes:
    path: The file.
    origin: What it calls the time 0 [s]; see `Decoder`.
    start: Where the part begins [s].
    end: Where it ends [s].
  """

  path: str
  origin: float = 0.0
  start: float = 0.0
  end: float = math.inf


class VideoWriter:
  """Writes an MP4 file; it has its name once it is whole.

  Attributes:
    note: What could not be kept of the sound; "" for nothing.
  """

  def __init__(self, path: Path, part: Part, *, rate: float = 25.0):
    """Writes nothing yet.

    Args:
      path: The file.
      part: Whose sound it gets, if there is any.
      rate: About how many frames a second there will be.
    """
    self.note = ""
    self._path = path
    self._temporary = path.with_name(f".{path.name}.part")
    self._part = part
    self._rate = Fraction(rate).limit_denominator(1001)
    self._output: Any = None
    self._stream: Any = None
    self._sound: Sound | None = None
    self._durations: dict[int, int] = {}
    self._last = -1

  def add(self, image: np.ndarray, start: float, end: float) -> None:
    """Adds a frame.

    Args:
      image: RGB, uint8 [height, width, 3], both even, the same for all.
      start: When it is shown, after all those before [s].
      end: When it is not any more [s].

    Raises:
      EncodeError: It cannot be written.
    """
    if self._output is None:
      self._begin(*image.shape[:2])
    try:
      frame = av.VideoFrame.from_ndarray(image, format="rgb24")
      frame.pts = max(self._last + 1, round(start * _TICKS))
      frame.time_base = Fraction(1, _TICKS)
      self._last = frame.pts
      self._durations[frame.pts] = max(1, round((end - start) * _TICKS))
      self._write(self._stream.encode(frame))
      self._write_sound(start)
    except (FFmpegError, OSError) as error:
      raise EncodeError(self._failed(error)) from error

  def finish(self) -> None:
    """Writes what is left, and gives the file its name.

    Raises:
      EncodeError: It cannot be written, or has no frame.
    """
    if self._output is None:
      raise EncodeError(f"{self._path}: no frame was written.")
    try:
      self._write(self._stream.encode(None))
      self._write_sound(math.inf)
      self._output.close()
      self._temporary.replace(self._path)
    except (FFmpegError, OSError) as error:
      raise EncodeError(self._failed(error)) from error

  def close(self) -> None:
    """Removes what was written, unless it has its name already."""
    self._drop()
    self._temporary.unlink(missing_ok=True)

  def _begin(self, height: int, width: int) -> None:
    """Opens the file, with as much of the sound as it takes.

    Raises:
      EncodeError: There is no encoder, or the file cannot be written.
    """
    self._path.parent.mkdir(parents=True, exist_ok=True)
    found = ""
    for encoder in _encoders():
      for sound in ("copied", "encoded", "none"):
        try:
          self._open(encoder, sound, height, width)
          return
        except (FFmpegError, OSError, ValueError) as error:
          found = self._failed(error)
          self._drop()
    raise EncodeError(
      found
      or f"{self._path}: this FFmpeg encodes neither "
      f"{' nor '.join(_ENCODERS)}; install PyAV's own wheel."
    )

  def _open(self, encoder: str, sound: str, height: int, width: int) -> None:
    """Opens the file, and writes its header."""
    self._output = av.open(str(self._temporary), "w", format="mp4")
    stream = self._output.add_stream(encoder, rate=self._rate)
    stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
    codec = stream.codec_context
    codec.options = dict(_ENCODERS[encoder])
    codec.gop_size = _FRAMES_TO_A_KEY
    codec.time_base = stream.time_base = Fraction(1, _TICKS)
    self._stream, self._sound, self.note = stream, None, ""
    if sound == "none":
      self.note = "its sound cannot be written, and is left out"
    else:
      path, *times = self._part
      names = ("origin", "start", "end")
      self._sound = Sound(
        path,
        self._output,
        copied=sound == "copied",
        **dict(zip(names, times, strict=True)),
      )
      self.note = self._sound.note
    self._output.start_encoding()

  def _write(self, packets: list[Any]) -> None:
    """Writes packets of the video, which lack their duration."""
    for packet in packets:
      packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
      self._output.mux(packet)

  def _write_sound(self, seconds: float) -> None:
    """Writes packets of the sound up to a time [s]."""
    if self._sound is not None:
      for packet in self._sound.until(seconds):
        self._output.mux(packet)

  def _drop(self) -> None:
    """Closes the files, whatever state they are in."""
    if self._sound is not None:
      self._sound.close()
    if self._output is not None:
      with contextlib.suppress(FFmpegError, OSError, ValueError):
        self._output.close()
    self._output, self._sound = None, None

  def _failed(self, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return f"{self._path}: cannot be written as a video ({reason})."


def _encoders() -> Iterator[str]:
  """The encoders that there are."""
  for name in _ENCODERS:
    try:
      av.Codec(name, "w")
    except ValueError:
      continue
    yield name
