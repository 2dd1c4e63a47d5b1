"""Videos as RGB frames with their times, decoded by PyAV.

Only frames that decode count, whatever the header says, and times are those of
the stream, so that a variable frame rate needs no special case.
"""

import os
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

try:
  import av
  from av.error import ExitError, FFmpegError, InvalidDataError
  from av.video.reformatter import Interpolation
except ImportError as error:
  raise ImportError(
    "Videos are read by PyAV, which is not installed: pip install .[video]"
  ) from error

# The same pixels on every processor, and chroma at full resolution.
_CONVERSION = (
  Interpolation.BICUBIC
  | Interpolation.ACCURATE_RND
  | Interpolation.FULL_CHR_H_INT
  | Interpolation.BITEXACT
)
# Where neither the stream nor its header tell the time of a frame.
_FRAME_RATE = Fraction(25)
# Containers round times to milliseconds, or cut them; a frame counts as shown
# this much [s] earlier.
_ROUNDING = Fraction(1, 500)
# An address that gives no data for this long [s] is given up.
_PATIENCE = 30.0
# A frame that is shown for longer [s] is not repeated for all of it: mostly a
# time is damaged, and the next one is days later.
_STILL = 600
# A header's duration that is longer by this [s] is worth a note.
_SLACK = 1


class VideoError(ValueError):
  """A video that cannot be used; the message names it and says why."""


class Frame(NamedTuple):
  """A frame.

  Attributes:
    image: RGB, uint8 [height, width, 3], upright.
    start: When it appears [s], from the beginning of the file.
    end: When the next one does; after the last one, its own duration.
  """

  image: np.ndarray
  start: float
  end: float


class _Timed(NamedTuple):
  """A frame as PyAV has it, with exact times."""

  frame: Any
  start: Fraction
  end: Fraction


class Decoder:
  """The frames of a video, one at a time; can be iterated over once.

  Attributes:
    name: The path or address.
    decoded: Frames that were decoded so far.
    taken: Frames that were given so far; other than `decoded` where `fps` is
      another frame rate.
    frame_rate: Frames in a second, those of `fps` or else the stream's mean
      as its header says; known once the first frame is there.
    origin: What the file calls the time that is 0 here [s]; known then, too.
    warnings: What is wrong with the video although frames of it decode;
      complete at the end.
  """

  def __init__(self, path: str | Path, *, fps: float | None = None):
    """Opens nothing yet.

    Args:
      path: A file, an address that FFmpeg knows (http://, rtsp://), or the
        number of a camera (Linux).
      fps: Frames in a second, chosen by their times: what is shown at each
        multiple of 1 / fps, for ten minutes at most. None for all frames as
        they are.
    """
    self.name = os.fspath(path)
    self.decoded = 0
    self.taken = 0
    self.frame_rate = 0.0
    self.origin = 0.0
    self.warnings: list[str] = []
    self._fps = None if fps is None else Fraction(fps).limit_denominator(10**6)
    self._corrupt = 0
    self._guessed = 0
    self._still = 0

  def __iter__(self) -> Iterator[Frame]:
    """Decodes.

    Yields:
      The frames, in the order in which they are shown.

    Raises:
      VideoError: It cannot be read, has no video, or no frame of it decodes.
    """
    try:
      with _open(self.name) as container:
        # Not the first one: that may be a picture of a cover.
        stream = container.streams.best("video")
        if stream is None:
          raise VideoError(f"{self.name}: {_what_else(container)}.")
        stream.thread_type = "AUTO"
        rate = stream.average_rate or stream.guessed_rate or _FRAME_RATE
        self.frame_rate = float(self._fps or rate)
        timed = self._timed(container, stream, 1 / Fraction(rate))
        end = Fraction(0)
        for frame, start, end in self._resampled(timed):
          self.taken += 1
          yield Frame(frame, float(start), float(end))
        self._conclude(container, stream, end)
    except (FFmpegError, OSError) as error:
      raise VideoError(
        f"{self.name}: cannot be read as a video ({_reason(error)}); give a "
        "file or an address that FFmpeg plays."
      ) from error
    if not self.decoded:
      raise VideoError(
        f"{self.name}: no frame of its video stream can be decoded; make the "
        "file again."
      )

  def _timed(
    self, container: Any, stream: Any, period: Fraction
  ) -> Iterator[_Timed]:
    """All frames that decode; each ends where the next one starts."""
    before, origin, last = None, None, period
    for frame in self._decoded(container, stream):
      self.decoded += 1
      start = None if frame.pts is None else frame.pts * frame.time_base
      if origin is None:
        origin = _origin(container, start)
        self.origin = float(origin)
      start = None if start is None else start - origin
      if before is not None:
        if start is None or start <= before.start:
          self._guessed += 1
          start = before.start + period
        last = start - before.start
        yield before._replace(end=start)
      duration = (frame.duration or 0) * (frame.time_base or 0)
      start = Fraction(0) if start is None else start
      before = _Timed(frame, start, start + (duration or last))
    if before is not None:
      yield before

  def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
    """PyAV's frames; packets that cannot be decoded are counted and left out.

    Raises:
      FFmpegError: The container cannot be read, and there is no frame yet.
    """
    try:
      for packet in container.demux(stream):
        self._corrupt += packet.is_corrupt
        try:
          yield from packet.decode()
        except InvalidDataError:
          self._corrupt += not packet.is_corrupt
    except (FFmpegError, OSError) as error:
      if not self.decoded:
        raise
      self.warnings.append(f"reading ended early: {_reason(error)}")

  def _resampled(
    self, timed: Iterator[_Timed]
  ) -> Iterator[tuple[np.ndarray, Fraction, Fraction]]:
    """Images with their times, at the frame rate that was asked for."""
    if self._fps is None:
      for frame, start, end in timed:
        yield _image(frame), start, end
      return
    period = 1 / self._fps
    most = ceil(_STILL * self._fps)
    for frame, start, end in timed:
      first, stop = (
        max(0, ceil((edge - _ROUNDING) * self._fps)) for edge in (start, end)
      )
      if stop - first > most:
        self._still += 1
        stop = first + most
      if first < stop:
        image = _image(frame)
        for number in range(first, stop):
          yield image, number * period, (number + 1) * period

  def _conclude(self, container: Any, stream: Any, end: Fraction) -> None:
    """Notes what the header promised, and what could not be decoded."""
    if self._corrupt:
      self.warnings.append(f"{self._corrupt} packets are damaged")
    if self._guessed:
      self.warnings.append(
        f"{self._guessed} frames have no time, or one before the last frame's; "
        "taken from the frame rate"
      )
    if self._still:
      self.warnings.append(
        f"{self._still} frames are shown for more than {_STILL} s; what is "
        "beyond that was left out"
      )
    if stream.frames and stream.frames != self.decoded:
      self.warnings.append(
        f"the header says {stream.frames} frames, {self.decoded} decode"
      )
    promised = _promised_seconds(container, stream)
    if promised - end > _SLACK:
      self.warnings.append(
        f"the header says {float(promised):.1f} s, the frames end at "
        f"{float(end):.1f} s"
      )


