"""Which feature files make up a published data set: splits, lists, crops."""

import dataclasses
from collections import defaultdict
from collections.abc import (
  Callable,
  Collection,
  Iterator,
  Mapping,
  Sequence,
)
from pathlib import Path

from adplg_jax.prepare.crops import Part, check_counts, make_crops
from adplg_jax.prepare.feature_folders import NamedFile, find_files
from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.layout import Features
from adplg_jax.prepare.naming import FileName, FileNaming
from adplg_jax.prepare.split_lists import Entry, SplitList, read_list
from adplg_jax.prepare.videos import SPLITS, Video

# The files of each video, by crop; None is a file that has all of them.
_Files = Mapping[str, Mapping[int | None, NamedFile]]
_Choice = dict[str, dict[int | None, NamedFile]]


@dataclasses.dataclass(frozen=True)
class Listing:
  """The videos of a data set.

  Attributes:
    videos: Its videos, without annotations.
    order: Test videos in the order of their list, or of their paths.
    listed: Whether a list gave that order.
    left_out: Videos that have feature files, but are not in the lists.
    told_by: What told each split, in a line.
  """

  videos: list[Video]
  order: list[str]
  listed: bool
  left_out: frozenset[str]
  told_by: str


def list_videos(
  naming: FileNaming,
  features: Features,
  folder: Path,
  lists: Sequence[Path],
  findings: Findings,
  *,
  is_test: Callable[[str], bool] | None = None,
  besides: Collection[Path] = (),
) -> Listing:
  """Lists a data set's videos.

  Args:
    naming: How its files are named.
    features: Which of its features.
    folder: Folder of the features.
    lists: Lists of the splits; they choose among the files, their order is
      kept, and they win over the names of folders.
    findings: Gathers files and lines that do not fit.
    is_test: Whether a video is tested, where neither lists nor folders tell;
      None where that is not known of all.
    besides: Files and folders that hold no features.

  Returns:
    The videos.

  Raises:
    PreparationError: The folder does not exist, has no feature file, or
      nothing tells the splits.
  """
  found = find_files(
    naming, folder, findings, official=features.folders, besides=besides
  )
  splits = _Splits(_by_video(found, findings), is_test, findings)
  read = [read_list(path, naming, findings) for path in lists]
  for split_list in _not_audio(read, findings):
    splits.add_list(split_list, read, naming, features.official_test_crop)
  listed = "test" in splits.chosen
  splits.add_others()
  videos = _make_videos(splits.chosen, found, features, folder, findings)
  return Listing(
    videos,
    list(splits.chosen.get("test", ())),
    listed,
    frozenset(splits.left_out),
    splits.told_by(),
  )


def _by_video(files: Sequence[NamedFile], findings: Findings) -> _Files:
  """The visual files of each video; a crop that has two files is found."""
  counts: dict[str, int] = defaultdict(int)
  for file in files:
    counts[file.name.video] += not file.name.audio
  videos: _Choice = defaultdict(dict)
  for file in files:
    name = file.name
    if name.audio:
      continue
    crop = name.crop
    if crop is None and counts[name.video] > 1:
      crop = 0
    known = videos[name.video].setdefault(crop, file)
    if known is not file and not known.path.samefile(file.path):
      findings.add(
        "surplus-crops" if known.split == file.split else "both-splits",
        file.path,
        f"crop {crop or 0} of {name.video} is at {known.path}, too; remove "
        "one, or name the folder of one kind of features by --features.",
        name.video,
      )
  return videos


def _not_audio(
  lists: Sequence[SplitList], findings: Findings
) -> Iterator[SplitList]:
  for split_list in lists:
    if any(not entry.name.audio for entry in split_list.entries):
      yield split_list
    elif split_list.entries:
      findings.note(
        f"lines of {split_list.path.name} not used: it lists audio, which is "
        "found by the names of the videos",
        len(split_list.entries),
      )
    else:
      findings.add("manifest", split_list.path, "names no video.")


