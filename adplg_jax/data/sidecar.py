"""NAME.json beside NAME.npy: what made the features, and where they are."""

import dataclasses
import json
from pathlib import Path
from typing import Any


class SidecarError(ValueError):
  """A sidecar that cannot be read; the message names it."""


@dataclasses.dataclass(frozen=True)
class Sidecar:
  """What is known of a file of features.

  Attributes:
    kind: What made them: features of two kinds do not mix. The profile and the
      first digits of the hash of the weights.
    profile: How frames became clips; see docs/extraction.md.
    weights: SHA-256 of the backbone's weights, in hexadecimal.
    crops: C.
    fps: Frames in a second that were asked for; None for those of the video.
    video: The video, as it was given.
    size: Of the video's file [bytes]; None for an address.
    frame_rate: Frames in a second of those that snippets are made of.
    frames: Frames that snippets are made of, those after the last one included.
    frames_decoded: Frames of the video.
    frames_per_snippet: From one snippet's start to the next one's.
    seconds: Start and end of each snippet [s].
    warnings: What is wrong with the video although it decodes.
  """

  kind: str
  profile: str
  weights: str
  crops: int
  fps: float | None
  video: str
  size: int | None
  frame_rate: float
  frames: int
  frames_decoded: int
  frames_per_snippet: int
  seconds: tuple[tuple[float, float], ...]
  warnings: tuple[str, ...] = ()

  def to_json(self) -> dict[str, Any]:
    """As it is written; times to a microsecond."""
    seconds = [[round(edge, 6) for edge in both] for both in self.seconds]
    return {**dataclasses.asdict(self), "seconds": seconds}


def sidecar_path(features: Path) -> Path:
  """Where the sidecar of a file of features is."""
  return features.with_suffix(".json")


def read_sidecar(features: Path) -> Sidecar | None:
  """Reads the sidecar of a file of features.

  Args:
    features: The file, NAME.npy.

  Returns:
    The sidecar; None where there is none.

  Raises:
    SidecarError: It cannot be read.
  """
  path = sidecar_path(features)
  try:
    stored = json.loads(path.read_text("utf-8"))
    known = {field.name for field in dataclasses.fields(Sidecar)}
    facts = {name: stored[name] for name in known}
    facts["seconds"] = tuple((float(a), float(b)) for a, b in facts["seconds"])
    facts["warnings"] = tuple(facts["warnings"])
    return Sidecar(**facts)
  except FileNotFoundError:
    return None
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise SidecarError(
      f"{path}: is no description of features that `adplg_jax.extract` wrote "
      f"({type(error).__name__}: {error}); extract the video again, or move it "
      "away if it is something else."
    ) from error
