"""Rows of annotated spans: ends, forms, lines that make no sense."""

import re

import pytest

from adplg_jax.prepare import annotation_rows
from adplg_jax.prepare.annotation_rows import Annotation, Row
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.sources import ucf_crime, xd_violence
from tests.prepare.official_layouts import parse_rows


def test_spans_of_a_manifest():
  assert annotation_rows.parse_spans("") == ()
  assert annotation_rows.parse_spans(" 3-5  10-20") == ((3, 5), (10, 20))
  spans = annotation_rows.parse_spans("3-5 7-7", "inclusive")
  assert spans == ((3, 6), (7, 8))


@pytest.mark.parametrize(
  ("text", "span_ends", "message"),
  [
    ("3:5", "exclusive", "'3:5' is no span; write \"start-end\""),
    ("3 - 5", "exclusive", "'3' is no span"),
    (
      "5-5",
      "exclusive",
      "5-5 has no frame, .* for frame 5 alone write 5-6, or",
    ),
    ("9-5", "exclusive", "span 9-5: start must be 0 or more, end beyond it"),
    (
      "9-5",
      "inclusive",
      "span 9-5: start must be 0 or more, end not before it",
    ),
  ],
)
def test_bad_spans_of_a_manifest(text, span_ends, message):
  with pytest.raises(ValueError, match=message):
    annotation_rows.parse_spans(text, span_ends)


def parse(line):
  name, *numbers = line.split()
  return None if name == "?" else Row(name, [int(n) for n in numbers], 99, "X")


def read(tmp_path, text, span_ends="exclusive"):
  path = tmp_path / "rows.txt"
  path.write_text(text)
  findings = Findings()
  forms = ("a 1 2", "a, 1, 2")
  rows = annotation_rows.read_rows(path, parse, forms, findings, span_ends)
  return rows, findings.items


@pytest.mark.parametrize(
  ("span_ends", "end"), [("exclusive", 5), ("inclusive", 6)]
)
def test_rows_are_read_with_the_ends_they_have(tmp_path, span_ends, end):
  text = "\ufeffx/a.mp4 3 5 -1 -1\n\nb.avi -1 -1\n"
  rows, findings = read(tmp_path, text, span_ends)
  assert not findings
  assert rows.videos == {
    "a": Annotation("a", ((3, end),), 99, "X"),
    "b": Annotation("b", (), 99, "X"),
  }
  assert (rows.complete, rows.exact) == (True, span_ends == "inclusive")


def test_lines_of_no_known_form_are_found_once(tmp_path):
  rows, findings = read(tmp_path, "a 1 2\n? x\nb 1 2 3\n? y\n")
  assert list(rows.videos) == ["a"]
  assert not rows.complete
  (item,) = findings
  assert (item.kind, item.where[-10:]) == ("manifest", "rows.txt:2")
  assert item.detail == (
    "lines of a form that is not known: 3, the first '? x'. Known are: a 1 2; "
    "a, 1, 2."
  )


def test_a_row_whose_span_is_refused_is_a_row(tmp_path):
  """So that its video is not said to be without one."""
  rows, findings = read(tmp_path, "a 1 2 165 165\n")
  assert rows.videos["a"].spans is None
  assert rows.complete
  (item,) = findings
  assert (item.kind, item.video) == ("bad-span", "a")
  assert "165-166" in item.detail


@pytest.mark.parametrize("source", [ucf_crime.SOURCE, xd_violence.SOURCE])
@pytest.mark.parametrize(
  "line", ["nothing", "a_label_G.mp4 Abuse 10", "a_label_G.mp4 Abuse 10 -1 -1"]
)
def test_the_sources_name_their_forms(tmp_path, source, line):
  rows, (item,) = parse_rows(source, tmp_path, f"\n{line}\n")
  assert not rows
  assert item.kind == "manifest"
  assert item.detail.startswith(
    f"lines of a form that is not known: 1, the first {line!r}. Known are: "
  )
  assert item.where.endswith("annotations.txt:2")


def test_a_video_annotated_twice_is_found(tmp_path):
  _, findings = read(tmp_path, "a 1 2\na.mp4 3 4\n")
  assert "annotated twice" in findings[0].detail


@pytest.mark.parametrize("what", ["bytes", "folder"])
def test_annotations_that_are_no_text_are_named(ucf, what):
  ucf.annotations = ucf.root / "odd"
  if what == "folder":
    ucf.annotations.mkdir()
  else:
    ucf.annotations.write_bytes(b"caf\xe9 165 240")
  faults = r": cannot be read: Is a dir|:1: byte 0xe9 is not UTF-8"
  assert re.match(f"{ucf.annotations}({faults})", ucf.report())
