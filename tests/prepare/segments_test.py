"""Segment means, padding, audio."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from adplg_jax.prepare import segments

GOLDEN = Path(__file__).parent.parent / "golden" / "segments.npz"


def golden_features(name, shape):
  rng = np.random.RandomState(zlib.crc32(name.encode()) % 2**32)
  return 0.5 * np.abs(rng.standard_normal(shape))


def test_segments_equal_the_authors():
  compared = 0
  with np.load(GOLDEN, allow_pickle=False) as golden:
    for key in golden:
      *way, count, snippets = key.split("_")
      n, t = int(count[1:]), int(snippets[1:])
      x = golden_features(f"segment{t}", (t, 6)).astype(np.float32)
      padded, length = segments.pad_or_average(x, n)
      got = {
        "mean": lambda x=x, n=n: segments.segment_means(x, n),
        "clip": lambda padded=padded: padded,
        "clip_length": lambda length=length: length,
      }["_".join(way)]()
      np.testing.assert_allclose(got, golden[key], rtol=1e-6, err_msg=key)
      compared += 1
  assert compared >= 60


def test_segment_means_of_half_precision_are_taken_in_single():
  x = np.full((4096, 2), 40.0, np.float16)
  np.testing.assert_array_equal(
    segments.segment_means(x, 2), np.full((2, 2), 40.0)
  )


def test_segment_means_by_hand():
  x = np.arange(5, dtype=np.float32)[:, None]
  np.testing.assert_array_equal(segments.segment_means(x, 2)[:, 0], [0.5, 3.0])
  np.testing.assert_array_equal(
    segments.segment_means(x[:2], 5)[:, 0], [0, 0, 0, 1, 1]
  )


def test_padding_keeps_the_length():
  x = np.ones((3, 2), np.float32)
  padded, length = segments.pad_or_average(x, 5)
  assert length == 3
  np.testing.assert_array_equal(padded.sum(axis=1), [2, 2, 2, 0, 0])
  assert segments.pad_or_average(np.ones((6, 2), np.float32), 5)[1] == 5
  assert segments.pad_or_average(np.ones((5, 2), np.float32), 5)[1] == 5


@pytest.mark.parametrize("rows", [3, 4, 5, 6, 7])
def test_audio_is_brought_to_the_videos_length(rows):
  x = np.zeros((5, 2), np.float32)
  audio = np.arange(rows, dtype=np.float32)[:, None] + 1
  joined = segments.join_audio(x, audio)
  want = [*range(1, rows + 1), *[rows] * 5][:5]
  np.testing.assert_array_equal(joined[:, 2], want)


@pytest.mark.parametrize("rows", [2, 8])
def test_audio_of_another_length_is_refused(rows):
  with pytest.raises(ValueError, match=f"{rows} rows of audio for 5 snippets"):
    segments.join_audio(
      np.zeros((5, 2), np.float32), np.zeros((rows, 1), np.float32)
    )


def example(spans, *, frames, step=16, window=16, length=4, exact=True):
  return {
    "features": np.zeros((4, 2), np.float32),
    "length": length,
    "frames": frames,
    "frames_per_snippet": step,
    "window": window,
    "spans": np.array(spans, np.int64).reshape(-1, 2),
    "exact_spans": exact,
  }


@pytest.mark.parametrize(
  ("want", "spans", "settings"),
  [
    ([0, 0.75, 0.5, 0], [(20, 40)], {"frames": 60}),
    # Eight snippets, two a segment.
    ([0, 1, 0.25, 0], [(32, 72)], {"frames": 128}),
    # The end of annotated rows belongs to the span where that is said.
    ([0, 0, 0, 3 / 32], [(62, 64)], {"frames": 80, "exact": False}),
    # Frames of overlapping windows belong to the nearest centre.
    ([0, 0.5, 0.5, 0], [(20, 28)], {"frames": 48, "step": 8, "window": 24}),
    # Two snippets, then padding.
    ([0, 0.5, 0, 0], [(24, 40)], {"frames": 32, "length": 2}),
  ],
)
def test_the_truth_of_segments(want, spans, settings):
  found = segments.segment_truth(
    example(spans, **settings), span_ends="inclusive"
  )
  np.testing.assert_allclose(found, want)
  assert found.dtype == np.float32


def test_the_truth_is_unknown_without_spans():
  found = segments.segment_truth(example([], frames=64), span_ends="exclusive")
  assert found.shape == (4,)
  assert np.isnan(found).all()
