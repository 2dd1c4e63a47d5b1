"""Types checked at run time, compilations shared by all tests of a session."""

import atexit
import os
import shutil
import tempfile

import jaxtyping

# Shapes and types of every call are checked in the tests, not in use.
jaxtyping.install_import_hook("adplg_jax", "beartype.beartype")

# Workers, programs that tests start, and runs of `tests.mutants` share their
# compilations.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
  _CACHE = tempfile.mkdtemp(prefix="adplg_jax_test_cache_")
  atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
  os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"

import jax  # noqa: E402
import pytest  # noqa: E402

from adplg_jax.run import allocator  # noqa: E402

# Commands that tests run in their own process leave its memory alone.
allocator.SETTINGS = ()


@pytest.fixture(autouse=True, scope="module")
def few_programs():
  """Forgets what a module compiled: a worker would grow to 4 GB."""
  yield
  jax.clear_caches()


@pytest.fixture
def x64():
  """Double precision for one test."""
  with jax.enable_x64(True):
    yield


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
  """Where the tests' runs have their synthetic data."""
  return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def whole(data_dir, tmp_path_factory):
  """A run of eight steps that nothing disturbed."""
  from adplg_jax import main
  from tests.runs import tiny

  workdir = tmp_path_factory.mktemp("whole")
  assert main.run(tiny(data_dir), str(workdir)) == 0
  return workdir
