"""The command `score`, end to end."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from adplg_jax import evaluate, main
from adplg_jax.score import __main__ as score
from tests import layouts
from tests.runs import run_command, tiny


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
  """Features of five videos, two of the same name, one with two crops."""
  root = tmp_path_factory.mktemp("videos")
  for name, snippets in {
    "day/cam__0": 12, "day/cam__1": 12, "night/cam": 1, "long": 200, "new": 30,
  }.items():  # fmt: skip
    layouts.save(root / f"{name}.npy", layouts.features(name, snippets, 16))
  return root


def results(folder):
  return json.loads((folder / "results.json").read_text())


def test_videos_of_which_nothing_is_known(whole, videos, tmp_path, capsys):
  out = tmp_path / "out"
  arguments = ["--workdir", str(whole), "--out", str(out), "--fps", "25"]
  assert score.main([*arguments, "--features", str(videos)]) == 0
  said = capsys.readouterr().out
  found = {video["name"]: video for video in results(out)["videos"]}
  assert set(found) == {"day/cam", "night/cam", "long", "new"}
  for name, video in found.items():
    rows = list(csv.DictReader((out / video["csv"]).read_text().splitlines()))
    assert len(rows) == video["snippets"]
    assert max(float(row["score"]) for row in rows) == pytest.approx(
      video["peak"], rel=1e-6
    )
    assert rows[-1]["end_seconds"] == str(video["frames"] / 25)
    assert (out / video["picture"]).is_file()
    assert name in said
  assert (out / "timelines.png").is_file()
  assert "4 videos scored by the checkpoint of step" in said
  assert "scored in windows of that length" in said
  # Once more, of fewer videos: nothing of before is left.
  one = ["--features", str(videos / "new.npy")]
  assert score.main([*arguments, *one]) == 0
  assert [v["name"] for v in results(out)["videos"]] == ["new"]
  assert not (out / "videos/long.csv").exists()


def test_bad_files_are_reported_and_the_others_scored(
  whole, videos, tmp_path, capsys
):
  root = shutil.copytree(videos, tmp_path / "videos")
  (root / "broken.npy").write_text("hello")
  np.save(root / "wide.npy", np.ones((4, 17), np.float32))
  out = tmp_path / "out"
  arguments = ["--workdir", str(whole), "--out", str(out)]
  missing = str(tmp_path / "missing")
  assert score.main([*arguments, "--features", missing, str(root)]) == 1
  error = capsys.readouterr().err
  assert "missing" in error and "broken.npy: text" in error
  assert "feature width is 17, but the model was trained on 16" in error
  found = results(out)
  assert len(found["videos"]) == 4 and len(found["failures"]) == 3
  assert score.main([*arguments, "--features", str(root / "broken.npy")]) == 1
  assert results(out)["videos"] == []


def test_metrics_are_those_of_the_evaluation(tmp_path, capsys):
  """By a manifest, and by annotations of its files."""
  rows = layouts.folder(tmp_path, width=16)
  manifest = layouts.write_manifest(tmp_path / "m.csv", rows)
  layouts.prepare_folder(manifest, "own", 8, tmp_path / "data")
  fields = {
    "data.builder": "folder",
    "data.variant": "own",
    "data.normalize": "standardize",
    "batch_size": 2,
    "total_steps": 4,
  }
  run = tmp_path / "run"
  assert main.run(tiny(tmp_path / "data", **fields), str(run)) == 0
  want = evaluate.evaluate_workdir(run, output=tmp_path / "e").selected.results
  spans = tmp_path / "spans.txt"
  spans.write_text("test10 16-40\ntest11 16-40\n")
  files = [str(path) for path in sorted(tmp_path.glob("test*.npy"))]
  for words in (
    ["--manifest", str(manifest)],
    ["--manifest", str(manifest), "--features", *files],
    ["--annotations", str(spans), "--features", *files],
  ):
    out = tmp_path / "out"
    arguments = ["--workdir", str(run), "--out", str(out), *words]
    assert score.main(arguments) == 0
    found = results(out)["metrics"]
    for name in ("frame_auc", "frame_ap", "frame_ap_step", "video_auc"):
      assert found[name] == pytest.approx(want[name], abs=1e-6)
    assert found["best_f1"] == pytest.approx(want["best_f1"], abs=1e-6)
  assert "frame AUC" in capsys.readouterr().out


def test_a_checkpoint_without_its_run(whole, videos, tmp_path, capsys):
  """Its threshold is of the run around it, where there is one."""
  files = ["--features", str(videos / "new.npy")]
  for step in (4, 8):
    folder = whole / "checkpoints" / str(step)
    out = tmp_path / str(step)
    arguments = ["--checkpoint", str(folder), "--out", str(out), *files]
    assert score.main(arguments) == 0
    assert results(out)["model"]["step"] == step
  moved = shutil.copytree(whole / "checkpoints", tmp_path / "moved/checkpoints")
  arguments = ["--checkpoint", str(moved / "8"), "--out", str(tmp_path / "m")]
  assert score.main([*arguments, *files]) == 0
  assert "quantile 0.95" in results(tmp_path / "m")["threshold"]["origin"]


@pytest.mark.parametrize(
  ("words", "said"),
  [
    (["--threshold", "2"], "--threshold is 2; allowed: from 0 to 1"),
    (["--window", "500"], "window is 500 snippets; allowed: 1 to 160"),
    (["--checkpoint", "5"], "allowed: best, last, or one of"),
    (["--annotations", "missing"], "missing: cannot be read"),
  ],
)
def test_what_cannot_be_is_refused(
  whole, videos, tmp_path, capsys, words, said
):
  features = ["--features", str(videos / "new.npy")]
  arguments = ["--workdir", str(whole), "--out", str(tmp_path / "out")]
  assert score.main([*arguments, *features, *words]) == 1
  error = capsys.readouterr().err
  assert said in error and "Traceback" not in error
  assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
  "words",
  [
    [],
    ["--workdir", "x", "--out", "y"],
    ["--workdir", "x", "--features", "z"],
    ["--features", "z", "--out", "y"],
    ["--workdir", "x", "--follow", "-", "--out", "y"],
    ["--workdir", "x", "--follow", "-", "--features", "z"],
    ["--workdir", "x", "--features", "z", "--out", "y", "--fps", "0"],
    ["--workdir", "x", "--features", "z", "--out", "y", "--shortest", "x"],
    [
      *("--workdir", "x", "--features", "z", "--out", "y"),
      *("--manifest", "m", "--annotations", "a"),
    ],
  ],
)
def test_command_lines_that_do_not_add_up(words):
  with pytest.raises(SystemExit) as stop:
    score.main(words)
  assert stop.value.code == 2


def test_rows_of_standard_input_are_scored(whole, tmp_path):
  rows = tmp_path / "rows.csv"
  np.savetxt(rows, layouts.features("v", 20, 16), delimiter=",")
  command = [sys.executable, "-m", "adplg_jax.score", "--workdir", str(whole)]
  with rows.open() as file:
    done = subprocess.run(
      [*command, "--follow", "-", "--fps", "16"],
      stdin=file, capture_output=True, text=True, check=True,
    )  # fmt: skip
  found = list(csv.DictReader(done.stdout.splitlines()))
  assert [row["start_seconds"] for row in found][:2] == ["0.0", "1.0"]
  assert len(found) == 20
  assert "look-ahead 8 snippets: a score comes 8 to 11" in done.stderr


def test_the_help_fits_a_screen_and_needs_no_jax():
  code = (
    "import sys; from adplg_jax.score import __main__ as m\n"
    "try: m.main(['--help'])\n"
    "except SystemExit: pass\n"
    "print([m for m in ('jax', 'tensorflow_datasets', 'matplotlib') "
    "if m in sys.modules])"
  )
  said = run_command(sys.executable, "-c", code)
  assert said.splitlines()[-1] == "[]"
  assert len(said.splitlines()[:-1]) <= 50
  assert all(len(line) <= 100 for line in said.splitlines())
  assert "python -m adplg_jax.score --workdir=RUN --features" in said
