"""The precision of a run, without a trace after it."""

import jax
import jax.numpy as jnp
import pytest

from adplg_jax.run.precision import precision_of
from tests.runs import tiny


@pytest.mark.parametrize(
  ("precision", "dtype"), [("float64", "float64"), ("float32", "float32")]
)
def test_types_and_products_are_those_of_training(tmp_path, precision, dtype):
  config = tiny(tmp_path, precision=precision, matmul_precision="highest")
  with precision_of(config):
    assert jnp.zeros(2, float).dtype == dtype
    assert jax.config.jax_default_matmul_precision == "highest"
  assert jax.config.jax_default_matmul_precision is None
  assert not jax.config.jax_enable_x64
