"""Spans of anomalous frames for feature files that came without labels.

Any annotations that a data set is prepared with will do: rows of one of the
published data sets, a folder of frame masks, or lines `VIDEO start-end ...`; or
a manifest that lists the files.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from adplg_jax.data.frames import mask_to_spans
from adplg_jax.prepare.annotation import (
  SpanAnnotations,
  fit_mask,
  read_masks,
)
from adplg_jax.prepare.annotation_rows import Annotation, make_span
from adplg_jax.prepare.checking import check_frames
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.naming import FileNameError, FileNaming
from adplg_jax.prepare.official import OfficialSource
from adplg_jax.prepare.own_folders import SPANS_LINE
from adplg_jax.prepare.registry import SOURCES
from adplg_jax.prepare.scan import Rules
from adplg_jax.prepare.text_files import read_text
from adplg_jax.prepare.videos import ANOMALOUS, NORMAL, FileCrop, Video


@dataclasses.dataclass(frozen=True)
class KnownSpans:
  """What annotations say of videos.

  Attributes:
    rows: By the video's name, with or without its folders.
    masks: Frame masks, likewise.
    naming: How the annotated videos are named, if their names tell labels.
    exact: Whether spans are half-open whatever is said of their ends.
    others_normal: Whether videos that are not annotated are normal.
  """

  rows: Mapping[str, Annotation] = dataclasses.field(default_factory=dict)
  masks: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  naming: FileNaming | None = None
  exact: bool = False
  others_normal: bool = False

  def annotate(
    self, video: Video, findings: Findings, ambiguous: frozenset[str]
  ) -> Video | None:
    """A video with its label and spans.

    Args:
      video: The video, its snippets known.
      findings: Gathers annotations that do not fit.
      ambiguous: Last parts of names that several videos share.

    Returns:
      The video; None where nothing is known of it.
    """
    found = [self.rows, self.masks][bool(self.masks)]
    names = [video.name]
    last = video.name.rpartition("/")[2]
    if last not in ambiguous:
      names += [last, f"{last}_x264"]
    elif last in found and video.name not in found:
      findings.add(
        "no-annotation",
        video.name,
        f"several videos are named {last}, and the annotations do not tell "
        f"which is meant; write {video.name} there, or score one of them.",
        video.name,
      )
      return None
    name = next((name for name in names if name in found), None)
    label, category = self._told(last)
    if name is None:
      if label is None:
        return _labelled(video, 0, NORMAL, ()) if self.others_normal else None
      return _labelled(video, label, category, None if label else ())
    if self.masks:
      mask = self.masks[name]
      spans = mask_to_spans(fit_mask(mask, video.total_frames))
      return _labelled(video, int(bool(spans)), ANOMALOUS, spans, exact=True)
    row = self.rows[name]
    if row.spans is None:
      return None
    if label and not row.spans:
      return _labelled(video, label, category, None)
    annotated = _labelled(
      dataclasses.replace(video, annotated_frames=row.frames),
      int(bool(row.spans)),
      category or row.category or ANOMALOUS,
      row.spans,
      exact=self.exact,
    )
    return _checked(annotated, findings)

  def _told(self, name: str) -> tuple[int | None, str]:
    """Label and class that a name tells, None and "" where it tells none."""
    if self.naming is None:
      return None, ""
    try:
      told = self.naming.parse_name(Path(name))
    except FileNameError:
      return None, ""
    return told.label, told.category


def _labelled(
  video: Video,
  label: int,
  category: str,
  spans: tuple[tuple[int, int], ...] | None,
  *,
  exact: bool = False,
) -> Video:
  return dataclasses.replace(
    video,
    label=label,
    category=category if label else NORMAL,
    spans=spans,
    exact_spans=exact,
  )


def _checked(video: Video, findings: Findings) -> Video | None:
  """The video, or None where its annotation does not fit its snippets."""
  own = Findings()
  check_frames(video, own, Rules())
  for item in own.items:
    findings.add(item.kind, item.where, item.detail, item.video)
  return None if own.items else video


def shared_names(names: Sequence[str]) -> frozenset[str]:
  """Last parts of names that several videos share."""
  counts = Counter(name.rpartition("/")[2] for name in names)
  return frozenset(name for name, count in counts.items() if count > 1)


def read_known_spans(
  path: Path, findings: Findings, *, first: str = "", span_ends: str
) -> KnownSpans:
  """Reads annotations of any kind that a data set is prepared with.

  Args:
    path: A text file, or a folder of frame masks NAME.npy.
    findings: Gathers what is wrong with single rows or masks.
    first: The data set whose rows are tried first.
    span_ends: Whether the spans of rows end "exclusive" or "inclusive".

  Returns:
    What they say.

  Raises:
    PreparationError: They cannot be read, or have no known form.
  """
  if path.is_dir():
    return KnownSpans(
      masks=read_masks(path, findings), exact=True, others_normal=True
    )
  forms = []
  for source in sorted(SOURCES.values(), key=lambda s: s.name != first):
    if not isinstance(source, OfficialSource):
      continue
    own = Findings()
    try:
      read = source.read_annotations(path, own, span_ends)
    except PreparationError:
      read_text(path)
      continue
    if not isinstance(read, SpanAnnotations):
      continue
    if read.rows.complete and read.rows.videos:
      for item in own.items:
        findings.add(item.kind, item.where, item.detail, item.video)
      return KnownSpans(
        rows=read.rows.videos, naming=source, exact=read.rows.exact
      )
    forms += [item.detail for item in own.items][:1]
  return _read_lines(path, findings, span_ends, forms)


def _read_lines(
  path: Path, findings: Findings, span_ends: str, forms: Sequence[str]
) -> KnownSpans:
  """Lines `VIDEO start-end start-end ...`."""
  rows: dict[str, Annotation] = {}
  for number, line in enumerate(read_text(path).splitlines(), 1):
    line = line.strip()
    if not line or (number == 1 and not re.search(r"\d", line)):
      continue
    match = SPANS_LINE.fullmatch(line)
    if match is None:
      raise PreparationError(
        f"{path}:{number}: {line!r} has no form of annotations that is known: "
        f"VIDEO start-end start-end ...; {' '.join(forms)}"
      )
    name = re.sub(r"\.\w+$", "", match["video"])
    known = rows.get(name, Annotation(name, ()))
    try:
      spans = tuple(
        make_span(int(start), int(end), span_ends)
        for start, end in re.findall(r"(\d+)-(\d+)", match["spans"])
      )
    except ValueError as error:
      findings.add("bad-span", f"{path}:{number}", f"{name}: {error}.", name)
      rows[name] = dataclasses.replace(known, spans=None)
      continue
    if known.spans is not None:
      rows[name] = dataclasses.replace(known, spans=known.spans + spans)
  if not rows:
    raise PreparationError(f"{path}: has no line of annotations.")
  return KnownSpans(
    rows=rows, exact=span_ends == "inclusive", others_normal=True
  )


def by_file(videos: Sequence[Video]) -> dict[Path, Video]:
  """The videos of a manifest by each of their files."""
  found = {}
  for video in videos:
    for crop in video.crops:
      if isinstance(crop, FileCrop):
        for part in (crop, *crop.joined):
          found[part.path.resolve()] = video
  return found
