"""Videos and crops: where features come from, audio, frames."""

import dataclasses

import numpy as np
import pytest

from adplg_jax.prepare.feature_files import FeatureFileError
from adplg_jax.prepare.videos import ArrayCrop, FileCrop, Video
from tests import layouts


def crop(tmp_path, audio_rows=None, width=3):
  """A crop of 4 snippets, with `audio_rows` rows of 2 channels of audio."""
  path = layouts.save(tmp_path / "v.npy", layouts.features("v", 4, width))
  if audio_rows is None:
    return FileCrop(0, path)
  audio = tmp_path / "a.npy"
  if audio_rows:
    layouts.save(audio, layouts.features("a", audio_rows, 2))
  return FileCrop(0, path, audio=audio, visual_width=3)


def test_a_crop_of_a_file(tmp_path):
  found = crop(tmp_path)
  np.testing.assert_array_equal(found.read(), layouts.features("v", 4, 3))
  assert found.where() == str(tmp_path / "v.npy")
  assert found.size() == (tmp_path / "v.npy").stat().st_size
  assert found.adjustment() == ""


def test_a_column_of_a_file(tmp_path):
  x = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
  path = layouts.save(tmp_path / "v.npy", x)
  np.testing.assert_array_equal(FileCrop(0, path, column=1).read(), x[:, 1])


@pytest.mark.parametrize(
  ("rows", "adjustment"), [(3, "extended"), (4, ""), (5, "cut")]
)
def test_audio_follows_the_visual_channels(tmp_path, rows, adjustment):
  found = crop(tmp_path, rows)
  x = found.read()
  np.testing.assert_array_equal(x[:, :3], layouts.features("v", 4, 3))
  audio = layouts.features("a", rows, 2)
  audio = audio[np.minimum(np.arange(4), rows - 1)]
  np.testing.assert_array_equal(x[:, 3:], audio)
  assert found.adjustment().rpartition(" ")[2] == adjustment


@pytest.mark.parametrize(
  ("rows", "width", "kind"),
  [(0, 3, "missing-audio"), (9, 3, "audio-length"), (4, 5, "wrong-width")],
)
def test_audio_that_does_not_fit(tmp_path, rows, width, kind):
  with pytest.raises(FeatureFileError) as error:
    crop(tmp_path, rows, width).read()
  assert error.value.kind == kind


def test_a_file_that_is_missing_has_no_size(tmp_path):
  assert FileCrop(0, tmp_path / "v.npy").size() == 0


def test_a_crop_in_memory():
  x = layouts.features("v", 4)
  found = ArrayCrop(2, x, "made")
  assert found.read() is x
  assert (found.where(), found.index, found.size()) == ("made", 2, 0)


def test_frames_follow_from_the_snippets_unless_they_are_known():
  video = Video("v", "test", 0, "Normal", (), "v", snippets=5)
  assert video.total_frames == 80
  twenty = dataclasses.replace(video, frames_per_snippet=20)
  assert twenty.total_frames == 100
  assert dataclasses.replace(twenty, frames=93).total_frames == 93


def test_spans_that_begin_past_the_frames_are_not_scored():
  spans = ((3, 5), (79, 90), (80, 81))
  video = Video("v", "test", 1, "Abuse", (), "v", spans=spans, snippets=5)
  assert video.scored_spans == ((3, 5), (79, 90))
