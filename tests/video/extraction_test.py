"""Features of snippets of videos made here, by a backbone that is a mean."""

import jax
import numpy as np
import pytest

from adplg_jax.video.extraction import (
  Backbone,
  Ended,
  Extractor,
  Snippet,
  Spent,
)
from adplg_jax.video.profiles import PROFILES, crop, find_profile
from tests.video import stub
from tests.video.clips import quarters, ramp, write_video

PROFILE = find_profile("kinetics-scratch")


def extracted(*videos, profile=PROFILE, backbone=None, **options):
  """What is streamed of videos."""
  extractor = Extractor(profile, backbone or stub.stub(), **options)
  return list(extractor.stream(videos))


def snippets(items):
  return [item for item in items if isinstance(item, Snippet)]


def told(item):
  """What is known of an item, less what the clock says, and features."""
  if isinstance(item, Snippet):
    return item[:4]
  return item._replace(spent=Spent())


@pytest.fixture
def video(tmp_path):
  """40 frames, grey and brighter from frame to frame."""
  return write_video(tmp_path / "a.mkv", [ramp(n) for n in range(40)])


def scaled(grey):
  return np.float32(grey) * 2 / 255 - 1


def test_a_snippet_is_of_16_frames_and_the_tail_is_dropped(video):
  *found, end = extracted(video)
  assert [item.index for item in found] == [0, 1]
  for item in found:
    first = 16 * item.index
    assert item.video == video
    assert item.features.shape == (1, 4) and item.features.dtype == np.float32
    greys = scaled([5 * n for n in range(first, first + 16)])
    np.testing.assert_allclose(
      item.features[0],
      [greys.mean(), greys[0], greys[-1], greys.mean()],
      atol=1e-5,
    )
    np.testing.assert_allclose(
      [item.start, item.end], [first / 25, (first + 16) / 25], atol=1e-3
    )
  assert told(end) == Ended(video, 40, 40, 25.0, ())


def test_it_is_known_how_long_each_video_took(tmp_path, video):
  other = write_video(tmp_path / "b.mkv", [ramp(n % 50) for n in range(200)])
  extractor = Extractor(PROFILE, stub.stub(), batch_clips=1)
  items = list(extractor.stream([video, video, other]))
  # The first one had to be compiled for.
  _, *ends = (item for item in items if isinstance(item, Ended))
  for kind in ("decoding", "features"):
    one, more = (getattr(end.spent, kind) for end in ends)
    assert 0 < one < more


def test_the_tail_is_repeated(video):
  found = snippets(extracted(video, profile=PROFILES["urdmu"]))
  assert len(found) == 3
  greys = scaled([5 * n for n in range(32, 40)] + [5 * 39] * 8)
  np.testing.assert_allclose(found[2].features[0, 0], greys.mean(), atol=2e-3)
  np.testing.assert_allclose([found[2].start, found[2].end], [1.28, 1.6])


def test_the_middle_frame_alone(video):
  shapes = []

  def noted(variables, clips):
    shapes.append((clips.shape, clips.dtype))
    return stub.features(variables, clips)

  backbone = Backbone(noted, jax.numpy.float32(1), stub.SHA256)
  *found, end = extracted(
    video, profile=PROFILES["vadclip"], backbone=backbone, batch_clips=2
  )
  assert shapes == [((2, 1, 224, 224, 3), np.uint8)]
  for item in found:
    grey = scaled(5 * (16 * item.index + 8))
    np.testing.assert_allclose(item.features[0], [grey] * 4, atol=1e-5)
    # Times are those of all frames.
    np.testing.assert_allclose(
      [item.start, item.end],
      [16 * item.index / 25, 16 * (item.index + 1) / 25],
      atol=1e-3,
    )
  assert len(found) == 2 and told(end) == Ended(video, 40, 40, 25.0, ())


def test_frames_that_are_not_seen_are_not_resized(video, monkeypatch):
  profile, resized = PROFILES["vadclip"], []
  resize = type(profile).resize
  monkeypatch.setattr(
    type(profile),
    "resize",
    lambda *args: resized.append(1) or resize(*args),
  )
  extracted(video, profile=profile)
  assert len(resized) == 2


