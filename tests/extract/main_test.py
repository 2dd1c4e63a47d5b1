"""The command, with a backbone that is a mean."""

import contextlib
import csv
import io
import json
import subprocess
import sys
import types

import numpy as np
import pytest

from adplg_jax import main as train
from adplg_jax.configs import folder as folder_config
from adplg_jax.data.sidecar import read_sidecar
from adplg_jax.data.store import open_dataset
from adplg_jax.extract.__main__ import main
from adplg_jax.prepare.__main__ import main as prepare
from adplg_jax.score.__main__ import main as score
from adplg_jax.video.clip_weights import load_weights
from tests.runs import TINY
from tests.video import clip_folder
from tests.video.clips import ramp, write_sound_file, write_video


def make(folder, **counts):
  """Videos of so many frames; their names have folders after __."""
  for index, (name, count) in enumerate(counts.items()):
    path = folder / f"{name.replace('__', '/')}.mkv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, [ramp((n + 7 * index) % 50) for n in range(count)])
  return folder


def extract(*words):
  return main([str(word) for word in words])


def arrays(folder):
  return {
    str(path.relative_to(folder)): np.load(path, allow_pickle=False)
    for path in sorted(folder.rglob("*.npy"))
  }


def test_features_sidecars_and_a_manifest(tmp_path, weights, capsys):
  clips, out = tmp_path / "clips", tmp_path / "out"
  make(clips, normal__a=40, normal__b=32, Fire__c=64, Fire__d=20)
  assert extract("--videos", clips, "--out", out, "--crops", 5) == 0
  found = arrays(out)
  assert {name: array.shape for name, array in found.items()} == {
    "Fire/c.npy": (4, 5, 4),
    "Fire/d.npy": (1, 5, 4),
    "normal/a.npy": (2, 5, 4),
    "normal/b.npy": (2, 5, 4),
  }
  sidecar = read_sidecar(out / "normal/a.npy")
  assert sidecar.kind == "kinetics-scratch:abababab"
  assert sidecar.weights == "ab" * 32 and sidecar.crops == 5
  assert (sidecar.frames, sidecar.frames_decoded) == (40, 40)
  assert sidecar.frame_rate == 25 and sidecar.fps is None
  np.testing.assert_allclose(sidecar.seconds, [[0, 0.64], [0.64, 1.28]])
  text = capsys.readouterr().out
  assert "4 videos extracted (5.8 s of video, " in text
  assert "times real time), 0 were there already, 0 cannot be used" in text
  assert f"--manifest {out / 'manifest.csv'}" in text
  assert weights.asked == [("kinetics-scratch", None)]


def test_preparation_follows(tmp_path, weights, capsys):
  clips, out = tmp_path / "clips", tmp_path / "out"
  make(clips, normal__a=40, normal__b=32, Fire__c=64, Fire__d=20)
  assert extract("--videos", clips, "--out", out) == 0
  words = ["folder", "--name", "own", "--manifest", out / "manifest.csv",
           "--data_dir", tmp_path / "data", "--segments", 4]  # fmt: skip
  assert prepare([str(word) for word in words]) == 0, capsys.readouterr()


def test_the_same_command_goes_on_where_it_stopped(tmp_path, weights, capsys):
  clips, out = make(tmp_path / "clips", a=40, b=32), tmp_path / "out"
  assert extract("--videos", clips, "--out", out) == 0
  before = arrays(out)
  (out / "b.npy").unlink()
  marked = json.loads((out / "a.json").read_text())
  marked["warnings"] = ["not written again"]
  (out / "a.json").write_text(json.dumps(marked))
  assert extract("--videos", clips, "--out", out) == 0
  assert "1 videos extracted" in (text := capsys.readouterr().out)
  assert ", 1 were there already, " in text
  after = arrays(out)
  for name, array in before.items():
    np.testing.assert_array_equal(after[name], array)
  assert read_sidecar(out / "a.npy").warnings == ("not written again",)
  # A video that was replaced is extracted again.
  make(clips, a=64)
  assert extract("--videos", clips, "--out", out) == 0
  assert len(arrays(out)["a.npy"]) == 4


def test_other_features_are_refused_before_anything(tmp_path, weights, capsys):
  clips, out = make(tmp_path / "clips", b=32), tmp_path / "out"
  assert extract("--videos", clips, "--out", out) == 0
  make(clips, a=32)
  assert extract("--videos", clips, "--out", out, "--fps", 50) == 1
  assert "b.npy: is there already, with fps None" in capsys.readouterr().err
  weights.sha256 = "cd" * 32
  assert extract("--videos", clips, "--out", out) == 1
  assert "b.npy: is there already, with weights abab" in capsys.readouterr().err
  assert list(arrays(out)) == ["b.npy"]


def test_bad_videos_are_told_and_the_others_go_on(tmp_path, weights, capsys):
  clips, out = make(tmp_path / "clips", a=40, b=3, d=40), tmp_path / "out"
  write_sound_file(clips / "c.mkv")
  (clips / "e.mp4").write_text("no video")
  assert extract("--videos", clips, "--out", out) == 1
  assert list(arrays(out)) == ["a.npy", "d.npy"]
  streams = capsys.readouterr()
  for reason in (
    "b.mkv: has 3 frames",
    "c.mkv: has no video stream, only audio",
    "e.mp4: cannot be read as a video",
  ):
    assert reason in streams.out and reason in streams.err
  assert "no manifest: no video is in normal/" in streams.out
  assert "2 videos extracted" in streams.out
  assert "3 cannot be used" in streams.out
  assert sorted(p.name for p in out.iterdir()) == [
    "a.json", "a.npy", "d.json", "d.npy",
  ]  # fmt: skip


