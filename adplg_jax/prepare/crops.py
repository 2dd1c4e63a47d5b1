"""From feature files to the crops of each video."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from adplg_jax.prepare.axes import Shape, find_swapped
from adplg_jax.prepare.feature_files import (
  FeatureFileError,
  Header,
  read_header,
)
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.reading import read_ahead
from adplg_jax.prepare.videos import FileCrop, Video

Rows = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Part:
  """A feature file, or some rows of one, that belongs to a video.

  Attributes:
    video: The video; files of other videos may be compared with its files.
    path: The file.
    crop: Which crop it holds; None for the next one, or for all that it has.
    rows: The rows of the file that are the video's, None for all.
    stream: Files of different streams are joined by channel.
    split: Shapes are compared within a split, and a stream of it.
    audio: Audio of the same video, to be joined to each crop.
  """

  video: str
  path: Path
  crop: int | None = None
  rows: Rows | None = None
  stream: str = ""
  split: str = ""
  audio: Path | None = None

  def described(self) -> str:
    """The file, with its rows where these are some."""
    rows = "" if self.rows is None else f" rows {self.rows[0]}-{self.rows[1]}"
    return f"{self.path}{rows}"


def make_crops(
  parts: Sequence[Part],
  findings: Findings,
  *,
  crops: int | None = None,
  width: int | None = None,
) -> dict[str, tuple[FileCrop, ...]]:
  """Reads the headers of all files and makes each video's crops.

  Args:
    parts: The files of all videos.
    findings: Gathers files that cannot be used.
    crops: C where it is known.
    width: D of the files where it is known.

  Returns:
    Crops by video, in order; () for a video without a usable file.
  """
  headers = _read_headers(parts, findings)
  swapped: dict[Path, str] = {}
  shapes: dict[tuple[str, str], dict[Path, Shape]] = defaultdict(dict)
  for part in parts:
    if part.rows is None and part.path in headers:
      shape = headers[part.path].shape
      shapes[part.split, part.stream][part.path] = shape
  for own in shapes.values():
    swapped |= find_swapped(own, crops=crops, width=width)
  streams = list(dict.fromkeys(part.stream for part in parts))
  by_video: dict[str, list[Part]] = defaultdict(list)
  bad = set()
  for part in parts:
    by_video[part.video].append(part)
    if part.path in swapped:
      findings.add("wrong-axes", part.path, swapped[part.path], part.video)
      bad.add(part.video)
    elif part.path not in headers:
      bad.add(part.video)
  return {
    video: ()
    if video in bad
    else _crops(video, own, streams, headers, findings)
    for video, own in by_video.items()
  }


def _read_headers(
  parts: Sequence[Part], findings: Findings
) -> dict[Path, Header]:
  """The headers of all files that have one; finds the others."""
  videos = {part.path: part.video for part in parts}

  def read(path: Path) -> Header | FeatureFileError:
    try:
      return read_header(path)
    except FeatureFileError as error:
      return error

  results = tqdm(
    read_ahead(videos, read, lambda path: 0),
    total=len(videos),
    desc="opening",
    unit="file",
    mininterval=0.5,
  )
  headers = {}
  for (path, video), result in zip(videos.items(), results, strict=True):
    if isinstance(result, Header):
      headers[path] = result
    else:
      findings.add(result.kind, result.path, result.detail, video)
  return headers


def _crops(
  video: str,
  parts: Sequence[Part],
  names: Sequence[str],
  headers: Mapping[Path, Header],
  findings: Findings,
) -> tuple[FileCrop, ...]:
  """A video's crops, its streams joined in the order of `names`."""
  streams: dict[str, dict[int, FileCrop]] = {name: {} for name in names}
  for part in parts:
    own = streams[part.stream]
    shape = headers[part.path].shape
    columns = range(shape[1]) if len(shape) == 3 else [None]
    for column in columns:
      index = len(own)
      if part.crop is not None:
        index = part.crop + (column or 0)
      if index in own:
        findings.add(
          "surplus-crops",
          part.path,
          f"crop {index} of {video} is at {own[index].path}, too; remove one.",
          video,
        )
      own[index] = FileCrop(
        index, part.path, column, part.rows, audio=part.audio
      )
  lacking = [repr(name) for name in names if not streams[name]]
  if lacking:
    findings.add(
      "missing-file",
      video,
      f"has no file of stream {', '.join(lacking)}; other videos have the "
      f"streams {', '.join(map(repr, names))}, and all need the same.",
      video,
    )
    return ()
  first, *others = streams.values()
  for stream, own in zip(list(streams)[1:], others, strict=True):
    if own.keys() != first.keys():
      findings.add(
        "missing-crops",
        video,
        f"stream {stream!r} has crops {_listed(own)}, stream "
        f"{next(iter(streams))!r} has {_listed(first)}; all streams of a video "
        "need the same crops.",
        video,
      )
      return ()
  return tuple(
    dataclasses.replace(
      first[index], joined=tuple(own[index] for own in others)
    )
    for index in sorted(first)
  )


def check_counts(
  videos: Sequence[Video],
  findings: Findings,
  *,
  crops: int | None = None,
  test_crop: int | None = None,
) -> None:
  """Finds videos that lack crops, or have more than the others.

  Args:
    videos: The videos; those without any crop are left out.
    findings: Gathers them; videos it knows already are left out, too.
    crops: Crops that a video must have; None for as many as most of its split.
    test_crop: The only crop that a test video must have, if one is enough.
  """
  usual = {} if crops is not None else _usual(videos)
  known = {item.video for item in findings.items}
  for video in videos:
    if not video.crops or video.name in known:
      continue
    own = {crop.index for crop in video.crops}
    needed = set(range(crops)) if crops is not None else usual[video.split]
    expected = (
      f"a video has crops {_listed(needed)} here. Other features are prepared "
      "under a name of your own (docs/datasets.md)."
    )
    if crops is None:
      expected = f"most videos have crops {_listed(needed)}; all need the same."
    surplus = own - needed
    if video.split == "test" and test_crop is not None:
      needed = {test_crop}
    for kind, odd, what in (
      ("missing-crops", needed - own, "lacks"),
      ("surplus-crops", surplus, "also has"),
    ):
      if odd:
        findings.add(
          kind,
          video.name,
          f"{what} crops {_listed(odd)} ({video.split}); {expected}",
          video.name,
        )


def _usual(videos: Sequence[Video]) -> dict[str, set[int]]:
  """The crops that most videos of each split have."""
  counts: dict[str, Counter[frozenset[int]]] = defaultdict(Counter)
  for video in videos:
    if video.crops:
      counts[video.split][frozenset(crop.index for crop in video.crops)] += 1
  return {
    split: set(max(own, key=lambda crops: (own[crops], len(crops))))
    for split, own in counts.items()
  }


def _listed(crops: Collection[int]) -> str:
  """Numbers in order, as in "0 to 9" or "3, 7"."""
  first, last = min(crops), max(crops)
  if len(crops) > 2 and last - first + 1 == len(crops):
    return f"{first} to {last}"
  return ", ".join(map(str, sorted(crops)))