class _Splits:
  """The files chosen for each split.

  Attributes:
    chosen: By split, then by video, in order.
    left_out: Videos that lists leave out.
  """

  def __init__(
    self,
    files: _Files,
    is_test: Callable[[str], bool] | None,
    findings: Findings,
  ):
    self._files = files
    self._is_test = is_test
    self._findings = findings
    self._told: dict[str, str] = {}
    self.chosen: dict[str, _Choice] = {}
    self.left_out: set[str] = set()

  def add_list(
    self,
    split_list: SplitList,
    others: Sequence[SplitList],
    naming: FileNaming,
    test_crop: int | None,
  ) -> None:
    """Chooses the files that a list names.

    Args:
      split_list: The list.
      others: All lists.
      naming: What the labels of its lines mean.
      test_crop: The one crop that official test lists name.
    """
    split = split_list.split or _other_split(split_list, others)
    numbered = {
      entry.name.video
      for entry in split_list.entries
      if entry.name.crop is not None
    }
    matched = 0
    missing = []
    for entry in split_list.entries:
      name = entry.name
      own = self._files.get(name.video, {})
      crop = name.crop
      if crop is None and name.video in numbered:
        crop = 0
      crops = own if crop is None or None in own else {crop} & own.keys()
      if not crops:
        missing.append(entry)
        continue
      matched += 1
      known = split or next(iter(own.values())).split
      if known is None and self._is_test is not None:
        known = SPLITS[self._is_test(name.video)]
      if known is None:
        self._findings.add(
          "manifest",
          split_list.path,
          "neither its name nor a folder tells whether it lists training or "
          "test videos; put train or test in its name.",
        )
        return
      if known == "test" and test_crop is not None:
        crops = own
      chosen = self.chosen.setdefault(known, {}).setdefault(name.video, {})
      chosen.update({crop: own[crop] for crop in crops})
      self._told[known] = split_list.path.name
      if known == "train":
        _check_label(naming, entry, self._findings)
    self._find_missing(split_list, missing, matched)

  def _find_missing(
    self, split_list: SplitList, missing: Sequence[Entry], matched: int
  ) -> None:
    if missing and not matched:
      self._findings.add(
        "manifest",
        split_list.path,
        f"none of its {len(missing)} lines names a video that has a feature "
        f"file; the first is {missing[0].file!r}. Give the list of this data "
        "set, or correct --features.",
      )
      return
    for entry in missing:
      self._findings.add(
        "missing-file",
        entry.where,
        f"{entry.file} is not among the features; extract it, or correct the "
        "list.",
        entry.name.video,
      )

  def add_others(self) -> None:
    """Chooses the videos of splits that no list gives, and leaves out others.

    Raises:
      PreparationError: Nothing tells the split of some.
    """
    listed = set(self.chosen)
    known = {video for own in self.chosen.values() for video in own}
    folders = {
      video: next(iter(own.values())).split
      for video, own in self._files.items()
    }
    by_folder = set(folders.values()) - {None}
    untold = []
    for video, own in self._files.items():
      if video in known:
        continue
      split, told = folders[video], "the names of folders"
      if split is None and self._is_test is not None:
        split, told = SPLITS[self._is_test(video)], "the annotations"
      elif split is None and len(listed or by_folder) == 1:
        (given,) = listed or by_folder
        split = SPLITS[given == SPLITS[0]]
        told = f"not being among the {given} videos"
      if split is None:
        untold.append(video)
      elif split in listed:
        self.left_out.add(video)
      else:
        self.chosen.setdefault(split, {})[video] = dict(own)
        self._told.setdefault(split, told)
    if untold and len(listed) < len(SPLITS):
      raise PreparationError(
        f"{untold[0]}: nothing tells the split of it and {len(untold) - 1} "
        "other videos; give the lists of both splits by --list, or put the "
        "files below folders named train and test. Nothing was written."
      )
    self.left_out.update(untold)
    if self.left_out:
      self._findings.note("videos that the lists leave out", len(self.left_out))

  def told_by(self) -> str:
    """What told each split."""
    told = [
      f"{split} by {self._told[split]} ({len(self.chosen[split])} videos)"
      for split in SPLITS
      if split in self.chosen
    ]
    return f"splits: {', '.join(told) or 'none'}"


def _other_split(
  split_list: SplitList, lists: Sequence[SplitList]
) -> str | None:
  """The split that no other list has, if there is another."""
  others = {other.split for other in lists if other is not split_list}
  free = [split for split in SPLITS if split not in others]
  return free[0] if len(free) == 1 else None


def _check_label(naming: FileNaming, entry: Entry, findings: Findings) -> None:
  """Compares a training list's label with the file's name."""
  if entry.label and not _label_fits(naming, entry.label, entry.name):
    findings.add(
      "list-label",
      entry.where,
      f"label {entry.label!r}, but {entry.file} is of class "
      f"{entry.name.category}; correct either.",
      entry.name.video,
    )


def _label_fits(naming: FileNaming, label: str, name: FileName) -> bool:
  """Whether a label is that of the file: 0 or 1, or its class."""
  if label in ("0", "0.0"):
    return not name.label
  if label in ("1", "1.0"):
    return bool(name.label)
  return naming.category_of(label).lower() == name.category.lower()


def _make_videos(
  chosen: Mapping[str, _Choice],
  found: Sequence[NamedFile],
  features: Features,
  folder: Path,
  findings: Findings,
) -> list[Video]:
  """The videos of both splits, with their crops; checks these."""
  audio = {}
  if features.audio is not False:
    audio = {f.name.video: f.path for f in found if f.name.audio}
  needs_audio = features.audio or bool(audio)
  parts, facts = [], {}
  for split in SPLITS:
    for video, own in chosen.get(split, {}).items():
      first = next(iter(own.values()))
      if video in facts:
        findings.add(
          "both-splits",
          first.path,
          f"{video} is in training and in test; remove it from one.",
          video,
        )
        continue
      facts[video] = (split, first.name)
      sound = audio.get(video)
      if needs_audio and sound is None:
        sound = folder / f"{video}__vggish.npy"
      parts += [
        Part(video, file.path, crop, split=split, audio=sound)
        for crop, file in own.items()
      ]
  crops = make_crops(
    parts, findings, crops=features.crops, width=features.visual_width
  )
  videos = [
    Video(
      name=video,
      split=split,
      label=name.label,
      category=name.category,
      crops=tuple(
        dataclasses.replace(crop, visual_width=features.visual_width)
        for crop in crops[video]
      ),
      key=video,
    )
    for video, (split, name) in facts.items()
  ]
  check_counts(
    videos,
    findings,
    crops=features.crops,
    test_crop=features.official_test_crop,
  )
  return videos