@pytest.mark.parametrize("crops", [1, 5, 10])
def test_crops_are_in_the_profiles_order(tmp_path, crops):
  image = quarters((256, 340))
  video = write_video(tmp_path / "a.mkv", [image] * 16)
  (snippet,) = snippets(extracted(video, crops=crops))
  assert snippet.features.shape == (crops, 4)
  for row, place in zip(snippet.features, PROFILE.crops(crops), strict=True):
    cut = scaled(crop(image, place))
    np.testing.assert_allclose(
      row[[0, 3]], [cut.mean(), cut[:, :112].mean()], atol=1e-5
    )


def test_videos_share_batches_and_change_nothing(tmp_path):
  paths = [
    write_video(tmp_path / f"{count}.mkv", [ramp(n) for n in range(count)])
    for count in (35, 16, 50, 20)
  ]
  one = [extracted(path, batch_clips=1) for path in paths]
  shapes = []

  def noted(variables, clips):
    shapes.append(clips.shape)
    return stub.features(variables, clips)

  backbone = Backbone(noted, jax.numpy.float32(1), stub.SHA256)
  together = extracted(*paths, backbone=backbone, batch_clips=3)
  # Traced once: one shape, whatever the number of snippets.
  assert shapes == [(3, 16, 224, 224, 3)]
  expected = [item for items in one for item in items]
  assert list(map(told, together)) == list(map(told, expected))
  for item, other in zip(snippets(together), snippets(expected), strict=True):
    np.testing.assert_allclose(item.features, other.features, atol=1e-6)


def test_a_batch_holds_whole_snippets(tmp_path):
  video = write_video(tmp_path / "a.mkv", [ramp(n) for n in range(48)])
  found = snippets(extracted(video, crops=5, batch_clips=11))
  assert [item.features.shape for item in found] == [(5, 4)] * 3


def test_snippets_come_while_the_video_is_still_decoded(tmp_path):
  video = write_video(tmp_path / "a.mkv", [ramp(n % 50) for n in range(800)])
  stream = Extractor(PROFILE, stub.stub(), batch_clips=1).stream([video])
  assert next(stream).index == 0
  stream.close()


def test_bad_videos_are_told_and_the_others_go_on(tmp_path, video):
  short = write_video(tmp_path / "short.mkv", [ramp(n) for n in range(15)])
  single = write_video(tmp_path / "single.mkv", [ramp(0)])
  nowhere = str(tmp_path / "nowhere.mp4")
  items = extracted(nowhere, short, video, single)
  ends = {item.video: item for item in items if isinstance(item, Ended)}
  assert list(ends) == [nowhere, short, video, single]
  assert "nowhere.mp4: cannot be read" in ends[nowhere].error
  assert "short.mkv: has 15 frames, 25 a second" in ends[short].error
  assert "single.mkv: has 1 frames" in ends[single].error
  assert ends[video].error == ""
  assert {item.video for item in snippets(items)} == {video}


def test_too_few_frames_are_refused_where_the_tail_is_repeated(tmp_path):
  short = write_video(tmp_path / "short.mkv", [ramp(n) for n in range(15)])
  (end,) = extracted(short, profile=PROFILES["urdmu"])
  assert "has 15 frames" in end.error


def test_another_frame_rate(video):
  *found, end = extracted(video, fps=50.0)
  assert len(found) == 5 and end.frame_rate == 50
  assert end.decoded == 40 and end.taken == 80
  np.testing.assert_allclose([s.start for s in found], np.arange(5) * 0.32)
  (end,) = extracted(video, fps=5.0)
  assert "has 8 frames, 5 a second" in end.error


def test_a_frame_size_that_changes(tmp_path):
  # Two files, one after the other.
  paths = [tmp_path / "a.mpg", tmp_path / "b.mpg"]
  for path, size in zip(paths, [(48, 64), (96, 160)], strict=True):
    write_video(
      path, [ramp(9, size)] * 20, codec="mpeg2video", pixels="yuv420p"
    )
  both = tmp_path / "both.mpg"
  both.write_bytes(b"".join(path.read_bytes() for path in paths))
  found = snippets(extracted(str(both)))
  assert len(found) == 2
  np.testing.assert_allclose(found[1].features[0], scaled(45), atol=0.02)


def test_the_kind_names_profile_and_weights():
  kinds = {
    Extractor(profile, stub.stub(sha256)).kind
    for profile in PROFILES.values()
    for sha256 in ("ab" * 32, "cd" * 32)
  }
  assert len(kinds) == 8 and "rocng:abababab" in kinds


def test_other_numbers_of_crops_are_refused():
  with pytest.raises(ValueError, match="crops is 2; allowed: 1, 5 or 10"):
    Extractor(PROFILE, stub.stub(), crops=2)
