"""Annotations of test videos: rows of spans, or frame masks.

Each data set's module in `sources/` parses the form its own files have; here is
what the forms have in common. Source: docs/method.md, section 6.
"""

import abc
import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from adplg_jax.data.frames import Span, mask_to_spans
from adplg_jax.prepare.feature_files import FeatureFileError, read_flags
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.videos import Video


@dataclasses.dataclass(frozen=True)
class Annotation:
  """What an annotation file says of a video.

  Attributes:
    name: Name of the video, without folders and endings.
    spans: Half-open spans of anomalous frames.
    frames: Number of frames, if the file has it.
    category: Class, if the file has it.
  """

  name: str
  spans: tuple[Span, ...]
  frames: int | None = None
  category: str | None = None


class Annotations(abc.ABC):
  """What annotation files say of all test videos."""

  @property
  @abc.abstractmethod
  def test_videos(self) -> Collection[str]:
    """Names known to be test videos; empty where the files do not name all."""

  @abc.abstractmethod
  def annotate(
    self,
    videos: Sequence[Video],
    findings: Findings,
    left_out: Collection[str] = (),
  ) -> list[Video]:
    """Gives test videos their spans.

    Args:
      videos: All videos, their snippets known.
      findings: Gathers annotations and videos that do not fit.
      left_out: Videos that have feature files, but are not in the lists.

    Returns:
      The videos.
    """


@dataclasses.dataclass(frozen=True)
class SpanAnnotations(Annotations):
  """Rows of spans.

  Attributes:
    rows: By the video's name.
    normal_rows: Whether normal test videos have a row too.
  """

  rows: Mapping[str, Annotation]
  normal_rows: bool

  @property
  def test_videos(self) -> Collection[str]:
    """See Annotations."""
    return self.rows.keys() if self.normal_rows else ()

  def annotate(
    self,
    videos: Sequence[Video],
    findings: Findings,
    left_out: Collection[str] = (),
  ) -> list[Video]:
    """See Annotations."""
    annotated = [
      _annotate(video, self.rows.get(video.name), findings, self.normal_rows)
      if video.split == "test"
      else video
      for video in videos
    ]
    _find_surplus(videos, self.rows, findings, left_out)
    return annotated


def _annotate(
  video: Video,
  row: Annotation | None,
  findings: Findings,
  normal_rows: bool,
) -> Video:
  spans = row.spans if row else ()
  if (row is None and (video.label or normal_rows)) or (
    video.label and not spans
  ):
    findings.add(
      "no-annotation",
      video.name,
      f"a test video of class {video.category} without "
      f"{'a span' if row else 'a row'} in the annotations; use the complete "
      "file.",
      video.name,
    )
    return dataclasses.replace(video, spans=None if video.label else ())
  if spans and not video.label:
    findings.add(
      "bad-span",
      video.name,
      "normal by its name, but annotated with spans; correct either.",
      video.name,
    )
  if row and row.category not in (None, video.category):
    findings.add(
      "list-label",
      video.name,
      f"class {row.category} in the annotations, {video.category} by its name; "
      "correct either.",
      video.name,
    )
  frames = row.frames if row else None
  return dataclasses.replace(video, spans=spans, annotated_frames=frames)


def _find_surplus(
  videos: Sequence[Video],
  names: Mapping[str, object],
  findings: Findings,
  left_out: Collection[str],
) -> None:
  splits = {video.name: video.split for video in videos}
  unreadable = {item.video for item in findings.items} - set(splits)
  for name in names:
    split = splits.get(name)
    if split != "test" and name not in unreadable:
      if split:
        where = "is a training video here"
      elif name in left_out:
        where = "is not in the list"
      else:
        where = "has no feature file"
      findings.add(
        "no-video",
        name,
        f"is annotated, but {where}; extract it, or use the official split.",
        name,
      )


@dataclasses.dataclass(frozen=True)
class MaskAnnotations(Annotations):
  """A mask with one 0 or 1 per frame for each anomalous test video.

  Masks of training videos are left alone: the weakly supervised split trains
  on part of the official test videos.

  Attributes:
    masks: By the video's name.
  """

  masks: Mapping[str, np.ndarray]

  @property
  def test_videos(self) -> Collection[str]:
    """See Annotations."""
    return ()

  def annotate(
    self,
    videos: Sequence[Video],
    findings: Findings,
    left_out: Collection[str] = (),
  ) -> list[Video]:
    """See Annotations."""
    training = {video.name for video in videos if video.split == "train"}
    for _ in training & set(self.masks):
      findings.note("masks of training videos, not used")
    masks = {k: v for k, v in self.masks.items() if k not in training}
    annotated = [
      _with_mask(video, masks.get(video.name), findings)
      if video.split == "test"
      else video
      for video in videos
    ]
    _find_surplus(videos, masks, findings, left_out)
    return annotated


