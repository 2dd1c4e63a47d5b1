"""Ground truth: annotation files -> spans -> frame labels.

Spans are half-open, [start, end), as the annotations give their numbers.
Source: docs/method.md, section 6.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from adplg_jax.data.findings import Findings, PreparationError
from adplg_jax.data.videos import Span

SPAN_ENDS = ("exclusive", "inclusive")


@dataclasses.dataclass(frozen=True)
class Annotation:
  """What an annotation file says of a video.

  Attributes:
    name: Name of the video, without folders and endings.
    spans: Half-open spans of anomalous frames.
    frames: Number of frames, if the file has it.
    category: Class, if the file has it.
  """

  name: str
  spans: tuple[Span, ...]
  frames: int | None = None
  category: str | None = None


def frame_labels(
  spans: Int[np.ndarray, "s 2"] | Sequence[Span],
  frames: int,
  *,
  span_ends: str = "exclusive",
) -> Bool[np.ndarray, "frames"]:
  """Whether each frame is anomalous.

  Args:
    spans: Start and end of each anomaly; what lies past the video is clipped.
    frames: Frames of the video.
    span_ends: "exclusive": the end is the first normal frame; "inclusive":
      the last anomalous one.

  Returns:
    One value a frame.

  Raises:
    ValueError: Another `span_ends`.
  """
  if span_ends not in SPAN_ENDS:
    raise ValueError(
      f"span_ends is {span_ends!r}; allowed: {', '.join(SPAN_ENDS)}."
    )
  labels = np.zeros(frames, bool)
  for start, end in spans:
    labels[start : end + (span_ends == "inclusive")] = True
  return labels


def make_span(start: int, end: int) -> Span:
  """Checks a span.

  Raises:
    ValueError: It is empty, reversed or begins before the video.
  """
  if start < 0 or end <= start:
    raise ValueError(
      f"span {start}-{end}: start must be 0 or more, end beyond it"
    )
  return start, end


def parse_spans(text: str) -> tuple[Span, ...]:
  """Parses "start-end" spans separated by blanks, ends exclusive.

  Raises:
    ValueError: A word is no span.
  """
  spans = []
  for word in text.split():
    match = re.fullmatch(r"(\d+)-(\d+)", word)
    if match is None:
      raise ValueError(
        f'{word!r} is no span; write "start-end", blanks between spans'
      )
    spans.append(make_span(int(match[1]), int(match[2])))
  return tuple(spans)


def bare_name(path: str) -> str:
  """A video's name without folders and the ending .mp4 or .avi."""
  return re.sub(r"\.(mp4|avi)$", "", re.split(r"[/\\]", path)[-1].strip())


def read_ucf_crime(path: Path, findings: Findings) -> dict[str, Annotation]:
  """Reads UCF-Crime's rows, in both forms.

  `Abuse028_x264.mp4  Abuse  165  240  -1  -1` is the official one,
  `Arson/Arson022_x264.mp4 8640 Arson 3500 4000 -1 -1` has folder and frames.

  Args:
    path: The annotation file.
    findings: Gathers rows that make no sense.

  Returns:
    Annotations by the video's name.
  """
  pattern = re.compile(
    r"(?P<name>.+?)\s+((?P<frames>\d+)\s+)?(?P<category>[A-Za-z_]+)"
    r"\s+(?P<numbers>-?\d+(\s+-?\d+)*)"
  )
  annotations = {}
  for where, line in _lines(path):
    match = pattern.fullmatch(line)
    numbers = [int(n) for n in match["numbers"].split()] if match else [0]
    if match is None or len(numbers) % 2:
      findings.add(
        "manifest",
        where,
        f"{line!r} is neither 'name class start end start end' nor "
        "'name frames class start end start end'.",
      )
      continue
    frames = int(match["frames"]) if match["frames"] else None
    _add(
      annotations,
      where,
      match["name"],
      numbers,
      findings,
      frames=frames,
      category=match["category"],
    )
  return annotations


def read_xd_violence(path: Path, findings: Findings) -> dict[str, Annotation]:
  """Reads XD-Violence's rows `NAME start end start end ...`.

  Args:
    path: The annotation file.
    findings: Gathers rows that make no sense.

  Returns:
    Annotations by the video's name; some names carry .mp4, which is dropped.
  """
  annotations = {}
  for where, line in _lines(path):
    match = re.fullmatch(r"(?P<name>.+?)(?P<numbers>(\s+-?\d+)+)", line)
    numbers = [int(n) for n in match["numbers"].split()] if match else [0]
    if match is None or len(numbers) % 2:
      findings.add(
        "manifest", where, f"{line!r} is not 'name start end start end ...'."
      )
      continue
    _add(annotations, where, match["name"], numbers, findings)
  return annotations


def _lines(path: Path) -> Iterator[tuple[str, str]]:
  """Lines that are not empty, each with its place.

  Raises:
    PreparationError: No text can be read there.
  """
  try:
    text = path.read_text(encoding="utf-8-sig")
  except (OSError, UnicodeDecodeError) as error:
    raise PreparationError(
      f"{path}: cannot be read as text: {error}; --annotations must name the "
      "official annotation file."
    ) from error
  for number, line in enumerate(text.splitlines(), 1):
    if line.strip():
      yield f"{path}:{number}", line.strip()


def _add(
  annotations: dict[str, Annotation],
  where: str,
  name: str,
  numbers: Sequence[int],
  findings: Findings,
  *,
  frames: int | None = None,
  category: str | None = None,
) -> None:
  """Adds a row; a pair of -1 is no span."""
  name = bare_name(name)
  if name in annotations:
    findings.add("manifest", where, f"{name} is annotated twice; keep one row.")
    return
  pairs = zip(numbers[::2], numbers[1::2], strict=True)
  try:
    spans = tuple(make_span(*pair) for pair in pairs if pair != (-1, -1))
  except ValueError as error:
    findings.add("bad-span", where, f"{name}: {error}.", name)
    return
  annotations[name] = Annotation(name, spans, frames, category)


def mask_to_spans(mask: np.ndarray) -> tuple[Span, ...]:
  """Half-open spans of the true frames of a mask."""
  edges = np.flatnonzero(np.diff(np.concatenate([[0], mask != 0, [0]])))
  return tuple((int(a), int(b)) for a, b in edges.reshape(-1, 2))


def fit_mask(mask: np.ndarray, frames: int) -> np.ndarray:
  """Cuts a mask, or extends it with its last value, to a number of frames."""
  return mask[np.minimum(np.arange(frames), len(mask) - 1)]
