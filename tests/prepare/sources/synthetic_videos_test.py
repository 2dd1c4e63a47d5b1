"""The synthetic generator's promises."""

import dataclasses

import numpy as np
import pytest

from adplg_jax.prepare.sources.synthetic_videos import VARIANTS, make_videos


@pytest.fixture(scope="module")
def videos():
  return list(make_videos(VARIANTS["tiny"]))


def test_counts_and_names(videos):
  spec = VARIANTS["tiny"]
  count = {
    (split, label): sum(v.split == split and v.label == label for v in videos)
    for split in ("train", "test")
    for label in (0, 1)
  }
  assert count == {
    ("train", 0): spec.train_normal,
    ("train", 1): spec.train_anomalous,
    ("test", 0): spec.test_normal,
    ("test", 1): spec.test_anomalous,
  }
  assert len({v.name for v in videos}) == len(videos)


def test_features_are_like_i3ds(videos):
  for video in videos:
    crops, snippets, width = video.features.shape
    assert video.features.dtype == np.float32
    assert (video.features >= 0).all()
    assert np.isfinite(video.features).all()
    assert crops == VARIANTS["tiny"].crops
    assert width == VARIANTS["tiny"].feature_width
    assert 16 * (snippets - 1) < video.frames <= 16 * snippets


def test_spans_lie_in_anomalous_videos_alone(videos):
  for video in videos:
    assert bool(video.spans) == bool(video.label)
    assert (video.category == "Normal") == (not video.label)
    for start, end in video.spans:
      assert 0 <= start < end <= video.frames
  starts = [start for video in videos for start, _ in video.spans]
  assert any(start % 16 for start in starts)


def test_neighbouring_snippets_are_alike(videos):
  near, far = [], []
  for video in videos:
    x = video.features[0]
    near.append(np.abs(x[1:] - x[:-1]).mean())
    far.append(np.abs(x[6:] - x[:-6]).mean())
  assert np.mean(near) < 0.8 * np.mean(far)


def test_crops_of_a_video_are_alike_but_not_equal(videos):
  for video in videos:
    first, second = video.features[:2].reshape(2, -1)
    assert not np.array_equal(first, second)
    assert np.corrcoef(first, second)[0, 1] > 0.8


def test_the_seed_determines_all(videos):
  again = list(make_videos(VARIANTS["tiny"]))
  other = next(make_videos(dataclasses.replace(VARIANTS["tiny"], seed=1)))
  for a, b in zip(videos, again, strict=True):
    np.testing.assert_array_equal(a.features, b.features)
    assert a.spans == b.spans
  assert other.features.shape != videos[0].features.shape or not np.array_equal(
    other.features, videos[0].features
  )
