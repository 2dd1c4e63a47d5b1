"""The sound of a file, for another one: copied as it is, or as AAC."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError, InvalidDataError

# Taken by MP4 and by what plays it.
_COPIED = ("aac", "ac3", "alac", "eac3", "flac", "mp3", "opus")
# Sampling rates that AAC has [Hz]; the last one for all others.
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# A clip's sound is looked for from this much earlier on [s].
_BEFORE = 1.0


class Sound:
  """The sound of a part of a file; packets come as they are asked for.

  Attributes:
    note: What happens to the sound, unless it is copied; "" if it is, or if
      there is none.
  """

  def __init__(
    self,
    path: str | Path,
    output: Any,
    *,
    origin: float = 0.0,
    start: float = 0.0,
    end: float = math.inf,
    copied: bool = True,
  ):
    """Adds a stream of sound to a container that has not begun yet.

    Args:
      path: The file.
      output: The container, of PyAV.
      origin: What the file calls the time 0 [s].
      start: Where the part begins, the time 0 of the output [s].
      end: Where it ends [s].
      copied: Whether it may be copied, not encoded.

    Raises:
      FFmpegError: It cannot be read or encoded.
      ValueError: Likewise.
    """
    self.note = ""
    self._output = output
    self._input = av.open(
      f"file:{Path(path).absolute()}", metadata_errors="replace"
    )
    try:
      self._begin(origin, start, end, copied)
    except BaseException:
      self._input.close()
      raise

  def _begin(
    self, origin: float, start: float, end: float, copied: bool
  ) -> None:
    """Chooses a stream and what to do with it."""
    stream = self._input.streams.best("audio")
    self._last = -math.inf
    self._stream: Any = None
    self._ready: Any = None
    if stream is None:
      self._packets: Iterator[Any] = iter(())
      return
    self._shift = origin + start
    self._end = end - start
    codec: Any = stream.codec_context
    if copied and codec.name.removesuffix("float") in _COPIED:
      self._stream = self._output.add_stream_from_template(stream)
      make = self._copied
    else:
      self.note = f"its sound, {codec.name}, is encoded again as AAC"
      rate = codec.sample_rate
      self._stream = self._output.add_stream(
        "aac", rate=rate if rate in _RATES else _RATES[-1]
      )
      self._stream.layout = "mono" if codec.channels == 1 else "stereo"
      make = self._encoded
    if start > 0:
      self._seek(stream, origin + start - _BEFORE)
    self._packets = make(stream)

  def _seek(self, stream: Any, seconds: float) -> None:
    """Goes near a time; a file that cannot is read from its beginning."""
    try:
      self._input.seek(int(seconds / stream.time_base), stream=stream)
    except FFmpegError:
      self._input.seek(0)

  def until(self, seconds: float) -> Iterator[Any]:
    """The next packets, up to a time of the output [s]; inf for all."""
    while True:
      if self._ready is None:
        self._ready = next(self._packets, None)
      if self._ready is None or _seconds(self._ready) > seconds:
        return
      packet, self._ready = self._ready, None
      # Times that go back, as in a damaged file, would be refused.
      if packet.dts > self._last:
        self._last = packet.dts
        yield packet

  def _copied(self, stream: Any) -> Iterator[Any]:
    """Packets as they are, at the times of the output."""
    shift = round(self._shift / stream.time_base)
    for packet in self._demuxed(stream):
      if packet.pts is None or packet.dts is None or packet.size == 0:
        continue
      packet.pts -= shift
      packet.dts -= shift
      if packet.pts < 0 and self._shift > 0:
        continue
      if _seconds(packet) >= self._end:
        return
      packet.stream = self._stream
      yield packet

  def _encoded(self, stream: Any) -> Iterator[Any]:
    """Packets of AAC."""
    for packet in self._demuxed(stream):
      try:
        frames = packet.decode()
      except InvalidDataError:
        continue
      for frame in frames:
        if frame.pts is None:
          continue
        seconds = float(frame.pts * frame.time_base) - self._shift
        if seconds >= self._end:
          yield from self._stream.encode(None)
          return
        first = max(0, round(-seconds * frame.sample_rate))
        stop = frame.samples
        if math.isfinite(self._end):
          stop = min(stop, round((self._end - seconds) * frame.sample_rate))
        if first < stop:
          yield from self._stream.encode(_placed(frame, seconds, first, stop))
    yield from self._stream.encode(None)

  def _demuxed(self, stream: Any) -> Iterator[Any]:
    """Packets up to where the file can be read."""
    try:
      yield from self._input.demux(stream)
    except FFmpegError:
      return

  def close(self) -> None:
    """Closes the file."""
    self._input.close()


def _placed(frame: Any, seconds: float, first: int, stop: int) -> Any:
  """A part of a frame of sound that is heard at a time [s]."""
  if (first, stop) != (0, frame.samples):
    samples, rate = frame.to_ndarray(), frame.sample_rate
    width = 1 if frame.format.is_planar else frame.layout.nb_channels
    frame = av.AudioFrame.from_ndarray(
      np.ascontiguousarray(samples[:, first * width : stop * width]),
      format=frame.format.name,
      layout=frame.layout.name,
    )
    frame.sample_rate, seconds = rate, seconds + first / rate
  frame.time_base = Fraction(1, frame.sample_rate)
  frame.pts = round(seconds * frame.sample_rate)
  return frame


def _seconds(packet: Any) -> float:
  """When a packet is heard [s]."""
  time = packet.dts if packet.pts is None else packet.pts
  return float(time * packet.time_base)
