"""Feature files as a source of videos to be scored."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from adplg_jax.prepare import registry
from adplg_jax.prepare.feature_files import FeatureFileError
from adplg_jax.prepare.feature_kinds import kind_of, known_sidecar
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.known_spans import (
  by_file,
  read_known_spans,
  shared_names,
)
from adplg_jax.prepare.manifest import read_manifest
from adplg_jax.prepare.official import OfficialSource
from adplg_jax.prepare.reading import read_ahead
from adplg_jax.prepare.unlabelled import Known, find_unlabelled
from adplg_jax.prepare.videos import FileCrop, Video
from adplg_jax.run.load_model import TrainedModel
from adplg_jax.scoring.sequence import (
  Failure,
  FeatureSequence,
  Times,
  Truth,
  noted_times,
  regular_times,
)

# Adds what is known to a video whose snippets are known.
_Annotate = Callable[[Video, Findings], Video | None]


@dataclasses.dataclass(frozen=True)
class Inputs:
  """What is to be scored, and what is known of it.

  Attributes:
    features: Feature files, and folders of them.
    manifest: A manifest: its test videos are scored, or, with `features`, its
      labels and spans are those of the files.
    annotations: Annotations of the videos.
    span_ends: Whether spans end "exclusive" or "inclusive".
    fps: Frames in a second.
    frames_per_snippet: Frames from one snippet's start to the next one's, None
      for what the model's data set says, or else 16.
    kind: What made the features, where no sidecar says so; "" for not known.
  """

  features: tuple[Path, ...] = ()
  manifest: Path | None = None
  annotations: Path | None = None
  span_ends: str = "exclusive"
  fps: float | None = None
  frames_per_snippet: int | None = None
  kind: str = ""


class FeatureFiles:
  """Videos in feature files; see `scoring.sequence.Source`."""

  def __init__(self, inputs: Inputs, model: TrainedModel | None = None):
    """Finds the files, and reads what is known of them.

    Args:
      inputs: The files.
      model: The model that is to score them, None for none.

    Raises:
      PreparationError: The annotations cannot be read.
    """
    self._inputs = inputs
    self.findings = Findings()
    self._annotate: _Annotate = lambda video, findings: None
    listed: list[Video] = []
    if inputs.manifest is not None:
      listed = self._listed(inputs.manifest)
    if inputs.features:
      step, window = _steps(inputs, model)
      self._videos = find_unlabelled(
        inputs.features,
        self.findings,
        _known(model),
        frames_per_snippet=step,
        window=window,
      )
      if listed:
        self._annotate = _from_manifest(listed)
    else:
      self._videos = [video for video in listed if video.split == "test"]
      self._annotate = lambda video, findings: video
    if inputs.annotations is not None:
      spans = read_known_spans(
        inputs.annotations,
        self.findings,
        first=model.config.data.builder if model else "",
        span_ends=inputs.span_ends,
      )
      shared = shared_names([video.name for video in self._videos])
      self._annotate = lambda video, findings: spans.annotate(
        video, findings, shared
      )

  def _listed(self, manifest: Path) -> list[Video]:
    """The videos of a manifest that can be used."""
    own = Findings()
    videos = read_manifest(manifest, own, span_ends=self._inputs.span_ends)
    training = {video.name for video in videos if video.split == "train"}
    for item in own.items:
      if item.video not in training:
        self.findings.add(item.kind, item.where, item.detail, item.video)
    bad = {item.video for item in own.items}
    return [v for v in videos if v.crops and v.name not in bad]

  def __len__(self) -> int:
    return len(self._videos)

  def __iter__(self) -> Iterator[FeatureSequence | Failure]:
    yield from _failures(self.findings)
    for items in read_ahead(
      self._videos,
      self._read,
      lambda video: 2 * sum(crop.size() for crop in video.crops),
    ):
      yield from items

  def _read(self, video: Video) -> list[FeatureSequence | Failure]:
    """A video, and what is wrong with it or with its annotation."""
    try:
      features = _read_crops(video)
    except FeatureFileError as error:
      return [Failure(str(error.path), error.detail)]
    except OSError as error:
      where = str(error.filename or video.crops[0].where())
      return [Failure(where, f"cannot be read: {error.strerror or error}.")]
    findings, snippets = Findings(), features.shape[1]
    video = dataclasses.replace(video, snippets=snippets)
    annotated = self._annotate(video, findings)
    known = annotated or video
    times, fps = self._times(known, snippets)
    sequence = FeatureSequence(
      video.name,
      features,
      times,
      files=tuple(dict.fromkeys(crop.where() for crop in video.crops)),
      kind=kind_of(video) or self._inputs.kind,
      fps=fps,
      truth=annotated and _truth(annotated),
    )
    return [*_failures(findings), sequence]

  def notes(self) -> list[str]:
    """What was seen of the files, in lines."""
    return self.findings.note_lines()

  def _times(self, video: Video, snippets: int) -> tuple[Times, float | None]:
    """Times of a video's snippets, and its frames in a second, if known.

    Seconds are those of the sidecar, unless a frame rate is given.
    """
    times = regular_times(
      snippets,
      video.frames_per_snippet,
      window=video.window,
      frames=video.total_frames,
      fps=self._inputs.fps,
    )
    sidecar = known_sidecar(Path(video.crops[0].where()))
    if (
      sidecar is None
      or self._inputs.fps is not None
      or len(sidecar.seconds) != snippets
    ):
      return times, self._inputs.fps
    seconds = noted_times(sidecar).seconds
    return dataclasses.replace(times, seconds=seconds), sidecar.frame_rate


def _failures(findings: Findings) -> list[Failure]:
  return [Failure(item.where, item.detail) for item in findings.items]


def _steps(
  inputs: Inputs, model: TrainedModel | None
) -> tuple[int, int | None]:
  """Frames from one snippet's start to the next one's, and of each."""
  if inputs.frames_per_snippet is not None or model is None:
    return inputs.frames_per_snippet or 16, None
  return model.frames_per_snippet or 16, model.window or None


def _known(model: TrainedModel | None) -> Known:
  """What the data set of a model tells of other files."""
  if model is None:
    return Known()
  data = model.config.data
  source = registry.SOURCES.get(data.builder)
  if not isinstance(source, OfficialSource):
    return Known(width=model.feature_width)
  return Known(source, source.layout(data.variant), model.feature_width)


def _from_manifest(listed: Sequence[Video]) -> _Annotate:
  """Takes what a manifest says of a video's files."""
  videos = by_file(listed)

  def annotate(video: Video, findings: Findings) -> Video | None:
    del findings
    paths = [c.path.resolve() for c in video.crops if isinstance(c, FileCrop)]
    known = next((videos[path] for path in paths if path in videos), None)
    return known and dataclasses.replace(
      known, name=video.name, snippets=video.snippets
    )

  return annotate


def _truth(video: Video) -> Truth:
  return Truth(
    video.label,
    video.category,
    None if video.spans is None else video.scored_spans,
    video.exact_spans,
  )


def _read_crops(video: Video) -> np.ndarray:
  """All crops of a video, [C, T, D].

  Raises:
    FeatureFileError: One cannot be read, or is of another shape.
  """
  crops = [crop.read() for crop in video.crops]
  for crop, array in zip(video.crops, crops, strict=True):
    if array.shape != crops[0].shape:
      raise FeatureFileError(
        Path(crop.where()),
        "crop-length",
        f"{len(array)} snippets of {array.shape[1]} channels, but the video's "
        f"first crop, {video.crops[0].where()}, has {len(crops[0])} of "
        f"{crops[0].shape[1]}; extract this video again.",
      )
  return np.stack(crops)
