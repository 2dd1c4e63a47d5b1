"""The videos that are named on a command line, and names for their features."""

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

# What is taken of a folder; a file that is named itself may have any.
SUFFIXES = (
  *(".3gp", ".asf", ".avi", ".divx", ".flv", ".gif", ".h264", ".hevc", ".m2ts"),
  *(".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"),
  *(".ts", ".vob", ".webm", ".wmv", ".y4m"),
)


class NamedVideo(NamedTuple):
  """A video.

  Attributes:
    video: Its path or address.
    name: The path of its features below the folder of results, no suffix.
  """

  video: str
  name: str

  @property
  def size(self) -> int | None:
    """Bytes of its file; None for an address, or what is no file."""
    try:
      return os.path.getsize(self.video)
    except OSError:
      return None


def find_videos(given: Sequence[str]) -> list[NamedVideo]:
  """The videos of files, folders, patterns, addresses and cameras.

  Folders keep what is below them: FOLDER/a/b.mp4 is named a/b. Two videos that
  differ by their suffix alone keep it.

  Args:
    given: What was named.

  Returns:
    The videos, in order of their names, each once.

  Raises:
    ValueError: Nothing is found for one of them, or two videos would have the
      same name.
  """
  videos: dict[str, Path] = {}
  for text in given:
    found = _find(text)
    if not found:
      raise ValueError(
        f"--videos {text}: there is no such file, and no video below it; name "
        "files, folders with videos "
        f"({', '.join(SUFFIXES)}), patterns, addresses or cameras (0, 1, ...)."
      )
    videos |= found
  names: dict[str, list[str]] = {}
  for video, name in videos.items():
    names.setdefault(str(name.with_suffix("")), []).append(video)
  named = []
  for name, own in names.items():
    for video in own:
      whole = name if len(own) == 1 else str(videos[video])
      named.append(NamedVideo(video, whole))
  _check(named)
  return sorted(named, key=lambda item: item.name)


def is_video(text: str) -> bool:
  """Whether a name is one of a video: an address, a camera, or a file's."""
  return (
    "://" in text
    or text.lower().endswith(SUFFIXES)
    or (text.isdecimal() and not os.path.exists(text))
  )


def _find(text: str) -> dict[str, Path]:
  """Videos with their paths below what was named."""
  if "://" in text:
    parts = urlsplit(text)
    last = unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc
    return {text: Path(re.sub(r"[\x00-\x1f/\\:]", "_", last))}
  if os.path.isdir(text):
    return dict(_below(text))
  if os.path.exists(text):
    return {text: Path(os.path.basename(text))}
  if text.isdecimal():
    return {text: Path(f"camera{text}")}
  found: dict[str, Path] = {}
  for match in sorted(glob.glob(text, recursive=True)):
    found |= _find(match)
  return found


def _below(folder: str) -> list[tuple[str, Path]]:
  """All videos below a folder, linked folders included."""
  found = []
  seen = set()
  for root, folders, files in os.walk(folder, followlinks=True):
    real = os.path.realpath(root)
    if real in seen:
      folders.clear()
      continue
    seen.add(real)
    for file in files:
      suffix = os.path.splitext(file)[1].lower()
      if suffix in SUFFIXES and not file.startswith("."):
        path = os.path.join(root, file)
        found.append((path, Path(os.path.relpath(path, folder))))
  return found


def _check(named: Sequence[NamedVideo]) -> None:
  """Refuses two videos of one name, and names that are no text.

  Raises:
    ValueError: Naming them.
  """
  known: dict[str, str] = {}
  for video, name in named:
    try:
      name.encode()
    except UnicodeEncodeError as error:
      raise ValueError(
        f"--videos: the name {os.fsencode(video)!r} is not UTF-8; rename the "
        "file."
      ) from error
    other = known.setdefault(name, video)
    if other != video:
      raise ValueError(
        f"--videos: {other} and {video} would both be written as {name}.npy; "
        "name a folder that holds both, or extract them into two folders."
      )


def shard(videos: Sequence[NamedVideo], part: str) -> list[NamedVideo]:
  """A fixed part of the videos.

  Args:
    videos: All of them.
    part: "3/16" is the third of 16 parts, of which each video is in one.

  Raises:
    ValueError: No part.
  """
  match = re.fullmatch(r"(\d+)/(\d+)", part)
  number, count = (int(match[1]), int(match[2])) if match else (0, 0)
  if not 1 <= number <= count:
    raise ValueError(
      f"--shard is {part!r}; allowed: K/N from 1/N to N/N, such as 3/16."
    )
  return list(videos[number - 1 :: count])
