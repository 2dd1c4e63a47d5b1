"""Reads every file of a data set once and checks its contents."""

import dataclasses
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from adplg_jax.prepare.feature_files import FeatureFileError
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.reading import read_ahead
from adplg_jax.prepare.scale import Moments, Scale, measure
from adplg_jax.prepare.videos import Crop, Video

FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclasses.dataclass(frozen=True)
class Rules:
  """What is required of a data set's files.

  Attributes:
    feature_width: D, None for the width that most files have.
    zero_rows: Whether rows of zeros are allowed.
    visual_width: Channels in which zero rows are looked for, None for all.
    span_slack: Snippets that a span may end past its video.
    frame_slack: Snippets that annotated frames may be off.
    frames_cure: What to do where they are off by more.
  """

  feature_width: int | None = None
  zero_rows: bool = False
  visual_width: int | None = None
  span_slack: int = 2
  frame_slack: int = 2
  frames_cure: str = "Correct the annotation, or extract the video again."


@dataclasses.dataclass(frozen=True)
class _Read:
  """What reading a crop showed; a video is known by split and name."""

  video: tuple[str, str]
  where: str
  shape: tuple[int, int] | None = None
  adjustment: str = ""
  zero_rows: int = 0
  dead: bool = False
  largest: float = 0.0
  checksum: int = 0
  error: FeatureFileError | None = None


def scan(
  videos: Sequence[Video],
  findings: Findings,
  rules: Rules,
  dtype: str,
  scale: Scale | None = None,
) -> tuple[list[Video], int]:
  """Reads all crops, adds what is wrong with them to the findings.

  Args:
    videos: The videos.
    findings: Gathers what is wrong.
    rules: What is required.
    dtype: Type the features are to be written in.
    scale: If given, gathers the moments of the training crops, of those with
      findings too.

  Returns:
    The videos with their snippets and checksums, those without a readable crop
    left out; the feature width.
  """
  pairs = [(video, crop) for video in videos for crop in video.crops]
  results = tqdm(
    read_ahead(
      pairs,
      lambda pair: _read(*pair, visual_width=rules.visual_width),
      lambda pair: 2 * pair[1].size(),
    ),
    total=len(pairs),
    desc="checking",
    unit="file",
    mininterval=0.5,
  )
  reads: dict[tuple[str, str], list[_Read]] = defaultdict(list)
  for result, moments in results:
    reads[result.video].append(result)
    if scale is not None and moments is not None:
      scale.add(moments)
  width = rules.feature_width or _common_width(reads)
  for own in reads.values():
    for read in own:
      _check_crop(read, width, rules, dtype, findings)
  _find_copies(videos, reads, findings)
  _find_dead(videos, reads, findings)
  scanned = []
  for video in videos:
    own = reads[video.split, video.name]
    lengths = [(read.shape[0], read.where) for read in own if read.shape]
    if not lengths:
      continue
    _check_lengths(video.name, lengths, findings)
    for text in {read.adjustment for read in own} - {""}:
      findings.note(text)
    scanned.append(
      dataclasses.replace(
        video,
        snippets=lengths[0][0],
        checksum=zlib.crc32(np.array([read.checksum for read in own]).data),
      )
    )
  return scanned, width


def _read(
  video: Video, crop: Crop, visual_width: int | None
) -> tuple[_Read, Moments | None]:
  """What a crop shows, and its moments if it is one of training."""
  key = video.split, video.name
  try:
    array = crop.read()
  except FeatureFileError as error:
    return _Read(key, crop.where(), error=error), None
  zeros = ~array[:, :visual_width].any(axis=1)
  # Finite float16 values cannot be too large, and to compare them is slow.
  largest = 0.0
  if array.dtype != np.float16:
    largest = max(float(array.max()), -float(array.min()))
  read = _Read(
    key,
    crop.where(),
    (array.shape[0], array.shape[1]),
    crop.adjustment(),
    int(zeros.sum()),
    _dead(array),
    largest,
    zlib.crc32(np.ascontiguousarray(array).data),
  )
  return read, measure(array) if video.split == "train" else None


