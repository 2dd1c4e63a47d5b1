"""From videos to the features of their snippets, as they come.

A thread decodes, resizes and cuts while the backbone computes. Snippets of all
videos share batches of one shape, so the backbone is compiled once, and memory
is bounded whatever a video's length.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, UInt8

from adplg_jax.video.ahead import ahead
from adplg_jax.video.classifier import Classifier
from adplg_jax.video.decode import Decoder, Frame, VideoError
from adplg_jax.video.profiles import CROP, SNIPPET_FRAMES, Profile, crop
from adplg_jax.video.stopwatch import Stopwatch

# Crops in a batch, unless a snippet has more.
_BATCH_CPU = 4
_BATCH = 64
# Batches that are decoded ahead.
_AHEAD = 2
_UNSEEN = np.empty((0, 0, 3), np.uint8)


class Backbone(NamedTuple):
  """What computes features.

  Attributes:
    apply: (variables, clips [b, t, 224, 224, 3] of pixels, uint8, RGB) to
      features [b, d]; traced by JAX.
    variables: Its parameters.
    sha256: Hash of its weights, in hexadecimal.
    classifier: What its features look like to it; None where it has none.
  """

  apply: Callable[[Any, jax.Array], jax.Array]
  variables: Any
  sha256: str
  classifier: Classifier | None = None


class Snippet(NamedTuple):
  """The features of a snippet.

  Attributes:
    video: The path or address, as it was given.
    index: It covers the video's frames 16 index to 16 index + 15.
    start: When its first frame appears [s].
    end: When the frame after its last one does [s].
    decoded_at: When it was decoded, by `time.monotonic` [s].
    features: Of its crops [c, d].
  """

  video: str
  index: int
  start: float
  end: float
  decoded_at: float
  features: Float[np.ndarray, "c d"]


class Spent(NamedTuple):
  """Seconds of work; decoding goes on while features are computed.

  Attributes:
    decoding: Of decoding, resizing and cutting.
    features: Of the backbone; with its compilation, for the first batch.
  """

  decoding: float = 0.0
  features: float = 0.0


class Ended(NamedTuple):
  """The end of a video.

  Attributes:
    video: The path or address, as it was given.
    decoded: Frames that were decoded.
    taken: Frames that snippets were made of, those after the last one included.
    frame_rate: Frames in a second; see `Decoder`.
    warnings: See `Decoder`.
    error: Why it cannot be used; "" if it can.
    spent: Seconds that were spent on it.
  """

  video: str
  decoded: int
  taken: int
  frame_rate: float
  warnings: tuple[str, ...]
  error: str = ""
  spent: Spent = Spent()


class _Cut(NamedTuple):
  """A snippet before its features are known; clips [c, t, 224, 224, 3]."""

  video: str
  index: int
  start: float
  end: float
  decoded_at: float
  clips: UInt8[np.ndarray, "c t h w 3"]


class Extractor:
  """Computes features of one profile.

  Attributes:
    profile: The profile.
    backbone: The backbone.
    crops: Number of crops.
    fps: Frames in a second that are taken, None for all.
  """

  def __init__(
    self,
    profile: Profile,
    backbone: Backbone,
    *,
    crops: int = 1,
    fps: float | None = None,
    batch_clips: int | None = None,
  ):
    """Compiles nothing yet.

    Args:
      profile: How frames become clips.
      backbone: Computes features of clips.
      crops: 1, 5 or 10.
      fps: See `Decoder`.
      batch_clips: Crops that are computed at once, at least those of one
        snippet; None for what suits the device.

    Raises:
      ValueError: Another number of crops.
    """
    self.profile = profile
    self.backbone = backbone
    self.crops = crops
    self.fps = fps
    self._places = profile.crops(crops)
    if batch_clips is None:
      batch_clips = _BATCH_CPU if jax.default_backend() == "cpu" else _BATCH
    self._batch = max(1, batch_clips // crops)
    # Seconds of the features of the video that has not ended.
    self._spent = 0.0
    self._apply = jax.jit(backbone.apply)

  @property
  def kind(self) -> str:
    """What makes the features: the profile, and the hash of the weights."""
    return f"{self.profile.name}:{self.backbone.sha256[:8]}"

  def warm_up(self) -> Float[np.ndarray, "c d"]:
    """Compiles; gives the features of a black snippet."""
    black = np.zeros((len(self.profile.seen), CROP, CROP, 3), np.uint8)
    return self._features([black] * self.crops)[0]

  def stream(self, videos: Iterable[str | Path]) -> Iterator[Snippet | Ended]:
    """Computes features of videos, one after the other.

    Args:
      videos: Paths and addresses.

    Yields:
      The snippets of each video, and after them its end, also of a video that
      cannot be used. They come once their batch is full, or all videos ended.
    """
    waiting: list[_Cut | Ended] = []
    cuts, self._spent = 0, 0.0
    cut = ahead(self._cut(videos), _AHEAD * self._batch)
    with contextlib.closing(cut) as items:  # pyright: ignore
      for item in items:
        waiting.append(item)
        cuts += isinstance(item, _Cut)
        if cuts in (0, self._batch):
          yield from self._computed(waiting)
          waiting, cuts = [], 0
    yield from self._computed(waiting)

  def _computed(self, items: list[_Cut | Ended]) -> Iterator[Snippet | Ended]:
    """The items in their order, with features in the place of clips."""
    clips = [clip for i in items if isinstance(i, _Cut) for clip in i.clips]
    begin = time.perf_counter()
    features = self._features(clips) if clips else np.zeros((0, 0, 0))
    # Of each snippet.
    share = (time.perf_counter() - begin) / max(1, len(features))
    left = iter(features)
    for item in items:
      if isinstance(item, _Cut):
        self._spent += share
        yield Snippet(*item[:-1], next(left))
      else:
        spent = item.spent._replace(features=self._spent)
        self._spent = 0.0
        yield item._replace(spent=spent)

  def _features(self, clips: list[np.ndarray]) -> Float[np.ndarray, "s c d"]:
    """Features of at most a batch of clips, filled up to one."""
    size = self._batch * self.crops
    batch = np.zeros((size, *clips[0].shape), np.uint8)
    batch[: len(clips)] = clips
    features = np.asarray(
      self._apply(self.backbone.variables, batch), np.float32
    )
    return features[: len(clips)].reshape(-1, self.crops, features.shape[-1])

  def _cut(self, videos: Iterable[str | Path]) -> Iterator[_Cut | Ended]:
    """Clips of all videos, each followed by its end."""
    for video in videos:
      decoder, error = Decoder(video, fps=self.fps), ""
      watch = Stopwatch()
      try:
        yield from watch.over(self._snippets(decoder))
      except VideoError as refusal:
        error = str(refusal)
      yield Ended(
        decoder.name,
        decoder.decoded,
        decoder.taken,
        decoder.frame_rate,
        tuple(decoder.warnings),
        error,
        Spent(decoding=watch.seconds),
      )

  def _snippets(self, decoder: Decoder) -> Iterator[_Cut]:
    """Clips of a video.

    Raises:
      VideoError: It cannot be used, or has less than one snippet.
    """
    size, index = None, 0
    frames: list[Frame] = []
    for frame in decoder:
      # A video whose size changes keeps that of its first frame.
      size = size or self.profile.resized(*frame.image.shape[:2])
      # Of frames that are not seen, the times alone are needed.
      image = (
        self.profile.resize(frame.image, size)
        if len(frames) in self.profile.seen
        else _UNSEEN
      )
      frames.append(frame._replace(image=image))
      if len(frames) == SNIPPET_FRAMES:
        yield self._make_cut(decoder.name, index, frames)
        index, frames = index + 1, []
    if decoder.taken < SNIPPET_FRAMES:
      raise VideoError(
        f"{decoder.name}: has {decoder.taken} frames, "
        f"{decoder.frame_rate:g} a second; a snippet is of {SNIPPET_FRAMES}. "
        "Leave it out, or take more frames a second with --fps."
      )
    if frames and self.profile.tail == "repeat":
      frames += [frames[-1]] * (SNIPPET_FRAMES - len(frames))
      yield self._make_cut(decoder.name, index, frames)

  def _make_cut(self, video: str, index: int, frames: list[Frame]) -> _Cut:
    images = np.stack([frames[i].image for i in self.profile.seen])
    clips = np.stack([crop(images, place) for place in self._places])
    return _Cut(
      video, index, frames[0].start, frames[-1].end, time.monotonic(), clips
    )
