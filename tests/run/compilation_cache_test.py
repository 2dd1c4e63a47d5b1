"""Compiled programs are kept, and used again."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from adplg_jax.run import compilation_cache

# Compiles a program, and says how many were taken from the cache.
PROGRAM = """
import jax
from adplg_jax.run.compilation_cache import keep_programs
hits = []
jax.monitoring.register_event_listener(
  lambda event, **_: event.endswith("cache_hits") and hits.append(event)
)
keep_programs()
jax.jit(lambda x: x @ x + 1)(jax.numpy.ones((8, 8))).block_until_ready()
print(len(hits))
"""


def hits(**environment):
  env = dict(os.environ, JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0")
  del env["JAX_COMPILATION_CACHE_DIR"]
  done = subprocess.run(
    [sys.executable, "-c", PROGRAM],
    env=env | environment,
    capture_output=True,
    text=True,
    check=True,
  )
  return int(done.stdout), done.stderr


def test_a_second_process_compiles_nothing_again(tmp_path):
  place = {"XDG_CACHE_HOME": str(tmp_path)}
  assert hits(**place) == (0, "")
  assert any((tmp_path / "adplg_jax" / "xla").glob("*/jit_*"))
  number, said = hits(**place)
  assert number > 0
  assert said == ""


def test_a_folder_that_was_named_is_used(tmp_path):
  named, other = tmp_path / "named", tmp_path / "other"
  place = {
    "XDG_CACHE_HOME": str(other),
    "JAX_COMPILATION_CACHE_DIR": str(named),
  }
  hits(**place)
  assert any(named.glob("jit_*"))
  assert not other.exists()


def test_a_folder_that_cannot_be_is_named_and_nothing_is_kept(tmp_path):
  (tmp_path / "file").write_text("")
  number, said = hits(XDG_CACHE_HOME=str(tmp_path / "file"))
  assert number == 0
  assert f"not kept: {tmp_path}/file/adplg_jax/xla/" in said
  assert "(Not a directory). Name another folder in $JAX_COMP" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
  tmp_path.chmod(0o500)
  assert "Permission denied" in hits(XDG_CACHE_HOME=str(tmp_path))[1]


def test_processors_have_folders_of_their_own(monkeypatch):
  own = compilation_cache.default_folder()
  monkeypatch.setattr(Path, "read_text", lambda self: "flags: fewer")
  assert compilation_cache.default_folder().parent == own.parent
  assert compilation_cache.default_folder() != own


def test_training_keeps_its_programs(monkeypatch, tmp_path):
  """By the switches that every command sets."""
  from adplg_jax.configs import synthetic
  from adplg_jax.experiment import set_up_jax

  before = jax.config.jax_compilation_cache_dir
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  try:
    jax.config.update("jax_compilation_cache_dir", None)
    set_up_jax(synthetic.get_config())
    found = jax.config.jax_compilation_cache_dir
  finally:
    jax.config.update("jax_compilation_cache_dir", before)
  assert str(found).startswith(str(tmp_path / "adplg_jax" / "xla"))
