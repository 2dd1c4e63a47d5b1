"""Which feature files make up a benchmark: folders, list files, crops."""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from adplg_jax.data.benchmarks import (
  Benchmark,
  Features,
  FileName,
  FileNameError,
)
from adplg_jax.data.findings import Findings, PreparationError
from adplg_jax.data.videos import FileCrop, Video

SPLITS = ("train", "test")


@dataclasses.dataclass(frozen=True)
class Entry:
  """A line of a list file.

  Attributes:
    where: The file and line.
    file: Name of the feature file, any folders before it dropped.
    label: What follows the path, if anything does.
  """

  where: str
  file: str
  label: str


@dataclasses.dataclass(frozen=True)
class Listing:
  """The files of a data set.

  Attributes:
    videos: Its videos, without annotations.
    order: Test videos in the order of their list file, or of their paths.
    listed: Whether a list file gave that order.
  """

  videos: list[Video]
  order: list[str]
  listed: bool


@dataclasses.dataclass(frozen=True)
class _File:
  path: Path
  name: FileName
  split: str | None


def list_videos(
  benchmark: Benchmark,
  features: Features,
  folder: Path,
  lists: Sequence[Path],
  findings: Findings,
  test_names: frozenset[str] = frozenset(),
) -> Listing:
  """Lists a benchmark's videos.

  Args:
    benchmark: The data set.
    features: Which of its features.
    folder: What they lie below.
    lists: List files; those whose name has "test" in it are for the test
      split. They choose among the files, and their order is kept.
    findings: Gathers files that do not fit.
    test_names: Videos known to be test videos, when nothing else tells.

  Returns:
    The videos.

  Raises:
    PreparationError: A folder is not there, or holds no feature file.
  """
  files = _find_files(benchmark, features, folder, findings)
  entries = _read_lists(lists, findings)
  chosen = {
    split: _choose(
      split, files, entries.get(split), features, findings, test_names
    )
    for split in SPLITS
  }
  videos = [
    video
    for split, own in chosen.items()
    for video in _group(own, split, features, folder, findings)
  ]
  _check_splits(videos, findings)
  order = [file.name.video for file in chosen["test"]]
  return Listing(videos, list(dict.fromkeys(order)), "test" in entries)


def _find_files(
  benchmark: Benchmark, features: Features, folder: Path, findings: Findings
) -> dict[str, _File]:
  """All feature files, by name, in order of their paths."""
  files: dict[str, _File] = {}
  folders = features.folders or {"": "."}
  for split, below in folders.items():
    root = folder / below
    if not root.is_dir():
      raise PreparationError(
        f"{root}: no such folder; --features must name the folder that "
        f"{' and '.join(folders.values())} lie in."
      )
    found = sorted(root.rglob("*.npy"))
    if not found:
      raise PreparationError(f"{root}: holds no .npy file.")
    for path in found:
      relative = path.relative_to(root)
      try:
        name = benchmark.parse_name(relative)
      except FileNameError as error:
        findings.add(error.kind, path, str(error))
        continue
      if path.name in files:
        findings.add(
          "surplus-crops" if files[path.name].split == split else "both-splits",
          path,
          f"is at {files[path.name].path} too; remove one.",
          name.video,
        )
        continue
      files[path.name] = _File(path, name, split or _split_of(relative))
  return files


def _split_of(path: Path) -> str | None:
  """The split that a folder's name tells, if one does."""
  for part in path.parts[:-1]:
    for split in SPLITS:
      if split in part.lower():
        return split
  return None


def _read_lists(
  lists: Sequence[Path], findings: Findings
) -> dict[str, list[Entry]]:
  """Entries by split; a list named neither train nor test is for both."""
  entries: dict[str, list[Entry]] = {}
  for path in lists:
    splits = ["test"] if "test" in path.name.lower() else ["train"]
    if not re.search("train|test", path.name.lower()):
      splits = list(SPLITS)
    read = read_list(path, findings)
    for split in splits:
      entries.setdefault(split, []).extend(read)
  return entries