def _with_mask(
  video: Video, mask: np.ndarray | None, findings: Findings
) -> Video:
  """A test video with the spans of its mask; its name tells its label."""
  if mask is None:
    if video.label:
      findings.add(
        "no-annotation",
        video.name,
        "an anomalous video by its name, without a mask; use all masks.",
        video.name,
      )
    return dataclasses.replace(video, spans=None if video.label else ())
  if mask.any() != bool(video.label):
    findings.add(
      "list-label",
      video.name,
      f"{int(mask.sum())} anomalous frames in its mask, but class "
      f"{video.category} by its name; correct either.",
      video.name,
    )
  spans = mask_to_spans(fit_mask(mask, video.total_frames))
  return dataclasses.replace(video, spans=spans, annotated_frames=len(mask))


def read_masks(folder: Path, findings: Findings) -> dict[str, np.ndarray]:
  """Reads frame masks NAME.npy.

  Args:
    folder: Their folder.
    findings: Gathers files that are no 0/1 masks.

  Returns:
    Masks by the video's name.

  Raises:
    PreparationError: There are none.
  """
  paths = sorted(folder.glob("*.npy")) if folder.is_dir() else []
  if not paths:
    raise PreparationError(
      f"{folder}: no mask found; --annotations must name the folder with the "
      "frame masks NAME.npy of the test videos."
    )
  masks = {}
  for path in paths:
    try:
      masks[path.stem] = read_flags(path)
    except FeatureFileError as error:
      findings.add("unreadable", path, error.detail, path.stem)
  return masks


def fit_mask(mask: np.ndarray, frames: int) -> np.ndarray:
  """Cuts a mask, or extends it with its last value, to a number of frames."""
  return mask[np.minimum(np.arange(frames), len(mask) - 1)]


def make_span(start: int, end: int) -> Span:
  """Checks a span.

  Raises:
    ValueError: It is empty, reversed or begins before the video.
  """
  if start < 0 or end <= start:
    raise ValueError(
      f"span {start}-{end}: start must be 0 or more, end beyond it"
    )
  return start, end


def parse_spans(text: str, span_ends: str = "exclusive") -> tuple[Span, ...]:
  """Parses "start-end" spans separated by blanks, ends exclusive.

  Raises:
    ValueError: A word is no span.
  """
  spans = []
  for word in text.split():
    match = re.fullmatch(r"(\d+)-(\d+)", word)
    if match is None:
      raise ValueError(
        f'{word!r} is no span; write "start-end", blanks between spans'
      )
    spans.append(make_span(int(match[1]), int(match[2])))
  return tuple(spans)


def bare_name(path: str) -> str:
  """A video's name without folders and the ending .mp4 or .avi."""
  return re.sub(r"\.(mp4|avi)$", "", re.split(r"[/\\]", path)[-1].strip())


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
  """Lines that are not empty, each with its place.

  Raises:
    PreparationError: No text can be read there.
  """
  try:
    text = path.read_text(encoding="utf-8-sig")
  except (OSError, UnicodeDecodeError) as error:
    raise PreparationError(
      f"{path}: cannot be read as text: {error}; --annotations must name the "
      "official annotation file."
    ) from error
  for number, line in enumerate(text.splitlines(), 1):
    if line.strip():
      yield f"{path}:{number}", line.strip()


def add_row(
  annotations: dict[str, Annotation],
  where: str,
  name: str,
  numbers: Sequence[int],
  findings: Findings,
  *,
  frames: int | None = None,
  category: str | None = None,
) -> None:
  """Adds a row; a pair of -1 is no span."""
  name = bare_name(name)
  if name in annotations:
    findings.add("manifest", where, f"{name} is annotated twice; keep one row.")
    return
  pairs = zip(numbers[::2], numbers[1::2], strict=True)
  try:
    spans = tuple(make_span(*pair) for pair in pairs if pair != (-1, -1))
  except ValueError as error:
    findings.add("bad-span", where, f"{name}: {error}.", name)
    return
  annotations[name] = Annotation(name, spans, frames, category)
