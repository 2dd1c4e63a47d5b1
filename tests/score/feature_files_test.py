"""Feature files as a source of videos."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from adplg_jax.prepare.findings import PreparationError
from adplg_jax.run.load_model import load_model
from adplg_jax.score.feature_files import FeatureFiles, Inputs
from adplg_jax.scoring.sequence import Failure
from tests import layouts
from tests.sidecars import write_sidecar


@pytest.fixture(scope="module")
def model(whole):
  return load_model(whole)


def read(model, *features, **fields):
  """{name: sequence}, and [failure]."""
  inputs = Inputs(tuple(map(Path, features)), **fields)
  source = FeatureFiles(inputs, model)
  items = list(source)
  failures = [item for item in items if isinstance(item, Failure)]
  found = {i.name: i for i in items if not isinstance(i, Failure)}
  assert len(source) >= len(found)
  return found, failures


def write(root, *names, snippets=4):
  for name in names:
    layouts.save(root / name, layouts.features(name, snippets, 16))


def test_crops_come_first_and_files_are_named(model, tmp_path):
  write(tmp_path, "a/v__0.npy", "a/v__1.npy")
  found, failures = read(model, tmp_path, fps=25.0)
  video = found["a/v"]
  assert not failures and video.features.shape == (2, 4, 16)
  np.testing.assert_array_equal(
    video.features[1], np.load(tmp_path / "a/v__1.npy")
  )
  assert [Path(file).name for file in video.files] == ["v__0.npy", "v__1.npy"]
  assert video.truth is None and video.fps == 25


def test_frames_a_snippet_are_given_the_runs_or_16(model, tmp_path):
  write(tmp_path, "v.npy")
  for recorded, given, last in ((0, None, 64), (8, None, 32), (8, 4, 16)):
    own = model._replace(frames_per_snippet=recorded, window=recorded)
    found, _ = read(own, tmp_path, frames_per_snippet=given)
    assert found["v"].times.frames[-1] == last
  own = model._replace(frames_per_snippet=4, window=16)
  assert read(own, tmp_path)[0]["v"].times.frames.tolist() == [
    0,
    10,
    14,
    18,
    28,
  ]


def test_the_run_knows_how_its_snippets_were_made(model):
  assert (model.frames_per_snippet, model.window) == (16, 16)


def test_a_bad_video_is_a_failure_and_the_others_follow(model, tmp_path):
  write(tmp_path, "a.npy", "b__0.npy", "z.npy")
  write(tmp_path, "b__1.npy", snippets=5)
  bad = layouts.features("c", 4, 16)
  bad[2] = np.nan
  np.save(tmp_path / "c.npy", bad)
  (tmp_path / "d.npy").write_bytes(b"")
  found, failures = read(model, tmp_path)
  assert list(found) == ["a", "z"]
  reasons = {Path(f.where).name: f.reason for f in failures}
  assert "first in snippet 2" in reasons["c.npy"]
  assert "0 bytes" in reasons["d.npy"]
  assert "5 snippets of 16 channels, but the video's" in reasons["b__1.npy"]


def test_test_videos_of_a_manifest(model, tmp_path):
  rows = layouts.folder(tmp_path, width=16)
  for row in rows:
    row["frames_per_snippet"] = 8
  manifest = layouts.write_manifest(tmp_path / "m.csv", rows)
  found, failures = read(model, manifest=manifest, fps=8.0)
  assert list(found) == ["test00", "test01", "test10", "test11"]
  assert not failures
  assert found["test10"].truth.spans == ((16, 40),)
  assert found["test10"].truth.label == 1 and found["test00"].truth.label == 0
  assert found["test10"].times.seconds[-1] == 5


def test_labels_of_a_manifest_for_files_under_other_names(model, tmp_path):
  rows = layouts.folder(tmp_path / "data", width=16)
  rows[-1]["frames"] = 70
  manifest = layouts.write_manifest(tmp_path / "data/m.csv", rows)
  write(tmp_path, "data/new.npy")
  (tmp_path / "link").symlink_to(tmp_path / "data")
  found, failures = read(model, tmp_path / "link", manifest=manifest)
  assert not failures and len(found) == 9
  assert found["new"].truth is None
  assert found["test11"].truth.spans == ((16, 40),)
  assert found["test11"].times.frames[-1] == 70


def test_annotations_and_those_that_do_not_fit(model, tmp_path):
  write(tmp_path, "a/v.npy", "w.npy", "x.npy")
  spans = tmp_path / "spans.txt"
  spans.write_text("v 16-32\nw 16-1600\n")
  found, failures = read(model, tmp_path, annotations=spans)
  assert found["a/v"].truth.spans == ((16, 32),)
  assert found["w"].truth is None and found["x"].truth.label == 0
  (failure,) = failures
  assert failure.where == "w" and "does not fit" in failure.reason
  with pytest.raises(PreparationError, match="cannot be read"):
    read(model, tmp_path, annotations=tmp_path / "missing")


def test_sidecars_tell_kind_and_seconds(model, tmp_path):
  write(tmp_path, "a.npy", "b.npy", "c.npy")
  seconds = ((0.0, 0.5), (0.5, 1.5), (1.5, 2.0), (2.0, 3.0))
  write_sidecar(tmp_path / "a.npy", seconds=seconds, frame_rate=30.0)
  write_sidecar(tmp_path / "b.npy", seconds=seconds[:2])  # Of other features.
  found, failures = read(model, tmp_path, kind="i3d")
  assert not failures
  assert [v.kind for v in found.values()] == [
    "rocng:abababab", "rocng:abababab", "i3d",
  ]  # fmt: skip
  times = found["a"].times
  assert times.seconds.tolist() == [0, 0.5, 1.5, 2, 3] and found["a"].fps == 30
  assert times.frames.tolist() == [0, 16, 32, 48, 64]
  assert found["b"].times.seconds is None and found["b"].fps is None
  # A frame rate that is given is the one that counts.
  found, _ = read(model, tmp_path, fps=16.0)
  assert found["a"].times.seconds.tolist() == [0, 1, 2, 3, 4]


def test_sidecars_and_manifests_are_not_passed_over_with_a_note(
  model, tmp_path
):
  write(tmp_path, "a.npy")
  write_sidecar(tmp_path / "a.npy")
  (tmp_path / "manifest.csv").touch()
  source = FeatureFiles(Inputs((tmp_path,)), model)
  assert source.findings.note_lines() == []
  (tmp_path / "b.json").touch()
  source = FeatureFiles(Inputs((tmp_path,)), model)
  assert "b.json" in source.findings.note_lines()[0]


def test_inputs_are_plain():
  assert dataclasses.asdict(Inputs())["features"] == ()
