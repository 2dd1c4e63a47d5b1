"""Findings: gathered once, counted, reported, skipped."""

import numpy as np
import pytest

from adplg_jax.prepare.findings import (
  NOT_SKIPPED,
  SHOWN,
  SKIPPABLE,
  Findings,
  PreparationError,
  describe,
)


def found(*kinds):
  """Findings of these kinds, each about a video of its own."""
  findings = Findings()
  for number, kind in enumerate(kinds):
    findings.add(kind, f"file{number}", "is bad.", f"video{number}")
  return findings


def test_a_finding_is_added_once():
  findings = found("empty")
  findings.add("empty", "file0", "is bad.", "video0")
  findings.add("empty", "file0", "is bad in another way.", "video0")
  assert len(findings.items) == 2


def test_an_unknown_kind_is_refused():
  with pytest.raises(ValueError, match="finding is 'odd'; allowed: manifest, "):
    Findings().add("odd", "file", "is bad.")


def test_notes_are_counted():
  findings = Findings()
  findings.note("spans clipped")
  findings.note("spans clipped", 2)
  findings.note("masks not used")
  assert findings.note_lines() == [
    "note: 3 spans clipped",
    "note: 1 masks not used",
  ]


def test_the_first_few_of_each_kind_are_described():
  findings = found(*["truncated"] * (SHOWN + 2), "manifest")
  lines = describe(findings.items)
  # In the order of the kinds, whatever was found first.
  assert lines[0].startswith("manifest: 1 (invalid rows of")
  assert lines[1] == f"  file{SHOWN + 2}: is bad."
  assert lines[2] == f"truncated: {SHOWN + 2} (truncated files)"
  assert lines[-2:] == [f"  file{SHOWN - 1}: is bad.", "  ... and 2 more"]
  assert len(lines) == 2 + 1 + SHOWN + 1


def test_videos_of_skipped_kinds_are_dropped():
  findings = found("empty", "truncated")
  findings.add("zero-rows", "a file of no video", "is bad.")
  kinds = ("empty", "truncated", "zero-rows")
  assert findings.dropped(kinds) == {"video0", "video1"}
  assert Findings().dropped(()) == set()


def test_other_kinds_are_reported_with_the_argument_that_skips_them():
  with pytest.raises(PreparationError) as error:
    found("empty", "truncated").dropped(["empty", "zero-rows"])
  first, *_, last = str(error.value).splitlines()
  assert first == "Found 1 error; nothing was written."
  assert last.endswith("--skip-bad empty,truncated,zero-rows")
  assert "video0" not in str(error.value)


@pytest.mark.parametrize("kind", sorted(NOT_SKIPPED))
def test_kinds_about_the_whole_data_set_cannot_be_skipped(kind):
  assert kind not in SKIPPABLE
  with pytest.raises(PreparationError) as error:
    found("empty", kind).dropped(SKIPPABLE)
  assert "--skip-bad" not in str(error.value)


def test_skip_bad_leaves_named_kinds_out(mine):
  x = np.load(mine.root / "train00.npy")
  x[2, 1] = np.nan
  np.save(mine.root / "train00.npy", x)
  status, printed = mine.prepare("--skip-bad", "wrong-width")
  assert status == 1
  assert "--skip-bad not-finite,wrong-width" in printed
  status, printed = mine.prepare("--skip-bad", "not-finite")
  assert status == 0
  assert (
    "Left out by --skip-bad: 1 normal training videos\nnot-finite: 1" in printed
  )
  data = mine.open()
  assert [e["video"] for e in data.train_normal] == ["train01"]