def header_seconds(path: str | Path) -> float:
  """How long a video is, as its header says [s]; 0 where nothing is known.

  Files alone are opened: an address, a pipe or a camera may be read only once.
  """
  name = os.fspath(path)
  if not os.path.isfile(name):
    return 0.0
  try:
    with _open(name) as container:
      stream = container.streams.best("video")
      return float(_promised_seconds(container, stream)) if stream else 0.0
  except (FFmpegError, OSError):
    return 0.0


def _open(name: str) -> Any:
  """Opens a file, whatever its name looks like, a camera or an address."""
  exists = os.path.exists(name)
  opened, form = f"file:{os.path.abspath(name)}" if exists else name, None
  if not exists and name.isdecimal():
    # As Linux counts cameras.
    opened, form = f"/dev/video{name}", "v4l2"
  return av.open(
    opened,
    format=form,
    timeout=None if exists else _PATIENCE,
    # Titles may be in any encoding, and do not matter.
    metadata_errors="replace",
  )


def _origin(container: Any, first: Fraction | None) -> Fraction:
  """The time that players show as 0: the first of all streams begins there."""
  first = first or Fraction(0)
  if container.start_time is None:
    return first
  return min(first, Fraction(container.start_time, av.time_base))


def _promised_seconds(container: Any, stream: Any) -> Fraction:
  """The duration that the header says; 0 where it does not."""
  if stream.duration is not None:
    return stream.duration * stream.time_base
  return Fraction(container.duration or 0, av.time_base)


def _image(frame: Any) -> np.ndarray:
  """RGB pixels, upright as the display matrix says.

  The matrix takes a place (x, y) to (a x + c y, b x + d y): a turn by a
  multiple of 90 degrees, a mirror image, or both.
  """
  image = frame.to_ndarray(format="rgb24", interpolation=_CONVERSION)
  matrix = frame.side_data.get("DISPLAYMATRIX")
  if matrix is None:
    return image
  a, b, _, c, d = np.frombuffer(bytes(matrix), "<i4", count=5)
  x, y = a, d
  if abs(a) < abs(b):
    image, x, y = image.transpose(1, 0, 2), c, b
  return np.ascontiguousarray(
    image[:: -1 if y < 0 else 1, :: -1 if x < 0 else 1]
  )


def _what_else(container: Any) -> str:
  """Why a container without video is none."""
  kinds = sorted({stream.type for stream in container.streams})
  return f"has no video stream, only {', '.join(kinds) or 'nothing'}"


def _reason(error: Exception) -> str:
  if isinstance(error, ExitError):
    return f"no data for {_PATIENCE:g} s"
  return getattr(error, "strerror", None) or str(error)
