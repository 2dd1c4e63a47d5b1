"""From videos to files of features."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from adplg_jax.data.sidecar import Sidecar
from adplg_jax.extract.outputs import FeatureWriter, is_done
from adplg_jax.extract.progress import Progress
from adplg_jax.extract.videos import NamedVideo
from adplg_jax.video.decode import header_seconds
from adplg_jax.video.extraction import Ended, Extractor, Snippet
from adplg_jax.video.profiles import SNIPPET_FRAMES


class Extracted(NamedTuple):
  """What came of an extraction.

  Attributes:
    written: Videos whose features were written.
    there: Videos whose features were there already.
    failures: Why the others have none, in words.
    seconds: Of video, written.
    speed: Seconds of video in a second.
  """

  written: int
  there: int
  failures: tuple[str, ...]
  seconds: float
  speed: float


def extract(
  videos: Sequence[NamedVideo], folder: Path, extractor: Extractor
) -> Extracted:
  """Writes NAME.npy and NAME.json of each video that has none yet.

  Args:
    videos: The videos.
    folder: Where.
    extractor: What makes the features.

  Returns:
    What came of it. Videos that cannot be used are printed and counted.

  Raises:
    OutputError: Other features are there already.
    OSError: They cannot be written.
  """
  described = {video.video: _described(video, extractor) for video in videos}
  paths = {video.video: folder / f"{video.name}.npy" for video in videos}
  wanted = [
    video
    for video in videos
    if not is_done(paths[video.video], described[video.video])
  ]
  failures = []
  with contextlib.closing(Progress(wanted)) as progress:
    stream = extractor.stream([video.video for video in wanted])
    with contextlib.closing(stream):  # pyright: ignore
      for video in wanted:
        end = _write(
          video, stream, paths[video.video], described[video.video], progress
        )
        for warning in end.warnings:
          progress.write(f"note: {end.video}: {warning}")
        if end.error:
          progress.write(f"error: {end.error}")
          failures.append(end.error)
    return Extracted(
      len(wanted) - len(failures),
      len(videos) - len(wanted),
      tuple(failures),
      progress.seconds,
      progress.speed,
    )


def _described(video: NamedVideo, extractor: Extractor) -> Sidecar:
  """What is known of features before they are made."""
  return Sidecar(
    kind=extractor.kind,
    profile=extractor.profile.name,
    weights=extractor.backbone.sha256,
    crops=extractor.crops,
    fps=extractor.fps,
    video=video.video,
    size=video.size,
    frame_rate=0.0,
    frames=0,
    frames_decoded=0,
    frames_per_snippet=SNIPPET_FRAMES,
    seconds=(),
  )


def _write(
  video: NamedVideo,
  stream: Iterator[Snippet | Ended],
  path: Path,
  described: Sidecar,
  progress: Progress,
) -> Ended:
  """Writes the features of the next video of a stream."""
  progress.start(video.name, header_seconds(video.video))
  times: list[tuple[float, float]] = []
  with contextlib.closing(FeatureWriter(path)) as writer:
    for item in stream:
      if isinstance(item, Ended):
        if not item.error:
          writer.finish(_finished(described, item, times))
        progress.end(video.video, times[-1][1] if times else 0.0)
        return item
      writer.add(item.features)
      times.append((item.start, item.end))
      progress.at(video.video, item.end)
  raise RuntimeError(f"{video.video}: the stream ended before it did.")


def _finished(
  described: Sidecar, end: Ended, times: list[tuple[float, float]]
) -> Sidecar:
  """The sidecar of features that are whole."""
  return dataclasses.replace(
    described,
    frame_rate=end.frame_rate,
    frames=end.taken,
    frames_decoded=end.decoded,
    seconds=tuple(times),
    warnings=end.warnings,
  )
