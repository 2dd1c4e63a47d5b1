"""Spans for feature files that came without labels."""

import numpy as np
import pytest

from adplg_jax.prepare.findings import Findings, PreparationError
from adplg_jax.prepare.known_spans import (
  by_file,
  read_known_spans,
  shared_names,
)
from adplg_jax.prepare.manifest import read_manifest
from adplg_jax.prepare.videos import Video
from tests import layouts


def annotated(path, *names, first="", span_ends="exclusive"):
  """{name: video, or None}, and the findings."""
  findings = Findings()
  spans = read_known_spans(path, findings, first=first, span_ends=span_ends)
  shared = shared_names(names)
  videos = [Video(name, "test", 0, "", (), name, snippets=20) for name in names]
  return {
    video.name: spans.annotate(video, findings, shared) for video in videos
  }, findings


def text(tmp_path, *lines):
  path = tmp_path / "spans.txt"
  path.write_text("\n".join(lines) + "\n")
  return path


def test_own_lines_and_videos_without_one(tmp_path):
  path = text(
    tmp_path, "video,spans", "", "kitchen.mp4 16-32 48-64", "b/yard,8-9",
    "kitchen 100-104",
  )  # fmt: skip
  found, findings = annotated(path, "a/kitchen", "b/yard", "street")
  assert found["a/kitchen"].spans == ((16, 32), (48, 64), (100, 104))
  assert found["b/yard"].spans == ((8, 9),)
  assert [v.label for v in found.values()] == [1, 1, 0]
  assert found["street"].category == "Normal" and found["street"].spans == ()
  assert not findings.items


def test_ends_of_own_lines(tmp_path):
  path = text(tmp_path, "v 16-31")
  for span_ends, end in (("exclusive", 31), ("inclusive", 32)):
    found, _ = annotated(path, "v", span_ends=span_ends)
    assert found["v"].spans == ((16, end),)
    assert found["v"].exact_spans == (span_ends == "inclusive")


def test_rows_of_ucf_crime(tmp_path):
  path = text(
    tmp_path,
    "Abuse028_x264.mp4  Abuse  165  240  -1  -1",
    "Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1",
    "cam7.mp4  Fire  16  32  -1  -1",
  )
  names = ("t/Abuse028_x264", "Normal_Videos_003_x264", "cam7", "unknown")
  found, findings = annotated(path, *names)
  abuse, normal, own, unknown = found.values()
  assert (abuse.label, abuse.category, abuse.spans) == (
    1,
    "Abuse",
    ((165, 240),),
  )
  assert (normal.label, normal.category, normal.spans) == (0, "Normal", ())
  assert (own.label, own.category, own.spans) == (1, "Fire", ((16, 32),))
  assert unknown is None and not findings.items


def test_rows_of_xd_violence_whose_names_tell_the_rest(tmp_path):
  path = text(tmp_path, "a__#1_label_B2-0-0 16 48 100 128")
  names = ("a__#1_label_B2-0-0", "b__#1_label_A", "c__#1_label_G-0-0")
  found, _ = annotated(path, *names)
  assert [v.label for v in found.values()] == [1, 0, 1]
  spans = [v.spans for v in found.values()]
  assert spans == [((16, 48), (100, 128)), (), None]


def test_masks(tmp_path):
  np.save(tmp_path / "01_0014.npy", np.repeat([0, 1, 0], [32, 16, 272]))
  found, findings = annotated(tmp_path, "01_0014", "02_001")
  assert found["01_0014"].spans == ((32, 48),)
  assert [v.label for v in found.values()] == [1, 0]
  assert found["01_0014"].exact_spans and not findings.items


def test_an_annotation_of_several_videos_is_refused(tmp_path):
  path = text(tmp_path, "cam 16-32", "b/cam 16-48")
  found, findings = annotated(path, "a/cam", "b/cam")
  assert found["a/cam"] is None and found["b/cam"].spans == ((16, 48),)
  (item,) = findings.items
  assert "several videos are named cam" in item.detail


def test_an_annotation_that_does_not_fit_is_found(tmp_path):
  """Such as one in frames of another rate."""
  found, findings = annotated(text(tmp_path, "v 16-900", "w 40-40"), "v", "w")
  assert found == {"v": None, "w": None}
  assert [item.kind for item in findings.items] == ["bad-span", "bad-span"]
  path = text(tmp_path, "Abuse028_x264 900 Abuse 16 32")
  found, findings = annotated(path, "Abuse028_x264")
  assert found["Abuse028_x264"] is None
  assert findings.items[0].kind == "frame-count"


@pytest.mark.parametrize(
  ("lines", "said"),
  [
    (["what is this 12"], "has no form of annotations that is known: VIDEO"),
    ([""], "has no line of annotations"),
  ],
)
def test_other_texts_are_refused(tmp_path, lines, said):
  with pytest.raises(PreparationError, match=said):
    annotated(text(tmp_path, *lines), "v")
  with pytest.raises(PreparationError, match="cannot be read"):
    annotated(tmp_path / "missing", "v")


def test_videos_of_a_manifest_by_file(tmp_path):
  rows = layouts.folder(tmp_path)
  path = layouts.write_manifest(tmp_path / "manifest.csv", rows)
  found = by_file(read_manifest(path, Findings()))
  assert found[(tmp_path / "test10.npy").resolve()].spans == ((16, 40),)
  assert len(found) == len(rows)
