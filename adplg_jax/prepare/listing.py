"""Which feature files make up a published data set: folders, lists, crops."""

import dataclasses
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.layout import (
  Features,
  FileName,
  FileNameError,
  FileNaming,
)
from adplg_jax.prepare.list_files import Entry, read_list
from adplg_jax.prepare.videos import FileCrop, Video

SPLITS = ("train", "test")


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
  naming: FileNaming,
  features: Features,
  folder: Path,
  lists: Sequence[Path],
  findings: Findings,
  test_names: frozenset[str] = frozenset(),
) -> Listing:
  """Lists a data set's videos.

  Args:
    naming: How its files are named.
    features: Which of its features.
    folder: Folder of the features.
    lists: List files; they choose among the files, and their order is kept.
      Where no folder gives the split, those with "test" in their name are for
      the test split, others for training.
    findings: Gathers files that do not fit.
    test_names: Test videos, where nothing else gives the split.

  Returns:
    The videos.

  Raises:
    PreparationError: A folder does not exist, or has no feature file.
  """
  files = _find_files(naming, features, folder, findings)
  chosen = _choose(naming, files, lists, features, findings)
  listed = "test" in chosen
  if listed:
    test_names = frozenset(file.name.video for file in chosen["test"])
  elif "train" in chosen and not test_names:
    training = {file.name.video for file in chosen["train"]}
    names = {file.name.video for file in files.values()}
    test_names = frozenset(names - training)
  for split in SPLITS:
    if split not in chosen:
      chosen[split] = [
        file for file in files.values() if _split(file, test_names) == split
      ]
  videos = [
    video
    for split in SPLITS
    for video in _group(chosen[split], split, features, folder, findings)
  ]
  _check_splits(videos, findings)
  order = [file.name.video for file in chosen["test"]]
  return Listing(videos, list(dict.fromkeys(order)), listed)


def _find_files(
  naming: FileNaming, features: Features, folder: Path, findings: Findings
) -> dict[str, _File]:
  """All feature files, by name, in order of their paths."""
  files: dict[str, _File] = {}
  folders = features.folders or {"": "."}
  for split, below in folders.items():
    root = folder / below
    if not root.is_dir():
      raise PreparationError(
        f"{root}: no such folder; --features must name the folder that "
        f"{' and '.join(folders.values())} are in."
      )
    found = sorted(_npy_files(root))
    if not found:
      raise PreparationError(f"{root}: has no .npy file.")
    for path in found:
      relative = path.relative_to(root)
      try:
        name = naming.parse_name(relative)
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


def _npy_files(root: Path) -> Iterator[Path]:
  """All .npy files below a folder, linked folders included."""
  seen = set()
  for folder, below, names in os.walk(root, followlinks=True):
    real = os.path.realpath(folder)
    if real in seen:
      below.clear()
      continue
    seen.add(real)
    for name in names:
      if name.endswith(".npy"):
        yield Path(folder, name)


def _split_of(path: Path) -> str | None:
  """The split that a folder's name gives, if one does."""
  for part in path.parts[:-1]:
    for split in SPLITS:
      if split in part.lower():
        return split
  return None


def _choose(
  naming: FileNaming,
  files: Mapping[str, _File],
  lists: Sequence[Path],
  features: Features,
  findings: Findings,
) -> dict[str, list[_File]]:
  """The files that list files name, by split, in their order."""
  chosen: dict[str, list[_File]] = {}
  for path in lists:
    for entry in read_list(path, findings):
      file = files.get(entry.file)
      if file is None:
        findings.add(
          "missing-file",
          entry.where,
          f"{entry.file} is not among the features; extract it, or correct "
          "the list.",
          re.sub(r"_*\d\.npy$", "", entry.file),
        )
        continue
      named = "test" if "test" in path.name.lower() else "train"
      split = file.split or named
      chosen.setdefault(split, []).append(file)
      _check_label(naming, entry, file.name, split, findings)
  if "test" in chosen and features.official_test_crop is not None:
    # The list names only the official crop; the others are next to it.
    by_video = defaultdict(list)
    for file in files.values():
      by_video[file.name.video].append(file)
    names = dict.fromkeys(file.name.video for file in chosen["test"])
    chosen["test"] = [file for name in names for file in by_video[name]]
  return chosen


def _split(file: _File, test_names: frozenset[str]) -> str:
  """A file's split where no list gives it."""
  known = "test" if file.name.video in test_names else "train"
  return file.split or known


def _check_label(
  naming: FileNaming,
  entry: Entry,
  name: FileName,
  split: str,
  findings: Findings,
) -> None:
  """Compares a training list's label column with the file's name."""
  if split == "test" or not entry.label:
    return
  if not _label_fits(naming, entry.label.strip('" '), name):
    findings.add(
      "list-label",
      entry.where,
      f"label {entry.label!r}, but {entry.file} is of class {name.category}; "
      "the list was edited, or its rows were mixed up.",
      name.video,
    )


def _label_fits(naming: FileNaming, label: str, name: FileName) -> bool:
  """Whether a label is that of the file: 0 or 1, or its class."""
  if label in ("0", "0.0"):
    return not name.label
  if label in ("1", "1.0"):
    return bool(name.label)
  return naming.category_of(label).lower() == name.category.lower()


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
          FileCrop(
            crop,
            own[crop].path,
            audio=audio,
            visual_width=features.visual_width,
          )
          for crop in sorted(own)
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
    ("surplus-crops", surplus, "also has"),
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
