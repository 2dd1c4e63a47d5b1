"""Feature files of videos of which nothing else is known: names and crops.

Crops and streams are told by names as preparation does it: as a published data
set names them, or else as own folders do (docs/own_features.md).
"""

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from adplg_jax.data.schema import SNIPPET_FRAMES
from adplg_jax.prepare.crops import Part, make_crops
from adplg_jax.prepare.feature_files import read_header
from adplg_jax.prepare.feature_folders import feature_files
from adplg_jax.prepare.file_contents import describe
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.layout import Features
from adplg_jax.prepare.manifest import STREAMS
from adplg_jax.prepare.naming import FileNameError, FileNaming, words
from adplg_jax.prepare.own_folders import parse_stem
from adplg_jax.prepare.videos import FileCrop, Video

# More than anyone makes of a video.
MOST_CROPS = 10


@dataclasses.dataclass(frozen=True)
class Known:
  """What the data set that a model was trained on tells of other files.

  Attributes:
    naming: How its files are named; None for own folders alone.
    features: What its files hold; None where that is not known.
    width: D.
  """

  naming: FileNaming | None = None
  features: Features | None = None
  width: int | None = None

  @property
  def crops(self) -> int | None:
    """Crops of a video, None where that is not known."""
    return None if self.features is None else self.features.crops

  @property
  def visual_width(self) -> int | None:
    """D without audio, None where that is not known."""
    return self.width if self.features is None else self.features.visual_width


@dataclasses.dataclass(frozen=True)
class _File:
  """A feature file.

  Attributes:
    path: The file, absolute.
    root: What was named on the command line; the folder of a file.
    video: Its video, without folders.
    crop: Which crop it holds, or the first of several.
    stream: Which stream.
    audio: Whether it is the audio of a published data set's video.
  """

  path: Path
  root: Path
  video: str
  crop: int
  stream: str = ""
  audio: bool = False

  def place(self, *, streams: bool) -> tuple[str, ...]:
    """Where its video is, with or without the folders of its streams."""
    folders = self.path.relative_to(self.root).parts[:-1]
    kept = [f for f in folders if streams or not set(words(f)) & set(STREAMS)]
    return (*self.root.parts, *kept, self.video)


def find_unlabelled(
  paths: Sequence[Path],
  findings: Findings,
  known: Known,
  *,
  frames_per_snippet: int = SNIPPET_FRAMES,
  window: int | None = None,
) -> list[Video]:
  """Finds the videos of feature files, and of all files below folders.

  Args:
    paths: Files and folders.
    findings: Gathers what cannot be used; its videos are left out.
    known: What the model's data set tells.
    frames_per_snippet: Frames from one snippet's start to the next one's.
    window: Frames a snippet is extracted from, None for frames_per_snippet.

  Returns:
    The videos, named by their folders below the given one; where two have the
    same name, by as many folders above as tell them apart. Their labels and
    splits mean nothing.
  """
  files = [
    _name(path, root, known) for path, root in _find_files(paths, findings)
  ]
  sounds = {file.video: file.path for file in files if file.audio}
  groups = _group([file for file in files if not file.audio])
  names = _names(groups)
  crops = {}
  for streams, own in _alike(groups).items():
    joined = len(streams) > 1
    parts = [
      Part(
        names[place],
        file.path,
        file.crop,
        stream=file.stream if joined else "",
        audio=sounds.get(file.video),
      )
      for place in own
      for file in groups[place]
    ]
    width = None if joined else known.visual_width
    crops |= make_crops(parts, findings, crops=known.crops, width=width)
  for name, own in crops.items():
    _find_swapped(name, own, findings)
  bad = {item.video for item in findings.items}
  return [
    Video(
      name=name,
      split="test",
      label=0,
      category="",
      crops=crops[name],
      key=name,
      frames_per_snippet=frames_per_snippet,
      window=window,
    )
    for name in names.values()
    if name not in bad
  ]


def _find_files(
  paths: Sequence[Path], findings: Findings
) -> Iterator[tuple[Path, Path]]:
  """Every file once, absolute, with what it was found by."""
  seen = set()
  for given in paths:
    path = Path(os.path.abspath(given))
    files, root = [path], path.parent
    if path.is_dir():
      root = path
      try:
        files, others = feature_files(path)
      except PreparationError as error:
        findings.add("unreadable", given, str(error).removeprefix(f"{path}: "))
        continue
      others = _unexpected(files, others)
      if others:
        findings.note(
          f"files passed over, such as {others[0]}: {describe(others[0])}",
          len(others),
        )
    for file in files:
      if file not in seen:
        seen.add(file)
        yield file, root


def _unexpected(files: Sequence[Path], others: Sequence[Path]) -> list[Path]:
  """Other files than sidecars of features and a manifest."""
  features = {file.with_suffix("") for file in files}
  return [
    path
    for path in others
    if path.name != "manifest.csv"
    and not (path.suffix == ".json" and path.with_suffix("") in features)
  ]


def _name(path: Path, root: Path, known: Known) -> _File:
  """What a file's name and folders tell."""
  relative = path.relative_to(root)
  if known.naming is not None:
    try:
      name = known.naming.parse_name(relative.with_suffix(""))
    except FileNameError:
      pass
    else:
      audio = known.features is None or known.features.audio is not False
      return _File(
        path,
        root,
        name.video,
        name.crop or 0,
        audio=audio and (name.audio or "vggish" in words(path.parent.name)),
      )
  video, stream, crop = parse_stem(path.stem)
  for part in relative.parts[:-1]:
    for word in words(part):
      stream = word if word in STREAMS else stream
  return _File(path, root, video, int(crop or 0), stream)


def _group(files: Sequence[_File]) -> dict[tuple[str, ...], list[_File]]:
  """The files of each video, by its place.

  A folder named as a stream is one only where a video has several.
  """
  joined: dict[tuple[str, ...], list[_File]] = defaultdict(list)
  for file in files:
    joined[file.place(streams=False)].append(file)
  groups: dict[tuple[str, ...], list[_File]] = defaultdict(list)
  for place, own in joined.items():
    several = len({file.stream for file in own}) > 1
    for file in own:
      groups[place if several else file.place(streams=True)].append(file)
  return groups


def _names(
  groups: dict[tuple[str, ...], list[_File]],
) -> dict[tuple[str, ...], str]:
  """A name for each place: as few of its last folders as tell all apart."""
  lengths = {
    place: len(place) - len(own[0].root.parts) for place, own in groups.items()
  }
  while True:
    names = {place: "/".join(place[-lengths[place] :]) for place in groups}
    counts = Counter(names.values())
    same = [place for place, name in names.items() if counts[name] > 1]
    if not same:
      return names
    for place in same:
      lengths[place] += 1


def _find_swapped(
  video: str, crops: Sequence[FileCrop], findings: Findings
) -> None:
  """Finds a file of [C, T, D], which would be many crops of a few snippets."""
  if len(crops) <= MOST_CROPS or crops[0].column is None:
    return
  shape = read_header(crops[0].path).shape
  if shape[0] <= MOST_CROPS:
    findings.add(
      "wrong-axes",
      crops[0].path,
      f"shape is {shape}, which would be {shape[0]} snippets of {shape[1]} "
      "crops; [T, C, D] (snippets, crops, channels) is needed: save "
      "array.transpose(1, 0, 2).",
      video,
    )


def _alike(
  groups: dict[tuple[str, ...], list[_File]],
) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
  """Places of videos with the same streams, by these."""
  alike: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
  for place, own in groups.items():
    alike[tuple(sorted({file.stream for file in own}))].append(place)
  return alike
