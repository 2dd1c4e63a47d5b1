"""Annotations: spans, masks, rows that make no sense."""

import re

import numpy as np
import pytest

from adplg_jax.prepare import annotation
from adplg_jax.prepare.sources import ucf_crime, xd_violence
from tests.prepare.official_layouts import parse_rows


def test_masks_are_cut_or_extended():
  mask = np.array([False, True])
  np.testing.assert_array_equal(annotation.fit_mask(mask, 4), [0, 1, 1, 1])
  np.testing.assert_array_equal(annotation.fit_mask(mask, 1), [0])


def test_spans_of_a_manifest():
  assert annotation.parse_spans("") == ()
  assert annotation.parse_spans(" 3-5  10-20") == ((3, 5), (10, 20))


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("3:5", "'3:5' is no span; write \"start-end\""),
    ("3 - 5", "'3' is no span"),
    ("5-5", "span 5-5: start must be 0 or more, end beyond it"),
    ("9-5", "span 9-5"),
  ],
)
def test_bad_spans_of_a_manifest(text, message):
  with pytest.raises(ValueError, match=message):
    annotation.parse_spans(text)


@pytest.mark.parametrize("reader", [ucf_crime.read_rows, xd_violence.read_rows])
@pytest.mark.parametrize(
  ("line", "kind", "message"),
  [
    ("a_x264.mp4 Abuse 10 20 30", "manifest", "is "),
    ("nothing", "manifest", "'nothing' is "),
    ("a_x264.mp4 Abuse 20 10", "bad-span", "span 20-10"),
  ],
)
def test_rows_that_make_no_sense_are_found(
  tmp_path, reader, line, kind, message
):
  rows, findings = parse_rows(reader, tmp_path, f"\n{line}\n")
  assert not rows
  assert [item.kind for item in findings] == [kind]
  assert message in findings[0].detail
  assert findings[0].where.endswith("annotations.txt:2")


def test_a_video_annotated_twice_is_found(tmp_path):
  _, findings = parse_rows(
    xd_violence.read_rows, tmp_path, "a 1 2\na.mp4 3 4\n"
  )
  assert "annotated twice" in findings[0].detail


@pytest.mark.parametrize("what", ["bytes", "folder"])
def test_annotations_that_are_no_text_are_named(ucf, what):
  ucf.annotations = ucf.root / "odd"
  if what == "folder":
    ucf.annotations.mkdir()
  else:
    ucf.annotations.write_bytes(b"caf\xe9 165 240")
  assert re.match(rf"{ucf.annotations}: cannot be read as text", ucf.report())
