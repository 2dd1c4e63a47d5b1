"""What takes minutes: chaos, full counts, benchmarks, the wheel."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv

import pytest

from tests.runs import run_command

pytestmark = pytest.mark.slow
FULL_COUNT_BYTES = 14 * 2**30  # The files and what is prepared from them.
GIB = 1024


def test_twenty_kills_change_nothing():
  said = run_command(sys.executable, "-m", "tests.chaos", "--kills", 20)
  assert "kills 20, resumes 20" in said
  assert "state equal to the bit: True" in said
  assert "metrics equal, wall times aside: True" in said


def test_the_quality_benchmark_compares_both_programs(tmp_path):
  pytest.importorskip("torch", reason="PyTorch is not installed: no reference")
  said = run_command(
    *(sys.executable, "-m", "benchmarks.quality", "--seeds", 2, "--steps", 3),
    *("--data_dir", tmp_path),
  )
  assert "synthetic/small, seeds 0 to 1, 3 steps" in said
  for metric in ("frame_auc", "frame_ap"):
    assert re.search(rf"{metric} jax - torch [+-]0\.\d+, 90 % interval", said)


def test_the_streaming_benchmark_draws_its_trade_off(whole, tmp_path):
  picture = tmp_path / "streaming.png"
  said = run_command(
    *(sys.executable, "-m", "benchmarks.streaming", "--workdir", whole),
    *("--every", 5, "--plot", picture),
  )
  facts, *rows = map(json.loads, said.splitlines())
  assert facts["videos"] == 2 and len(rows) == 23
  assert all(-1 <= row["correlation"] <= 1 for row in rows)
  assert picture.read_bytes().startswith(b"\x89PNG")


# A run of a few steps.
WAYS = (
  "--config.total_steps=4",
  "--config.warm_up_steps=1",
  "--config.data.variant=tiny",
)


@pytest.mark.parametrize(
  ("benchmark", "flags", "printed"),
  [
    ("train_step", ["--batch_size=1"], ("ratio", "share_of_limit")),
    ("evaluate", ["--every=150", "--crops=1"], ("ratio", "compilations")),
  ],
)
def test_a_benchmark_compares_with_pytorch(tmp_path, benchmark, flags, printed):
  pytest.importorskip("torch", reason="PyTorch is not installed: no opponent")
  file = tmp_path / "figures.json"
  said = run_command(
    *(sys.executable, "-m", f"benchmarks.{benchmark}", "--rounds=1"),
    *(*flags, "--json", file),
  )
  figures = json.loads(file.read_text())
  assert set(printed) <= set(figures)
  seconds = figures["seconds"]
  assert figures["ratio"] == seconds["jax"] / seconds["torch"]
  assert f"ratio = {figures['ratio']:.3f}" in said


def test_the_benchmark_of_an_accelerator_runs_without_one(tmp_path):
  said = run_command(
    *(sys.executable, "-m", "benchmarks.accelerator", "--out", tmp_path),
    *("--share", 0.01, "--seconds", 1, "--variants", "resident", "--no_step"),
  )
  assert "| resident | " in said
  assert (tmp_path / "summary.md").read_text() in said
  found = json.loads((tmp_path / "resident.json").read_text())
  assert found["steps"] > 0
  assert found["whole_run_seconds"] > 20_000 * found["seconds_a_step"]


@pytest.mark.parametrize(
  ("benchmark", "flags", "printed"),
  [
    ("startup", ["--rounds=1"], ("help", "cold", "warm")),
    ("seeds", ["--rounds=1", "--sizes=demo"], ("demo",)),
    ("ways", ["--seeds=2", *WAYS], ("float32", "resident, bfloat16")),
  ],
)
def test_a_benchmark_writes_its_figures(tmp_path, benchmark, flags, printed):
  file = tmp_path / "figures.json"
  run_command(
    *(sys.executable, "-m", f"benchmarks.{benchmark}"),
    *(*flags, "--json", file),
  )
  assert set(printed) <= set(json.loads(file.read_text()))


def test_the_benchmark_of_the_input_compares_with_whole_files(tmp_path):
  pytest.importorskip("torch", reason="PyTorch is not installed: no opponent")
  file = tmp_path / "figures.json"
  run_command(
    *(sys.executable, "-m", "benchmarks.input"),
    *("--videos", 4, "--rounds", 1, "--json", file),
  )
  figures = json.loads(file.read_text())
  speeds = figures["crops_per_second"]
  assert set(speeds) == {"memory", "files", "device", "torch"}
  assert figures["ratio"] == speeds["memory"] / speeds["torch"]


def test_full_counts_stay_within_memory(tmp_path):
  if shutil.disk_usage(tmp_path).free < FULL_COUNT_BYTES:
    pytest.skip(f"{tmp_path} has less than {FULL_COUNT_BYTES} bytes free")
  said = run_command(
    sys.executable, "-m", "benchmarks.full_ucf", "--root", tmp_path / "ucf"
  )
  lines = [line for line in said.splitlines() if line.startswith("{")]
  stages = {stage["stage"]: stage for stage in map(json.loads, lines)}
  assert set(stages) == {"make", "prepare", "epoch", "evaluate"}
  assert not any(stage["tensorflow"] for stage in stages.values())
  assert stages["prepare"]["peak_mib"] <= GIB
  assert stages["evaluate"]["videos"] == 290
  assert not (tmp_path / "ucf").exists()


def test_the_wheel_trains_from_another_directory(tmp_path):
  """Installed without the tree, and without the editable install's path."""
  run_command(
    sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path
  )
  (wheel,) = tmp_path.glob("*.whl")
  home = tmp_path / "env"
  venv.create(home, with_pip=True)
  python = home / "bin" / "python"
  libraries = next(p for p in sys.path if p.endswith("site-packages"))
  (site,) = (home / "lib").glob("python*/site-packages")
  # Dependencies come from this environment; the package only from the wheel.
  run_command(python, "-m", "pip", "install", "--no-deps", "--quiet", wheel)
  elsewhere = tmp_path / "elsewhere"
  elsewhere.mkdir()
  path = os.pathsep.join([str(site), libraries])
  where = run_command(
    *(python, "-S", "-c", "import adplg_jax; print(adplg_jax.__file__)"),
    cwd=elsewhere,
    PYTHONPATH=path,
  )
  assert where.startswith(str(site))
  run_command(
    *(python, "-S", "-m", "adplg_jax.main", "--config.data.variant=tiny"),
    *("--config.total_steps=2", "--config.batch_size=2", "--workdir=run"),
    cwd=elsewhere,
    PYTHONPATH=path,
  )
  assert (elsewhere / "run" / "results" / "last" / "metrics.json").exists()
  for config, message in (
    ("ucf_crime:features=i3d", "adplg_jax.prepare ucf_crime:i3d --features"),
    ("no.py", "--config names 'no.py', but there is no such file"),
  ):
    done = subprocess.run(
      [
        *(python, "-S", "-m", "adplg_jax.main", f"--config={config}"),
        "--config.data_dir=data",
      ],
      cwd=elsewhere,
      env={**os.environ, "PYTHONPATH": path},
      capture_output=True,
      text=True,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
