"""Overlays, clips and thumbnails of scored videos."""

import errno

import av
import numpy as np
import pytest

from adplg_jax.report.timeline import Timeline
from adplg_jax.score import drawing
from adplg_jax.score.drawing import Drawing, can_be_drawn
from adplg_jax.score.drawn import Plan
from adplg_jax.score.outputs import Outputs
from adplg_jax.scoring.intervals import IntervalRule, find_intervals
from adplg_jax.scoring.sequence import ScoredSequence, regular_times
from adplg_jax.video import encode
from adplg_jax.video.decode import Decoder
from tests.video.clips import number_of, quarters, ramp, write_video

RULE = IntervalRule(0.8, 0.6, largest_gap=0)
MODEL = {"fingerprint": "0123", "run": "runs/a", "step": 8}
FRAMES, RATE = 160, 16


def grey(number, size=(48, 64)):
  """A frame whose brightness is its number."""
  return np.full((*size, 3), number, np.uint8)


def scored(path, name="v", snippets=10, peaks=(2, 7), times=None):
  """A snippet a second."""
  scores = np.full(snippets, 0.1)
  for rank, at in enumerate(peaks):
    scores[at] = 0.9 + 0.01 * rank
  times = times or regular_times(snippets, 16, fps=float(RATE))
  video = ScoredSequence(name, scores, times, files=(str(path),))
  return Timeline(video, find_intervals(scores, RULE))


@pytest.fixture
def video(tmp_path):
  images = [grey(n) for n in range(FRAMES)]
  return write_video(tmp_path / "v.mkv", images, rate=RATE, sound=True)


def draw(tmp_path, *timelines, plan=Plan()):  # noqa: B008
  outputs = Outputs(tmp_path / "out", MODEL)
  return Drawing(plan)(timelines, RULE, outputs)


def frames(path):
  return list(Decoder(path))


def test_the_overlay_is_the_video_with_its_scores(tmp_path, video):
  drawn, failures = draw(tmp_path, scored(video))
  assert not failures
  path = drawn["v"].overlay
  assert path == tmp_path / "out/videos/v.mp4" and drawn["v"].seconds > 0
  found = frames(path)
  assert len(found) == FRAMES
  np.testing.assert_allclose(
    [frame.start for frame in found], np.arange(FRAMES) / RATE, atol=1e-3
  )
  assert found[-1].end == pytest.approx(FRAMES / RATE, abs=1e-3)
  for number in (10, 40, 150):
    image = found[number].image
    # The picture, 320 x 240, above the strip.
    assert abs(image[100:140, 100:200].mean() - number) < 3
  edges = [found[n].image[2:238, :2].mean((0, 1)) for n in (20, 40)]
  assert np.ptp(edges[0]) < 8 and np.ptp(edges[1]) > 80
  assert (found[20].image[250:] != found[150].image[250:]).mean() > 0.05
  with av.open(str(path)) as container:
    seconds = sum(f.samples for f in container.decode(audio=0)) / 8000
  assert seconds == pytest.approx(10, abs=0.2)
  assert drawn["v"].notes == ("its sound, pcm_s16le, is encoded again as AAC",)


def test_clips_are_of_the_highest_intervals(tmp_path, video):
  own = scored(video, peaks=(1, 4, 7))
  drawn, _ = draw(tmp_path, own, plan=Plan(clips=2))
  clips = drawn["v"].clips
  assert [clip.path.name for clip in clips] == [
    "v.interval_1.mp4", "v.interval_2.mp4",
  ]  # fmt: skip
  # A second before and after.
  assert [(clip.start, clip.end) for clip in clips] == [(3, 6), (6, 9)]
  for clip in clips:
    found = frames(clip.path)
    first = int(clip.start * RATE)
    numbers = [round(frame.image.mean()) for frame in found]
    np.testing.assert_allclose(numbers, range(first, first + 48), atol=2)
    assert found[0].start == pytest.approx(0, abs=1e-3)
    assert found[-1].end == pytest.approx(3, abs=1e-3)


def test_thumbnails_are_from_the_middle_of_the_peaks(tmp_path, video):
  drawn, _ = draw(tmp_path, scored(video, peaks=(2, 3, 7)))
  first, last = drawn["v"].thumbnails
  # Snippet 3 is frames 48 to 63.
  assert [one.image.mean().round() for one in (first, last)] == [56, 120]
  assert (first.seconds, first.score) == (3.5, pytest.approx(0.91))
  assert first.text == "0:03 · 0.91"


