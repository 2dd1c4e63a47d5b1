"""What is wrong with the files of a data set: gathered, counted, reported."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

SHOWN = 5

KINDS: Mapping[str, str] = {
  "manifest": "invalid rows of a manifest, list or annotation file",
  "missing-file": "feature files that do not exist",
  "unreadable": "files that are no array that is read",
  "truncated": "truncated files",
  "object-array": "object arrays, which are not loaded",
  "wrong-dtype": "arrays that are neither float16 nor float32",
  "wrong-shape": "arrays that are neither [T, D] nor [T, C, D]",
  "wrong-axes": "arrays whose axes are in another order",
  "empty": "files without a snippet",
  "wrong-width": "files with another feature width",
  "not-finite": "files with NaN or infinity",
  "zero-rows": "files with rows that are all zero",
  "dead-features": "features that say nothing",
  "mixed-kinds": "videos whose features were made in another way",
  "same-content": "training videos with the features of a test video",
  "unknown-name": "file names that are not of the data set's form",
  "unknown-class": "videos of an unknown class",
  "missing-crops": "videos without all their crops",
  "surplus-crops": "videos with crops they should not have",
  "crop-length": "videos whose crops differ in length",
  "both-splits": "videos that are in training and in test",
  "list-label": "labels that contradict the name or the category",
  "no-annotation": "test videos without an annotation",
  "no-video": "annotations without a video",
  "bad-span": "videos with spans that do not fit",
  "frame-count": "videos whose annotated frames do not fit their snippets",
  "missing-audio": "videos without an audio file",
  "audio-length": "videos whose audio does not fit their snippets",
  "ground-truth": "ground-truth arrays that do not fit the test videos",
  "split-classes": "splits that lack a class",
}
# Kinds that concern the data set as a whole: no video can be left out.
NOT_SKIPPED = frozenset(
  {"manifest", "ground-truth", "split-classes", "dead-features"}
)
# With these, it is not known which videos there are.
UNCERTAIN = frozenset({"manifest", "unknown-name", "unknown-class"})
SKIPPABLE = tuple(kind for kind in KINDS if kind not in NOT_SKIPPED)


class PreparationError(ValueError):
  """A data set that cannot be prepared as it is."""


@dataclasses.dataclass(frozen=True)
class Finding:
  """One thing that is wrong.

  Attributes:
    kind: A key of `KINDS`.
    where: File, row or video.
    detail: What is wrong and what to do.
    video: The video to drop, if one is affected.
  """

  kind: str
  where: str
  detail: str
  video: str | None = None


class Findings:
  """All that was found, in order.

  Attributes:
    items: The findings.
    notes: Counts of what was adjusted or ignored without harm.
  """

  def __init__(self):
    self.items: list[Finding] = []
    self._known: set[Finding] = set()
    self.notes: Counter[str] = Counter()

  def add(
    self, kind: str, where: object, detail: str, video: str | None = None
  ) -> None:
    """Adds a finding, unless it is known: crops may share a bad file."""
    if kind not in KINDS:
      raise ValueError(f"finding is {kind!r}; allowed: {', '.join(KINDS)}.")
    finding = Finding(kind, str(where), detail, video)
    if finding not in self._known:
      self._known.add(finding)
      self.items.append(finding)

  def note(self, text: str, count: int = 1) -> None:
    """Counts something harmless."""
    self.notes[text] += count

  def note_lines(self) -> list[str]:
    """The notes, a line each."""
    return [f"note: {count} {text}" for text, count in self.notes.items()]

  def dropped(
    self,
    skipped: Collection[str],
    emptied: Callable[[Collection[str]], str] = lambda dropped: "",
  ) -> set[str]:
    """Videos to drop when some kinds are skipped.

    Args:
      skipped: The kinds.
      emptied: What dropping videos leaves nothing of, in words; "" for what
        can be done without.

    Raises:
      PreparationError: Findings of other kinds, all of them reported; or there
        would be nothing left.
    """
    blocking = [item for item in self.items if item.kind not in skipped]
    if blocking:
      errors = "error" if len(blocking) == 1 else "errors"
      lines = [f"Found {len(blocking)} {errors}; nothing was written."]
      lines += describe(blocking)
      kinds = {item.kind for item in blocking} | set(skipped)
      if not kinds & NOT_SKIPPED:
        lost = emptied(self._videos())
        option = f"--skip-bad {','.join(sorted(kinds))}"
        lines.append(
          f"Fix the files; {option} would leave no {lost}."
          if lost
          else f"Fix the files, or leave these videos out with {option}"
        )
      raise PreparationError("\n".join(lines))
    dropped = self._videos()
    lost = emptied(dropped)
    if lost:
      lines = [f"--skip-bad would leave no {lost}; nothing was written."]
      raise PreparationError("\n".join([*lines, *describe(self.items)]))
    return dropped

  def _videos(self) -> set[str]:
    return {item.video for item in self.items if item.video is not None}


def describe(items: Sequence[Finding]) -> list[str]:
  """The count of each kind, and its first findings."""
  lines = []
  for kind, meaning in KINDS.items():
    own = [item for item in items if item.kind == kind]
    if not own:
      continue
    lines.append(f"{kind}: {len(own)} ({meaning})")
    lines += [f"  {item.where}: {item.detail}" for item in own[:SHOWN]]
    if len(own) > SHOWN:
      lines.append(f"  ... and {len(own) - SHOWN} more")
  return lines
