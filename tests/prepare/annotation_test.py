"""Annotations of the test videos: rows and masks, missing ones and others."""

import numpy as np
import pytest

from adplg_jax.prepare import annotation
from adplg_jax.prepare.annotation_rows import Annotation, Rows
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.videos import Video

A = Video("a", "test", 1, "Abuse", (), "a", snippets=4)
N = Video("n", "test", 0, "Normal", (), "n", snippets=4)


def annotate(rows, videos=(A, N), **options):
  """Annotates videos by rows {name: spans}."""
  own = {name: Annotation(name, spans, 64) for name, spans in rows.items()}
  findings = Findings()
  known = Rows(own, options.get("complete", True), options.get("exact", False))
  annotations = annotation.SpanAnnotations(known, options.get("normal", True))
  found = annotations.annotate(list(videos), findings)
  kinds = [(item.kind, item.where) for item in findings.items]
  return found, kinds


@pytest.mark.parametrize("exact", [False, True])
def test_rows_give_the_spans_as_they_are(exact):
  found, kinds = annotate({"a": ((1, 5),), "n": ()}, exact=exact)
  assert not kinds
  assert [video.spans for video in found] == [((1, 5),), ()]
  assert [video.annotated_frames for video in found] == [64, 64]
  assert found[0].exact_spans == exact


@pytest.mark.parametrize(
  ("rows", "options", "kinds"),
  [
    ({"n": ()}, {}, [("no-annotation", "a")]),
    ({"a": (), "n": ()}, {}, [("no-annotation", "a")]),
    ({"a": ((1, 5),)}, {}, [("no-annotation", "n")]),
    ({"a": ((1, 5),)}, {"normal": False}, []),
    ({"a": ((1, 5),), "n": ((1, 2),)}, {}, [("bad-span", "n")]),
    # A span that was refused, and lines that were not understood, are found
    # already.
    ({"a": None, "n": ()}, {}, []),
    ({}, {"complete": False}, []),
    ({"a": ((1, 5),), "b": ()}, {"normal": False}, [("no-video", "b")]),
  ],
)
def test_rows_that_are_missing_or_do_not_fit_are_found(rows, options, kinds):
  assert annotate(rows, **options)[1] == kinds


def test_masks_are_cut_or_extended():
  mask = np.array([False, True])
  np.testing.assert_array_equal(annotation.fit_mask(mask, 4), [0, 1, 1, 1])
  np.testing.assert_array_equal(annotation.fit_mask(mask, 1), [0])


def test_spans_of_masks_are_exact():
  masks = annotation.MaskAnnotations({"a": np.arange(64) < 9})
  found = masks.annotate([A, N], Findings())
  assert [video.spans for video in found] == [((0, 9),), ()]
  assert [video.exact_spans for video in found] == [True, True]
