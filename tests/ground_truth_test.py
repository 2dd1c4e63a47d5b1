"""Annotation files, spans, frame labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adplg_jax.data import ground_truth as lib
from adplg_jax.data.findings import Findings


def parse(reader, tmp_path, text):
  path = tmp_path / "annotations.txt"
  path.write_text(text)
  findings = Findings()
  return reader(path, findings), findings.items


def test_frame_labels_by_hand():
  got = lib.frame_labels([(1, 3), (5, 9)], 7)
  np.testing.assert_array_equal(got, [0, 1, 1, 0, 0, 1, 1])
  got = lib.frame_labels(np.array([[1, 3]]), 5, span_ends="inclusive")
  np.testing.assert_array_equal(got, [0, 1, 1, 1, 0])
  assert not lib.frame_labels(np.zeros((0, 2), np.int64), 4).any()


def test_frame_labels_refuse_other_ends():
  with pytest.raises(ValueError, match="allowed: exclusive, inclusive"):
    lib.frame_labels([(0, 1)], 2, span_ends="open")


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_masks_and_spans_are_inverse(mask):
  mask = np.array(mask)
  spans = lib.mask_to_spans(mask)
  np.testing.assert_array_equal(lib.frame_labels(spans, len(mask)), mask)


def test_masks_are_cut_or_extended():
  mask = np.array([False, True])
  np.testing.assert_array_equal(lib.fit_mask(mask, 4), [0, 1, 1, 1])
  np.testing.assert_array_equal(lib.fit_mask(mask, 1), [0])


def test_spans_of_a_manifest():
  assert lib.parse_spans("") == ()
  assert lib.parse_spans(" 3-5  10-20") == ((3, 5), (10, 20))


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
    lib.parse_spans(text)


def test_ucf_rows_in_both_forms(tmp_path):
  rows, findings = parse(
    lib.read_ucf_crime,
    tmp_path,
    "Abuse028_x264.mp4  Abuse  165  240  -1  -1  \n"
    "Arson/Arson022_x264.mp4 8640 Arson 3500 4000 5000 5100\n"
    "\n"
    "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4  Normal"
    "  -1  -1  -1  -1\r\n",
  )
  assert not findings
  assert rows == {
    "Abuse028_x264": lib.Annotation(
      "Abuse028_x264", ((165, 240),), None, "Abuse"
    ),
    "Arson022_x264": lib.Annotation(
      "Arson022_x264", ((3500, 4000), (5000, 5100)), 8640, "Arson"
    ),
    "Normal_Videos_003_x264": lib.Annotation(
      "Normal_Videos_003_x264", (), None, "Normal"
    ),
  }


def test_xd_rows_with_blanks_and_mp4(tmp_path):
  rows, findings = parse(
    lib.read_xd_violence,
    tmp_path,
    "A Film 2__#00-01_label_B1-0-0.mp4 10 20 30 40\nv=x__#1_label_G 5 6\n",
  )
  assert not findings
  assert {name: row.spans for name, row in rows.items()} == {
    "A Film 2__#00-01_label_B1-0-0": ((10, 20), (30, 40)),
    "v=x__#1_label_G": ((5, 6),),
  }


@pytest.mark.parametrize("reader", [lib.read_ucf_crime, lib.read_xd_violence])
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
  rows, findings = parse(reader, tmp_path, f"\n{line}\n")
  assert not rows
  assert [item.kind for item in findings] == [kind]
  assert message in findings[0].detail
  assert findings[0].where.endswith("annotations.txt:2")


def test_a_video_annotated_twice_is_found(tmp_path):
  _, findings = parse(lib.read_xd_violence, tmp_path, "a 1 2\na.mp4 3 4\n")
  assert "annotated twice" in findings[0].detail