def test_without_an_interval_there_is_the_peak(tmp_path, video):
  own = scored(video, peaks=())
  own = own._replace(
    video=ScoredSequence(
      "v", np.linspace(0, 0.5, 10), own.video.times, files=(video,),
      looks=((("yoga", 0.5),),) * 10,
    )
  )  # fmt: skip
  drawn, _ = draw(tmp_path, own)
  (one,) = drawn["v"].thumbnails
  assert one.image.mean().round() == 152 and not drawn["v"].clips
  assert one.text == "0:09 · 0.50\nyoga 0.50"


def test_without_an_overlay_decoding_ends_with_what_is_needed(tmp_path, video):
  own = scored(video, peaks=(2,))
  drawn, _ = draw(tmp_path, own, plan=Plan(overlay=False))
  assert drawn["v"].overlay is None and len(drawn["v"].clips) == 1
  names = [file.name for file in (tmp_path / "out/videos").iterdir()]
  assert names == ["v.interval_1.mp4"]


def test_times_of_a_variable_rate_and_a_turn(tmp_path):
  shown = [round(1000 * (n / 16 + n * n / 4000)) for n in range(64)]
  path = write_video(
    tmp_path / "v.mp4", [quarters()] * 64, times=shown, turn=90,
    codec="libx264", pixels="yuv420p",
  )  # fmt: skip
  drawn, failures = draw(tmp_path, scored(path, snippets=4, peaks=(1,)))
  assert not failures
  found = frames(drawn["v"].overlay)
  np.testing.assert_allclose(
    [frame.start for frame in found], np.array(shown) / 1000, atol=2e-3
  )
  # 48 x 64, turned: high, and what was right is above.
  upright = next(iter(Decoder(path))).image
  picture = found[0].image[:426]
  for y, x in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
    want = upright[int(y * 64), int(x * 48)]
    got = picture[int(y * 426), int(x * 320)]
    np.testing.assert_allclose(got, want, atol=40)


def test_names_in_any_script_and_odd_sizes(tmp_path):
  images = [ramp(n % 50, (51, 65)) for n in range(20)]
  (tmp_path / "クリップ").mkdir()
  path = write_video(tmp_path / "クリップ" / "Überfall %d.mkv", images)
  own = scored(path, "クリップ/Überfall %d", snippets=1, peaks=(0,))
  drawn, failures = draw(tmp_path, own)
  assert not failures
  overlay = drawn["クリップ/Überfall %d"].overlay
  assert overlay.name == "Überfall %d.mp4" and len(frames(overlay)) == 20
  assert number_of(drawn[own.video.name].thumbnails[0].image) == 12


def test_only_so_many_videos_are_drawn_and_only_files(tmp_path, video):
  timelines = [scored(video, f"v{n}") for n in range(3)]
  live = scored("rtsp://camera/1", "live")
  unknown = scored(video, "frames", times=regular_times(10, 16))
  assert not can_be_drawn(live) and not can_be_drawn(unknown)
  plan = Plan(videos=2, clips=0, overlay=False)
  drawn, failures = draw(tmp_path, live, unknown, *timelines, plan=plan)
  assert list(drawn) == ["v0", "v1"] and not failures


def fails(tmp_path, *timelines):
  drawn, failures = draw(tmp_path, *timelines)
  left = [path.name for path in (tmp_path / "out").rglob("*.mp4*")]
  return drawn, failures, left


def test_what_cannot_be_drawn_is_told_and_the_others_go_on(tmp_path, video):
  gone = tmp_path / "gone.mkv"
  gone.write_text("replaced since")
  drawn, (failure,), left = fails(
    tmp_path, scored(gone, "gone"), scored(video, "v", peaks=())
  )
  assert failure.where == str(gone) and list(drawn) == ["v"]
  assert failure.reason.startswith("was scored, but not drawn: ")
  assert left == ["v.mp4"]


def test_a_full_disk_and_a_missing_encoder_are_told(
  tmp_path, video, monkeypatch, capsys
):
  monkeypatch.setattr(encode, "_ENCODERS", {})
  _, (failure,), left = fails(tmp_path, scored(video))
  assert "this FFmpeg encodes neither" in failure.reason and not left
  monkeypatch.undo()

  def full(self, image, start, end):
    raise OSError(errno.ENOSPC, "No space left on device")

  monkeypatch.setattr(drawing.VideoWriter, "add", full)
  _, (failure,), left = fails(tmp_path, scored(video))
  assert "No space left on device" in failure.reason and not left
  assert "was scored, but not drawn" in capsys.readouterr().err
