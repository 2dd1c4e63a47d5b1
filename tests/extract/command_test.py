"""Files of features, with a backbone that is a mean."""

import numpy as np
import pytest

from adplg_jax.data.sidecar import read_sidecar
from adplg_jax.extract import command
from adplg_jax.extract.outputs import OutputError
from adplg_jax.extract.videos import find_videos
from adplg_jax.video.extraction import Extractor
from adplg_jax.video.profiles import PROFILES
from tests.video import stub
from tests.video.clips import cut, ramp, write_video

PROFILE = PROFILES["kinetics-scratch"]


@pytest.fixture
def clips(tmp_path):
  """Three videos of 40 frames."""
  folder = tmp_path / "clips"
  folder.mkdir()
  for name in "abc":
    write_video(folder / f"{name}.mkv", [ramp(n) for n in range(40)])
  return folder


def extract(clips, out, *, profile=PROFILE, **options):
  extractor = Extractor(profile, stub.stub(), **options)
  return command.extract(find_videos([str(clips)]), out, extractor)


def files(folder):
  return sorted(path.name for path in folder.iterdir())


def test_what_is_there_is_counted(tmp_path, clips):
  out = tmp_path / "out"
  (clips / "b.mkv").write_text("no video")
  done = extract(clips, out)
  assert (done.written, done.there, len(done.failures)) == (2, 0, 1)
  assert done.seconds == pytest.approx(2.56) and done.speed > 0
  done = extract(clips, out)
  assert (done.written, done.there, len(done.failures)) == (0, 2, 1)


def test_an_interruption_leaves_what_is_whole(tmp_path, clips, monkeypatch):
  out, asked = tmp_path / "out", []

  def interrupt(video):
    asked.append(video)
    if len(asked) == 2:
      raise KeyboardInterrupt
    return 0.0

  with monkeypatch.context() as patch:
    patch.setattr(command, "header_seconds", interrupt)
    with pytest.raises(KeyboardInterrupt):
      extract(clips, out)
  assert files(out) == ["a.json", "a.npy"]
  extract(clips, out)
  assert files(out) == [f"{n}.{s}" for n in "abc" for s in ("json", "npy")]


def test_warnings_are_told_and_kept(tmp_path, clips, capsys):
  write_video(clips / "a.mkv", [ramp(n % 50) for n in range(100)])
  cut(clips / "a.mkv", 0.5)
  assert not extract(clips, tmp_path / "out").failures
  sidecar = read_sidecar(tmp_path / "out/a.npy")
  assert 16 <= sidecar.frames_decoded < 75
  assert any("the header says" in text for text in sidecar.warnings)
  assert f"note: {clips / 'a.mkv'}: the header says" in capsys.readouterr().err


def test_another_frame_rate_is_in_the_sidecar(tmp_path, clips):
  extract(clips, tmp_path / "out", fps=50.0)
  sidecar = read_sidecar(tmp_path / "out/a.npy")
  assert sidecar.fps == sidecar.frame_rate == 50
  assert (sidecar.frames, sidecar.frames_decoded) == (80, 40)
  assert len(sidecar.seconds) == 5


def test_other_features_are_refused_before_any_video(tmp_path, clips):
  out = tmp_path / "out"
  extract(clips, out)
  (out / "a.npy").unlink()
  with pytest.raises(OutputError, match=r"b\.npy: .* with profile kinetics"):
    extract(clips, out, profile=PROFILES["rocng"])
  assert "a.npy" not in files(out)


def test_long_videos_are_written_as_they_come(tmp_path, monkeypatch):
  video = tmp_path / "a.mkv"
  write_video(video, [ramp(n % 50) for n in range(160)])
  sizes = []
  add = command.FeatureWriter.add

  def noted(self, features):
    sizes.append(features.shape)
    add(self, features)

  monkeypatch.setattr(command.FeatureWriter, "add", noted)
  extract(video, tmp_path)
  assert sizes == [(1, 4)] * 10
  assert np.load(tmp_path / "a.npy").shape == (10, 1, 4)