def _dead(array: np.ndarray) -> bool:
  """Whether all snippets are the same, or all zero."""
  first, last = array[0], array[-1]
  if len(array) == 1:
    return not first.any()
  return bool((first == last).all() and (array == first).all())


def _common_width(reads: dict[tuple[str, str], list[_Read]]) -> int:
  widths = Counter(r.shape[1] for own in reads.values() for r in own if r.shape)
  return widths.most_common(1)[0][0] if widths else 0


def _check_crop(
  read: _Read, width: int, rules: Rules, dtype: str, findings: Findings
) -> None:
  if read.error is not None or read.shape is None:
    error = read.error
    if error is not None:
      findings.add(error.kind, error.path, error.detail, read.video[1])
    return
  if read.shape[1] != width:
    whose, cure = "most files have", "Extract this video again."
    if rules.feature_width:
      whose = "this data set's is"
      cure = (
        "Extract this video again; other features are prepared under a name "
        "of your own (docs/datasets.md)."
      )
    findings.add(
      "wrong-width",
      read.where,
      f"feature width is {read.shape[1]}; {whose} {width}. {cure}",
      read.video[1],
    )
  if read.zero_rows and not rules.zero_rows:
    findings.add(
      "zero-rows",
      read.where,
      f"{read.zero_rows} of {read.shape[0]} rows are all zero; extract this "
      "video again.",
      read.video[1],
    )
  if dtype == "float16" and read.largest > FLOAT16_MAX:
    findings.add(
      "not-finite",
      read.where,
      f"its largest value, {read.largest:g}, is infinite as float16; use "
      "--dtype float32.",
      read.video[1],
    )


def _find_dead(
  videos: Sequence[Video],
  reads: Mapping[tuple[str, str], Sequence[_Read]],
  findings: Findings,
) -> None:
  """Counts videos whose features say nothing; finds a data set of them."""
  dead = {
    key: own[0].where
    for key, own in reads.items()
    if any(read.dead for read in own)
  }
  if not dead:
    return
  text = "videos have the same features in every snippet"
  findings.note(f"{text}, as {next(iter(dead))[1]}", len(dead))
  groups: dict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
  for video in videos:
    if (video.split, video.name) in reads:
      groups[video.split, video.label].append((video.split, video.name))
  for (split, label), own in groups.items():
    count = sum(key in dead for key in own)
    if 2 * count > len(own):
      findings.add(
        "dead-features",
        reads[next(key for key in own if key in dead)][0].where,
        f"{count} of {len(own)} {('normal', 'anomalous')[label]} {split} "
        f"{text}, nothing can be learnt from them; extract the features again.",
      )


def _find_copies(
  videos: Sequence[Video],
  reads: Mapping[tuple[str, str], Sequence[_Read]],
  findings: Findings,
) -> None:
  """Finds features that videos of different names share."""
  known: dict[Any, tuple[Video, Crop]] = {}
  for video in sorted(videos, key=lambda video: video.split):
    for crop, read in zip(
      video.crops, reads[video.split, video.name], strict=True
    ):
      if read.shape is None or read.dead:
        continue
      other, same = known.setdefault((read.shape, read.checksum), (video, crop))
      # Checksums are short: the features themselves have to agree.
      if other.name == video.name or (
        not np.array_equal(same.read(), crop.read())
      ):
        continue
      if other.split == video.split:
        findings.note(f"{video.split} videos with the features of another one")
      else:
        findings.add(
          "same-content",
          crop.where(),
          f"has the features of the test video {other.name} "
          f"({same.where()}); a model must not be trained on test videos.",
          video.name,
        )
      break


def _check_lengths(
  name: str, lengths: list[tuple[int, str]], findings: Findings
) -> None:
  counts = Counter(length for length, _ in lengths)
  if len(counts) > 1:
    usual = counts.most_common(1)[0][0]
    odd = next((n, where) for n, where in lengths if n != usual)
    findings.add(
      "crop-length",
      name,
      f"most crops have {usual} snippets, {odd[1]} has {odd[0]}; extract this "
      "video again.",
      name,
    )
