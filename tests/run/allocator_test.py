"""The allocator is told to keep memory, where it can be told."""

import ctypes
import subprocess
import sys

import pytest

from adplg_jax.run import allocator

# Allocates and frees 64 MiB twice; prints the page faults of the second time.
FAULTS = """
import resource
import numpy as np
{tell}
def faults():
  return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
  before = faults()
  np.ones(2**23)
print(faults() - before)
"""


def faults(tell):
  code = FAULTS.format(tell=tell)
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  return int(done.stdout)


def is_glibc():
  try:
    return hasattr(ctypes.CDLL("libc.so.6"), "mallopt")
  except OSError:
    return False


@pytest.mark.skipif(not is_glibc(), reason="the C library is not glibc")
def test_memory_is_used_again():
  tell = "from adplg_jax.run.allocator import keep_memory; keep_memory()"
  assert faults(tell) < 100 < faults("")


def test_another_library_is_left_alone(monkeypatch):
  def missing(name):
    raise OSError(name)

  monkeypatch.setattr(ctypes, "CDLL", missing)
  allocator.keep_memory()
