"""Imports run downwards only, in every module; each module has its tests."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path("adplg_jax")
# What each room, or module at the root, may import of the package besides
# itself; a name includes all below it.
ALLOWED = {
  "__init__": ("scoring.trained",),
  "configs": (),
  "models": (),
  "losses": (),
  "pseudo_labels": (),
  "optimizer": (),
  "method": ("models", "optimizer"),
  "train_state": ("method", "pseudo_labels"),
  "train_step": (
    "losses",
    "method",
    "models",
    "pseudo_labels",
    "run.sharding",
    "train_state",
  ),
  "run": ("configs", "data.frames", "data.normalize"),
  "data": (),
  "prepare": ("configs", "data"),
  "scoring": ("data", "method", "run"),
  "report": ("data", "prepare.segments", "pseudo_labels", "run", "scoring"),
  "experiment": (
    "data",
    "method",
    "prepare",
    "run",
    "train_state",
  ),
  "dispatch": (
    "data",
    "experiment",
    "method",
    "run",
    "train_state",
    "train_step",
  ),
  "interop": ("data", "method", "models", "prepare", "run", "train_state"),
  "train": (
    "dispatch",
    "experiment",
    "optimizer",
    "report",
    "run",
    "scoring",
    "train_state",
    "train_step",
  ),
  "evaluate": ("data", "experiment", "report", "run", "scoring"),
  "video": ("run.files",),
  "extract": ("data", "prepare", "run", "video"),
  "score": (
    "data",
    "extract.videos",
    "prepare",
    "report",
    "run",
    "scoring",
    "video",
  ),
  "main": ("experiment", "run", "train"),
  "convert": ("interop", "run", "video"),
  "export": ("interop", "run", "scoring"),
  "sweep": ("configs", "main", "report.run_files", "run"),
  "demo_video": ("data", "extract", "report", "score", "scoring"),
  "demo": (
    "configs",
    "experiment",
    "main",
    "report",
    "run",
    "score",
    "scoring",
  ),
}
# Modules whose tests have another name.
ELSEWHERE = {
  "extract/__main__": "extract/main_test",
  "prepare/__main__": "prepare/main_test",
  "report/__main__": "report/main_test",
  "score/__main__": "score/main_test",
  "sweep/__main__": "sweep/main_test",
}


def modules():
  """Every module, as its name below the package."""
  paths = [*PACKAGE.rglob("*.py"), *Path("configs").glob("*.py")]
  for path in sorted(set(paths)):
    parts = path.with_suffix("").parts
    name = parts if parts[0] == "configs" else parts[1:]
    if name[0] != "configs" or parts[0] == "configs":
      yield path, ".".join(name)


MODULES = {name: path for path, name in modules()}


@functools.cache
def imports(path):
  """Names of every import in a file, with their modules."""
  found = []
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      found += [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      found += [f"{node.module}.{alias.name}" for alias in node.names]
  return found


def own_imports(path):
  for name in imports(path):
    if name.startswith("adplg_jax."):
      yield name.removeprefix("adplg_jax.")


def slashed(module):
  return module.replace(".", "/")


def below(name, rooms):
  return any(name == room or name.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module):
  room = module.split(".")[0]
  for name in own_imports(MODULES[module]):
    assert below(name, (room, *ALLOWED[room])), f"{module} imports {name}"


def test_no_room_imports_one_that_imports_it():
  done = []
  while len(done) < len(ALLOWED):
    ready = [
      room
      for room, others in ALLOWED.items()
      if room not in done and {o.split(".")[0] for o in others} <= set(done)
    ]
    assert ready, set(ALLOWED) - set(done)
    done += ready


def test_no_circle_within_a_room():
  graph = {
    module: {n for n in MODULES if below_any(n, MODULES[module])} - {module}
    for module in MODULES
  }
  while graph:
    free = [m for m, needs in graph.items() if not needs & set(graph)]
    assert free, set(graph)
    for module in free:
      del graph[module]


def below_any(module, path):
  """Whether a file imports a module, or a name of it."""
  return any(
    name == module or name.rpartition(".")[0] == module
    for name in own_imports(path)
  )


@pytest.mark.parametrize(
  "module",
  [name for name in MODULES if below(name, ("data", "prepare"))],
)
def test_data_and_preparation_know_no_jax(module):
  for name in imports(MODULES[module]):
    assert name.split(".")[0] not in ("jax", "flax", "optax"), module


def test_flax_linen_only_in_the_models_and_backbones():
  for module, path in MODULES.items():
    if not below(module, ("models", "video")):
      assert not any(n.startswith("flax.linen") for n in imports(path)), module


def test_orbax_only_in_the_checkpoints():
  for module, path in MODULES.items():
    if module != "run.checkpoint":
      assert not any(n.startswith("orbax") for n in imports(path)), module


def test_every_module_has_its_tests():
  for module in MODULES:
    name = slashed(module)
    if module.endswith("__init__") or below(module, ("configs",)):
      continue
    home = ELSEWHERE.get(name, f"{name}_test")
    assert Path("tests", f"{home}.py").exists(), f"{module}: {home}"


def test_tests_of_a_room_have_their_module():
  homes = {ELSEWHERE.get(n, f"{n}_test") for n in map(slashed, MODULES)}
  for room in filter(Path.is_dir, PACKAGE.rglob("*")):
    folder = Path("tests") / room.relative_to(PACKAGE)
    for file in folder.glob("*_test.py"):
      assert str(file.relative_to("tests").with_suffix("")) in homes, file


def test_the_map_of_the_folders_is_complete():
  text = Path("CONTRIBUTING.md").read_text()
  named = set(re.findall(r"^\| `([\w/]+)/` \|", text, re.MULTILINE))
  tracked = subprocess.run(
    ["git", "ls-files"], capture_output=True, text=True, check=True
  ).stdout.splitlines()
  folders = {
    str(Path(file).parent)
    for file in tracked
    if Path(file).parent != Path() and not file.startswith(".")
  }
  # Tests mirror the package: one line for all of its rooms.
  mirrored = {f"tests/{f.relative_to(PACKAGE)}" for f in PACKAGE.rglob("*")}
  assert named == folders - mirrored


BLOCKED = """
import sys

class Blocker:
  def find_spec(self, name, path=None, target=None):
    if name.split(".")[0] in ("tensorflow", "torch"):
      raise ImportError(name)

sys.meta_path.insert(0, Blocker())
import adplg_jax.convert, adplg_jax.demo, adplg_jax.prepare.__main__
import adplg_jax.score.command, adplg_jax.score.follow
"""


def test_the_package_needs_neither_tensorflow_nor_torch():
  subprocess.run([sys.executable, "-c", BLOCKED], check=True)


def test_no_bare_assert_in_the_package():
  for path in MODULES.values():
    nodes = ast.walk(ast.parse(path.read_text()))
    assert not any(isinstance(node, ast.Assert) for node in nodes), path