def read_list(path: Path, findings: Findings) -> list[Entry]:
  """Reads a list file: `PATH`, `PATH LABEL` or csv `path,label`.

  Args:
    path: The list.
    findings: Gathers lines that name no .npy file, and repeated ones.

  Returns:
    Its entries, in order.

  Raises:
    PreparationError: The file cannot be read.
  """
  try:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise PreparationError(f"{path}: cannot be read: {error}.") from error
  entries: dict[str, Entry] = {}
  for number, line in enumerate(lines, 1):
    where = f"{path}:{number}"
    if not line.strip() or (number == 1 and line.strip() == "path,label"):
      continue
    match = re.fullmatch(r'"?(.+\.npy)"?(?:[\s,]+(\S.*?))?\s*', line)
    if match is None:
      findings.add("manifest", where, f"{line!r} names no .npy file.")
      continue
    file = re.split(r"[/\\]", match[1])[-1]
    if file in entries:
      findings.add(
        "manifest", where, f"{file} stands at {entries[file].where} too."
      )
      continue
    entries[file] = Entry(where, file, match[2] or "")
  return list(entries.values())


def _choose(
  split: str,
  files: Mapping[str, _File],
  entries: Sequence[Entry] | None,
  features: Features,
  findings: Findings,
  test_names: frozenset[str],
) -> list[_File]:
  """The files of a split, in the order of its list if there is one."""
  if entries is None:
    return [f for f in files.values() if _split(f, test_names) == split]
  chosen = []
  for entry in entries:
    file = files.get(entry.file)
    if file is None:
      findings.add(
        "missing-file",
        entry.where,
        f"{entry.file} is not among the features; extract it, or correct the "
        "list.",
        re.sub(r"_*\d\.npy$", "", entry.file),
      )
    elif features.folders is None or file.split == split:
      chosen.append(file)
      _check_label(entry, file.name, split, findings)
  if split == "test" and features.official_test_crop is not None:
    # The list names the official crop alone; the others lie beside it.
    names = {file.name.video: None for file in chosen}
    by_video = defaultdict(list)
    for file in files.values():
      by_video[file.name.video].append(file)
    chosen = [file for name in names for file in by_video[name]]
  return chosen


def _split(file: _File, test_names: frozenset[str]) -> str:
  """A file's split when no list tells it."""
  known = "test" if file.name.video in test_names else "train"
  return file.split or known


def _check_label(
  entry: Entry, name: FileName, split: str, findings: Findings
) -> None:
  """Holds a training list's label column against the file's name."""
  if split == "test" or not entry.label:
    return
  text = entry.label.strip('" ').lower()
  normal = text in ("0", "0.0", "normal", "a")
  if normal == bool(name.label):
    findings.add(
      "list-label",
      entry.where,
      f"label {entry.label!r}, but {entry.file} is of class {name.category}; "
      "the list was edited, or its rows were mixed up.",
      name.video,
    )


def _group(
  files: Sequence[_File],
  split: str,
  features: Features,
  folder: Path,
  findings: Findings,
) -> list[Video]:
  """Videos of a split, each with its crops; checks that these are complete."""
  crops: dict[str, dict[int, _File]] = defaultdict(dict)
  for file in files:
    own = crops[file.name.video]
    if file.name.crop in own:
      findings.add(
        "surplus-crops",
        file.path,
        f"crop {file.name.crop} is {own[file.name.crop].path} too; remove one.",
        file.name.video,
      )
    own.setdefault(file.name.crop, file)
  videos = []
  for name, own in crops.items():
    _check_crops(name, set(own), split, features, findings)
    audio = None
    if features.audio_folders is not None:
      audio = folder / features.audio_folders[split] / f"{name}__vggish.npy"
    first = next(iter(own.values())).name
    videos.append(
      Video(
        name=name,
        split=split,
        label=first.label,
        category=first.category,
        crops=tuple(
          FileCrop(crop, own[crop].path, audio=audio) for crop in sorted(own)
        ),
        key=name,
      )
    )
  return videos


def _check_crops(
  name: str, own: set[int], split: str, features: Features, findings: Findings
) -> None:
  needed = set(range(features.crops))
  surplus = own - needed
  if split == "test" and features.official_test_crop is not None:
    needed = {features.official_test_crop}
  for kind, crops, what in (
    ("missing-crops", needed - own, "lacks"),
    ("surplus-crops", surplus, "has besides"),
  ):
    if crops:
      findings.add(
        kind,
        name,
        f"{what} crops {', '.join(map(str, sorted(crops)))} ({split}); a video "
        f"has crops 0 to {features.crops - 1}.",
        name,
      )


def _check_splits(videos: Sequence[Video], findings: Findings) -> None:
  training = {video.name for video in videos if video.split == "train"}
  for video in videos:
    if video.split == "test" and video.name in training:
      findings.add(
        "both-splits",
        video.name,
        "is in training and in test; remove it from one.",
        video.name,
      )
