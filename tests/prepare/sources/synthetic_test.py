"""The synthetic data set: prepared, and read back."""

import numpy as np
import pytest

from adplg_jax.data import store
from adplg_jax.prepare import segments
from adplg_jax.prepare.sources.synthetic_videos import VARIANTS, make_videos
from tests import layouts


def test_synthetic_comes_back_as_it_was_made(tmp_path):
  spec = VARIANTS["tiny"]
  layouts.prepare_synthetic(str(tmp_path), "tiny", 8)
  data = store.open_dataset(str(tmp_path), "synthetic", "tiny", 8)
  videos = {video.name: video for video in make_videos(spec)}
  longest = max(
    (video for video in videos.values() if video.split == "test"),
    key=lambda video: len(video.features[0]),
  )
  assert data.metadata == store.Metadata(
    fingerprint=data.metadata.fingerprint,
    longest_test_video=longest.name,
    longest_test_snippets=len(longest.features[0]),
    feature_width=spec.feature_width,
    num_segments=8,
    num_video_keys=spec.train_anomalous,
    num_crop_keys=spec.train_anomalous * spec.crops,
    dtype="float32",
    categories=tuple(sorted(spec.classes)),
    frames_per_snippet=16,
    window=16,
    training_truth=spec.train_anomalous,
  )
  assert len(data.train_normal) == spec.train_normal * spec.crops
  for split in (data.train_normal, data.train_anomalous, data.test):
    for example in split:
      video = videos[example["video"]]
      crop = video.features[example["crop"]]
      if video.split == "train":
        crop = segments.segment_means(crop, 8)
      np.testing.assert_array_equal(example["features"], crop)
      assert example["features"].dtype == np.float32
      assert example["length"] == len(crop)
      assert example["label"] == video.label
      assert example["category"] == video.category
      assert example["frames"] == video.frames
      assert example["frames_per_snippet"] == 16
      assert example["has_spans"]
      assert [tuple(span) for span in example["spans"]] == list(video.spans)


def test_an_unknown_synthetic_variant_is_refused(tmp_path):
  with pytest.raises(ValueError, match="variant is 'huge'; allowed: small"):
    layouts.prepare_synthetic(str(tmp_path), "huge", 4)
