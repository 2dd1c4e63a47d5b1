"""Rows of annotated spans: lines, forms, spans and their ends.

Each data set's module in `sources/` knows the forms that its own files have.
Source: docs/method.md, section 6.
"""

import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from adplg_jax.data.frames import Span
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.text_files import read_text


class Row(NamedTuple):
  """A line of an annotation file.

  Attributes:
    name: The video, perhaps with folders and an ending.
    numbers: Starts and ends in turn; a pair of -1 is no span.
    frames: Number of frames, if the line has it.
    category: Class, if the line has it.
  """

  name: str
  numbers: Sequence[int]
  frames: int | None = None
  category: str | None = None


@dataclasses.dataclass(frozen=True)
class Annotation:
  """What an annotation file says of a video.

  Attributes:
    name: Name of the video, without folders and endings.
    spans: Spans of anomalous frames, None where one of them was refused.
    frames: Number of frames, if the file has it.
    category: Class, if the file has it.
  """

  name: str
  spans: tuple[Span, ...] | None
  frames: int | None = None
  category: str | None = None


class Rows(NamedTuple):
  """What the rows of an annotation file say.

  Attributes:
    videos: By the video's name.
    complete: Whether every line was understood.
    exact: Whether the spans are half-open, whatever the evaluation says of
      their ends.
  """

  videos: dict[str, Annotation]
  complete: bool = True
  exact: bool = False


def read_rows(
  path: Path,
  parse: Callable[[str], Row | None],
  forms: Collection[str],
  findings: Findings,
  span_ends: str,
) -> Rows:
  """Reads an annotation file of one row for each video.

  Args:
    path: The file.
    parse: Reads a line; None where it has none of the forms.
    forms: The forms, for messages.
    findings: Gathers lines of no known form, once, and rows that make no sense.
    span_ends: See `make_span`.

  Returns:
    What it says.

  Raises:
    PreparationError: No text can be read there.
  """
  videos: dict[str, Annotation] = {}
  unknown = []
  for where, line in _read_lines(path):
    row = parse(line)
    if row is None or len(row.numbers) % 2:
      unknown.append((where, line))
    else:
      _add_row(videos, where, row, findings, span_ends)
  if unknown:
    where, line = unknown[0]
    findings.add(
      "manifest",
      where,
      f"lines of a form that is not known: {len(unknown)}, the first {line!r}. "
      f"Known are: {'; '.join(forms)}.",
    )
  return Rows(videos, not unknown, span_ends == "inclusive")


def _read_lines(path: Path) -> Iterator[tuple[str, str]]:
  """Lines that are not empty, each with its place."""
  for number, line in enumerate(read_text(path).splitlines(), 1):
    if line.strip():
      yield f"{path}:{number}", line.strip()


def _add_row(
  videos: dict[str, Annotation],
  where: str,
  row: Row,
  findings: Findings,
  span_ends: str,
) -> None:
  name = bare_name(row.name)
  if name in videos:
    findings.add("manifest", where, f"{name} is annotated twice; keep one row.")
    return
  pairs = zip(row.numbers[::2], row.numbers[1::2], strict=True)
  spans = None
  try:
    spans = tuple(
      make_span(*pair, span_ends) for pair in pairs if pair != (-1, -1)
    )
  except ValueError as error:
    findings.add("bad-span", where, f"{name}: {error}.", name)
  videos[name] = Annotation(name, spans, row.frames, row.category)


def make_span(start: int, end: int, span_ends: str = "exclusive") -> Span:
  """Makes a half-open span.

  Args:
    start: The first anomalous frame.
    end: The first normal frame after it, or the last anomalous one.
    span_ends: "exclusive" or "inclusive": which of the two.

  Raises:
    ValueError: It is empty, reversed or begins before the video.
  """
  inclusive = span_ends == "inclusive"
  if 0 <= start == end and not inclusive:
    raise ValueError(
      f"span {start}-{end} has no frame, as its end is the first normal one; "
      f"for frame {start} alone write {start}-{start + 1}, or, if the ends of "
      "all rows are anomalous frames, give --span-ends inclusive"
    )
  if start < 0 or end < start:
    raise ValueError(
      f"span {start}-{end}: start must be 0 or more, end "
      f"{'not before' if inclusive else 'beyond'} it"
    )
  return start, end + inclusive


def parse_spans(text: str, span_ends: str = "exclusive") -> tuple[Span, ...]:
  """Parses "start-end" spans separated by blanks.

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
    spans.append(make_span(int(match[1]), int(match[2]), span_ends))
  return tuple(spans)


def bare_name(path: str) -> str:
  """A video's name without folders and the ending .mp4 or .avi."""
  return re.sub(r"\.(mp4|avi)$", "", re.split(r"[/\\]", path)[-1].strip())
