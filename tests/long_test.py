"""What takes minutes: chaos, full counts, an installation elsewhere."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
FULL_COUNT_BYTES = 14 * 2**30  # The files and what is prepared from them.
GIB = 1024


def run(*command, cwd=ROOT, **environment):
  """Runs a command; its standard output."""
  done = subprocess.run(
    list(map(str, command)),
    cwd=cwd,
    env={**os.environ, **environment},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
  return done.stdout


def test_twenty_kills_change_nothing():
  said = run(sys.executable, "-m", "tests.chaos", "--kills", 20)
  assert "kills 20, resumes 20" in said
  assert "state equal to the bit: True" in said
  assert "metrics equal, wall times aside: True" in said


def test_full_counts_stay_within_memory(tmp_path):
  if shutil.disk_usage(tmp_path).free < FULL_COUNT_BYTES:
    pytest.skip(f"{tmp_path} has less than {FULL_COUNT_BYTES} bytes free")
  said = run(
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
  run(
    sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path
  )
  (wheel,) = tmp_path.glob("*.whl")
  home = tmp_path / "env"
  venv.create(home, with_pip=True)
  python = home / "bin" / "python"
  libraries = next(p for p in sys.path if p.endswith("site-packages"))
  (site,) = (home / "lib").glob("python*/site-packages")
  # Dependencies come from this environment; the package only from the wheel.
  run(python, "-m", "pip", "install", "--no-deps", "--quiet", wheel)
  elsewhere = tmp_path / "elsewhere"
  elsewhere.mkdir()
  path = os.pathsep.join([str(site), libraries])
  where = run(
    *(python, "-S", "-c", "import adplg_jax; print(adplg_jax.__file__)"),
    cwd=elsewhere,
    PYTHONPATH=path,
  )
  assert where.startswith(str(site))
  run(
    *(python, "-S", "-m", "adplg_jax.main", "--config.data.variant=tiny"),
    *("--config.total_steps=2", "--config.batch_size=2", "--workdir=run"),
    cwd=elsewhere,
    PYTHONPATH=path,
  )
  assert (elsewhere / "run" / "results" / "last" / "metrics.json").exists()
