"""Imports run downwards only; data knows no jax; configs know no package."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "adplg_jax"
# What a module may import of the package; a prefix stands for all below it.
ALLOWED = {
  "models.attention": (),
  "models.layers": (),
  "models.video_branch": ("models",),
  "models.snippet_branch": ("models",),
  "losses": (),
  "pseudo_labels": (),
  "optimizer": (),
  "sharding": (),
  "metrics": (),
  "files": (),
  "preemption": (),
  "method": ("models", "optimizer"),
  "train_state": ("method", "pseudo_labels"),
  "train_step": (
    "losses",
    "method",
    "models",
    "pseudo_labels",
    "sharding",
    "train_state",
  ),
  "checkpoint": ("files",),
  "workdir": ("files",),
  "config_checks": ("workdir",),
  "agreement": ("workdir",),
}


def imports(path):
  """(module, name) pairs of every import in a file."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path):
  for name in imports(path):
    if name.startswith("adplg_jax."):
      yield name.removeprefix("adplg_jax.")


@pytest.mark.parametrize("module", ALLOWED)
def test_imports_run_downwards(module):
  path = PACKAGE / (module.replace(".", "/") + ".py")
  for name in own_imports(path):
    assert name.startswith(ALLOWED[module]), f"{module} imports {name}"


def test_data_knows_no_jax():
  for path in (PACKAGE / "data").rglob("*.py"):
    for name in imports(path):
      assert name.split(".")[0] not in ("jax", "flax", "optax"), path
      if name.startswith("adplg_jax."):
        assert name.startswith(("adplg_jax.data", "adplg_jax.files")), path


def test_configs_import_nothing_of_the_package():
  for path in PACKAGE.joinpath("configs").resolve().glob("*.py"):
    for name in own_imports(path):
      assert name.startswith("configs"), f"{path.name} imports {name}"


BLOCKED = """
import sys

class Blocker:
  def find_spec(self, name, path=None, target=None):
    if name.split(".")[0] in ("tensorflow", "torch"):
      raise ImportError(name)

sys.meta_path.insert(0, Blocker())
import adplg_jax.demo, adplg_jax.prepare
"""


def test_the_package_needs_neither_tensorflow_nor_torch():
  subprocess.run([sys.executable, "-c", BLOCKED], check=True)


def test_no_bare_assert_in_the_package():
  for path in PACKAGE.rglob("*.py"):
    nodes = ast.walk(ast.parse(path.read_text()))
    assert not any(isinstance(node, ast.Assert) for node in nodes), path
