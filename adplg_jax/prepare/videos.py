"""Videos and their crops, as preparation handles them."""

import abc
import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float

from adplg_jax.data.frames import Span
from adplg_jax.data.schema import SNIPPET_FRAMES
from adplg_jax.prepare.feature_files import (
  FeatureFileError,
  read_features,
  read_header,
  stored_bytes,
)
from adplg_jax.prepare.segments import join_audio

SPLITS = ("train", "test")
# Classes of data sets that name no others.
NORMAL = "Normal"
ANOMALOUS = "Anomalous"


@dataclasses.dataclass(frozen=True)
class Crop(abc.ABC):
  """One crop of a video, wherever its features are.

  Attributes:
    index: Which crop of its video.
  """

  index: int

  @abc.abstractmethod
  def where(self) -> str:
    """The file, for messages."""

  @abc.abstractmethod
  def read(self) -> Float[np.ndarray, "t d"]:
    """Reads the features.

    Raises:
      FeatureFileError: They cannot be used.
    """

  def size(self) -> int:
    """Bytes that reading it takes, about."""
    return 0

  def adjustment(self) -> str:
    """How `read` changes the features, "" for not at all."""
    return ""


@dataclasses.dataclass(frozen=True)
class ArrayCrop(Crop):
  """A crop in memory.

  Attributes:
    array: The features.
    name: For messages.
  """

  array: Float[np.ndarray, "t d"]
  name: str

  def where(self) -> str:
    """See Crop."""
    return self.name

  def read(self) -> Float[np.ndarray, "t d"]:
    """See Crop."""
    return self.array


@dataclasses.dataclass(frozen=True)
class FileCrop(Crop):
  """A crop in a feature file, other channels of it perhaps in others.

  Attributes:
    path: The feature file.
    column: Which crop of a [T, C, D] file.
    rows: The rows of the file that are the video's, None for all.
    joined: Other streams of the same snippets, whose channels follow.
    audio: The feature file of the video's audio, whose channels come last.
    visual_width: Channels there must be before the audio, None for any.
  """

  path: Path
  column: int | None = None
  rows: tuple[int, int] | None = None
  joined: tuple["FileCrop", ...] = ()
  audio: Path | None = None
  visual_width: int | None = None

  def where(self) -> str:
    """See Crop."""
    return str(self.path)

  def size(self) -> int:
    """See Crop."""
    if self.rows is None:
      size = stored_bytes(self.path)
    else:
      start, end = self.rows
      rows = max(read_header(self.path).shape[0], 1)
      size = stored_bytes(self.path) * (end - start) // rows
    return size + sum(other.size() for other in self.joined)

  def adjustment(self) -> str:
    """See Crop."""
    if self.audio is None:
      return ""
    snippets = read_header(self.path).shape[0]
    rows = read_header(self.audio).shape[0]
    if rows == snippets:
      return ""
    return f"videos whose audio was {'cut' if rows > snippets else 'extended'}"

  def read(self) -> Float[np.ndarray, "t d"]:
    """See Crop."""
    features = read_features(self.path, self.column, rows=self.rows)
    if self.joined:
      features = self._join(features)
    if self.audio is None:
      return features
    if self.visual_width not in (None, features.shape[1]):
      raise FeatureFileError(
        self.path,
        "wrong-width",
        f"feature width is {features.shape[1]}, {self.visual_width} are needed "
        "before the audio. Extract this video again.",
      )
    if not self.audio.is_file():
      raise FeatureFileError(
        self.audio, "missing-audio", "no such file; extract the video's audio."
      )
    audio = read_features(self.audio)
    try:
      return join_audio(features, audio)
    except ValueError as error:
      raise FeatureFileError(self.audio, "audio-length", str(error)) from error

  def _join(self, features: Float[np.ndarray, "t d"]) -> np.ndarray:
    """The features, the channels of the other streams after them."""
    streams = [features]
    for other in self.joined:
      array = other.read()
      if len(array) != len(features):
        raise FeatureFileError(
          other.path,
          "crop-length",
          f"{len(array)} snippets, but {len(features)} in {self.path}; the "
          "streams of a video need the same snippets.",
        )
      streams.append(array)
    return np.concatenate(streams, axis=1)


@dataclasses.dataclass(frozen=True)
class Video:
  """A video and what is known of it.

  Fingerprints of data sets are made of its repr: fields that were added later
  are not in it, so that fingerprints stay what they were.

  Attributes:
    name: Unique in the data set.
    split: train | test.
    label: 1 if anomalous.
    category: Class of the anomaly, or of the normal videos.
    crops: Its crops.
    key: What its crops share a pseudo-label memory by.
    frames: Frames to score, None for those that its snippets cover.
    frames_per_snippet: Frames from one snippet's start to the next one's.
    window: Frames a snippet is extracted from, where these are not
      frames_per_snippet.
    spans: Spans of anomalous frames, None when they are not known.
    exact_spans: Whether they are half-open whatever the evaluation says of
      annotated rows' ends: from a mask, an array, or rows of known ends.
    annotated_frames: Frames that the annotation counts, if it does.
    snippets: T, once the files have been read.
    checksum: Of its features, once the files have been read.
  """

  name: str
  split: str
  label: int
  category: str
  crops: tuple[Crop, ...]
  key: str
  frames: int | None = None
  frames_per_snippet: int = SNIPPET_FRAMES
  window: int | None = dataclasses.field(default=None, repr=False)
  spans: tuple[Span, ...] | None = ()
  exact_spans: bool = dataclasses.field(default=False, repr=False)
  annotated_frames: int | None = None
  snippets: int = 0
  checksum: int = 0

  @property
  def covered_frames(self) -> int:
    """Frames that its snippets cover."""
    window = self.window or self.frames_per_snippet
    return max(self.snippets - 1, 0) * self.frames_per_snippet + window

  @property
  def total_frames(self) -> int:
    """Frames to score."""
    return self.covered_frames if self.frames is None else self.frames

  @property
  def scored_spans(self) -> tuple[Span, ...]:
    """The spans that begin in the frames to score."""
    return tuple(
      span for span in self.spans or () if span[0] < self.total_frames
    )
