"""What made the features of videos, as sidecars beside their files say."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from adplg_jax.data.sidecar import Sidecar, SidecarError, read_sidecar
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.videos import FileCrop, Video


def known_sidecar(features: Path) -> Sidecar | None:
  """The sidecar of a file; None without one, and beside a file of another use.

  NAME.json beside a user's own NAME.npy may be anything.
  """
  try:
    return read_sidecar(features)
  except SidecarError:
    return None


def kind_of(video: Video) -> str:
  """What made a video's features; of several streams, all, joined by "+".

  Returns:
    The kind, "" where none of its files has a sidecar.
  """
  paths = dict.fromkeys(
    file.path
    for crop in video.crops
    if isinstance(crop, FileCrop)
    for file in (crop, *crop.joined)
  )
  found = [known_sidecar(path) for path in paths]
  return "+".join(dict.fromkeys(known.kind for known in found if known))


def shared_kind(videos: Sequence[Video], findings: Findings) -> str:
  """What made the features of all videos.

  Args:
    videos: Those of a data set.
    findings: Gathers videos whose features were made in another way than those
      of most.

  Returns:
    The kind, "" where no video's is known.
  """
  kinds = {video.name: kind_of(video) for video in videos}
  counts = Counter(kind for kind in kinds.values() if kind)
  if not counts:
    return ""
  most, count = counts.most_common(1)[0]
  for video in videos:
    kind = kinds[video.name]
    if not kind:
      findings.note(f"videos of which no sidecar says that they are of {most}")
    elif kind != most:
      findings.add(
        "mixed-kinds",
        video.crops[0].where(),
        f"features are of the kind {kind!r}, but those of {count} videos are "
        f"of {most!r}, and the two do not mix; extract all videos with one "
        "profile and one file of weights.",
        video.name,
      )
  return most
