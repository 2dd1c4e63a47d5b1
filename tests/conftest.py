"""Shapes and types are checked at run time in the tests, off in use."""

import jaxtyping

jaxtyping.install_import_hook("adplg_jax", "beartype.beartype")

import jax  # noqa: E402
import pytest  # noqa: E402


@pytest.fixture
def x64():
  """Double precision for one test."""
  with jax.enable_x64(True):
    yield
