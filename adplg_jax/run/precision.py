"""The precision of a run, for as long as its model is used."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax


@contextlib.contextmanager
def precision_of(config: Any) -> Iterator[None]:
  """Computes as training does with `set_up_jax`, without a trace after it.

  Args:
    config: The run's configuration.
  """
  with contextlib.ExitStack() as stack:
    stack.enter_context(jax.enable_x64(config.precision == "float64"))
    if config.matmul_precision != "default":
      stack.enter_context(jax.default_matmul_precision(config.matmul_precision))
    yield