def test_parts_of_the_list_are_the_whole(tmp_path, weights):
  clips = make(tmp_path / "clips", **{f"normal__{n}": 16 for n in range(7)})
  whole, parts = tmp_path / "whole", tmp_path / "parts"
  assert extract("--videos", clips, "--out", whole) == 0
  for number, count in enumerate((3, 2, 2), 1):
    before = len(arrays(parts))
    shard = f"{number}/3"
    assert extract("--videos", clips, "--out", parts, "--shard", shard) == 0
    assert len(arrays(parts)) == before + count
  assert arrays(parts).keys() == arrays(whole).keys()
  manifests = [
    sorted((folder / "manifest.csv").read_text().splitlines())
    for folder in (whole, parts)
  ]
  assert manifests[0] == manifests[1]


@pytest.mark.parametrize(
  ("words", "reason"),
  [
    (["--profile", "i3d"], "--profile is 'i3d'; allowed: kinetics-scratch"),
    (
      ["--profile", "vadclip"],
      "--profile vadclip needs --weights DIR: a folder",
    ),
    (["--shard", "0/4"], "--shard is '0/4'"),
    (["--videos", "nowhere.mp4"], "--videos nowhere.mp4: there is no"),
  ],
)
def test_a_bad_command_line_is_refused(tmp_path, capsys, words, reason):
  clips = make(tmp_path / "clips", a=16)
  assert extract("--videos", clips, "--out", tmp_path / "out", *words) == 1
  assert reason in capsys.readouterr().err
  assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def by_clip(tmp_path_factory):
  """Features of a small CLIP, prepared; what was printed."""
  root = tmp_path_factory.mktemp("clip")
  names = [f"{kind}__{n}" for kind in ("normal", "Fire") for n in "abc"]
  make(root / "videos", **dict.fromkeys(names, 48))
  words = ["--videos", root / "videos", "--profile", "vadclip", "--weights"]
  words += [clip_folder.write(root / "clip"), "--out", root / "features"]
  with contextlib.redirect_stdout(io.StringIO()) as printed:
    assert extract(*words, "--crops", 5) == 0
  manifest = root / "features/manifest.csv"
  rows = list(csv.DictReader(manifest.read_text().splitlines()))
  with manifest.open("w") as file:
    writer = csv.DictWriter(file, rows[0].keys())
    writer.writeheader()
    for number, row in enumerate(rows):
      writer.writerow(row | {"split": "test" if number % 3 == 2 else "train"})
  words = ["folder", "--name", "own", "--manifest", manifest,
           "--data_dir", root / "data", "--segments", 8]  # fmt: skip
  assert prepare([str(word) for word in words]) == 0
  kind = f"vadclip:{load_weights(root / 'clip').sha256[:8]}"
  return types.SimpleNamespace(root=root, kind=kind, said=printed.getvalue())


def test_clips_features_and_their_kind(by_clip):
  """The hash of the folder's weights goes along with the features."""
  features = by_clip.root / "features"
  assert f"features: {features} ({by_clip.kind})" in by_clip.said
  assert {x.shape for x in arrays(features).values()} == {(3, 5, 24)}
  sidecar = read_sidecar(features / "normal/a.npy")
  assert (sidecar.kind, sidecar.profile) == (by_clip.kind, "vadclip")
  np.testing.assert_allclose(sidecar.seconds[1], [0.64, 1.28])
  data = open_dataset(str(by_clip.root / "data"), "folder", "own", 8)
  assert data.metadata.kind == by_clip.kind


@pytest.mark.slow
def test_clip_from_videos_to_scores(by_clip, capsys):
  """Trained on and scored; with other weights, or none, refused."""
  root, run = by_clip.root, by_clip.root / "run"
  config = folder_config.get_config("own")
  config.update_from_flattened_dict(
    {
      **{k: v for k, v in TINY.items() if k != "data.variant"},
      "data_dir": str(root / "data"),
      "batch_size": 2,
      "total_steps": 2,
      "warm_up_steps": 1,
    }
  )
  assert train.run(config, str(run)) == 0

  def scored(name, *more):
    words = ["--workdir", run, "--videos", root / "videos"]
    words += ["--out", root / name, *more]
    return score([str(word) for word in words])

  assert scored("one", "--weights", root / "clip", "--crops", 5) == 0
  results = json.loads((root / "one/results.json").read_text())
  assert results["model"]["feature_kind"] == by_clip.kind
  assert len(results["videos"]) == 6
  capsys.readouterr()
  assert scored("two") == 1
  assert "--profile vadclip needs --weights DIR" in capsys.readouterr().err
  other = clip_folder.write(root / "other", seed=1)
  assert scored("two", "--weights", other) == 1
  said = capsys.readouterr().err
  assert f"but the model was trained on {by_clip.kind!r}" in said
  assert not (root / "two").exists()


HELP = """
import sys
from adplg_jax.extract.__main__ import main
try:
  main(["--help"])
except SystemExit:
  pass
sys.exit(any(name in sys.modules for name in ("jax", "flax", "av")))
"""


def test_the_help_is_a_screen_and_quick():
  done = subprocess.run(
    [sys.executable, "-c", HELP], capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  assert len(lines) <= 40 and max(map(len, lines)) <= 80
  assert "python -m adplg_jax.extract --videos clips --out features" in (
    done.stdout
  )
