"""Video files as a source of videos to be scored: features are made of them."""

import contextlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from adplg_jax.extract.videos import NamedVideo, find_videos
from adplg_jax.scoring.sequence import Failure, FeatureSequence, Times
from adplg_jax.video.extraction import Ended, Extractor, Snippet
from adplg_jax.video.profiles import SNIPPET_FRAMES


class VideoFiles:
  """Videos, decoded and scored one after the other; see `Source`.

  The next video is decoded while features of the one before are computed.
  """

  def __init__(self, given: Sequence[str], extractor: Extractor):
    """Finds the videos.

    Args:
      given: Files, folders, patterns and addresses.
      extractor: What makes the features.

    Raises:
      ValueError: Nothing is found, or two videos would have the same name.
    """
    self._videos = find_videos(given)
    self._extractor = extractor

  def __len__(self) -> int:
    """How many videos there are."""
    return len(self._videos)

  def __iter__(self) -> Iterator[FeatureSequence | Failure]:
    """The features of each video, or why there are none."""
    stream = self._extractor.stream([own.video for own in self._videos])
    with contextlib.closing(stream):  # pyright: ignore
      for video in self._videos:
        snippets: list[Snippet] = []
        for item in stream:
          if isinstance(item, Ended):
            yield self._sequence(video, snippets, item)
            break
          snippets.append(item)

  def notes(self) -> list[str]:
    """What a live video could have had; other notes come with their video."""
    return [
      f"{own.video}: was decoded until it ended; --follow scores it as it comes"
      for own in self._videos
      if own.size is None
    ]

  def _sequence(
    self, video: NamedVideo, snippets: Sequence[Snippet], end: Ended
  ) -> FeatureSequence | Failure:
    """A video's features with the times of its frames."""
    for warning in end.warnings:
      tqdm.write(f"note: {video.video}: {warning}", file=sys.stderr)
    if end.error:
      return Failure(video.video, end.error)
    seconds = [snippet.start for snippet in snippets] + [snippets[-1].end]
    frames = np.arange(len(seconds)) * SNIPPET_FRAMES
    # A tail that repeats the last frame has fewer.
    frames[-1] = min(frames[-1], end.taken)
    features = np.stack([snippet.features for snippet in snippets], axis=1)
    classifier = self._extractor.backbone.classifier
    return FeatureSequence(
      video.name,
      features,
      Times(frames, np.array(seconds)),
      files=(video.video,),
      kind=self._extractor.kind,
      fps=end.frame_rate or None,
      looks=classifier.likely(features) if classifier else (),
      spent=end.spent._asdict(),
    )
