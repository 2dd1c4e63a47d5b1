"""The matrix products of a function: counted from shapes, and done alone."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.interpreters import partial_eval


class Product(NamedTuple):
  """A dot_general: shapes and axes."""

  left: tuple[int, ...]
  right: tuple[int, ...]
  dtype: str
  axes: Any

  def flop(self) -> int:
    """Two for each multiplication."""
    (_, contracted), (_, batch) = self.axes
    outer = math.prod(
      size
      for axis, size in enumerate(self.right)
      if axis not in (*contracted, *batch)
    )
    return 2 * math.prod(self.left) * outer


def of(function: Callable[..., Any], *arguments: Any) -> Counter[Product]:
  """All products that a function's results need, each with its number."""
  jaxpr = jax.make_jaxpr(function)(*arguments).jaxpr
  needed, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
  return Counter(_products(needed))


def _products(jaxpr: Any) -> Iterator[Product]:
  for equation in jaxpr.eqns:
    if equation.primitive.name == "dot_general":
      left, right = (variable.aval for variable in equation.invars)
      axes = equation.params["dimension_numbers"]
      yield Product(left.shape, right.shape, str(left.dtype), axes)
    for inner in _inner(equation):
      yield from _products(inner)


def _inner(equation: Any) -> Iterator[Any]:
  """The functions that an equation calls; of a condition, the last branch."""
  if equation.primitive.name == "cond":
    yield equation.params["branches"][-1].jaxpr
    return
  for value in equation.params.values():
    if hasattr(value, "jaxpr"):
      yield value.jaxpr
    elif hasattr(value, "eqns"):
      yield value


def flop(products: Counter[Product]) -> int:
  """Of all products together."""
  return sum(product.flop() * count for product, count in products.items())


def alone(products: Counter[Product]) -> Callable[[], None]:
  """A function that does all products, and nothing else, and waits."""
  key = jax.random.key(0)
  work = []
  for product, count in products.items():
    left, right = (
      jax.random.uniform(key, shape, product.dtype)
      for shape in (product.left, product.right)
    )

    def multiply(left, right, axes=product.axes):
      return jax.lax.dot_general(
        left, right, axes, preferred_element_type=jnp.float32
      )

    compiled = jax.jit(multiply).lower(left, right).compile()
    work += [(compiled, left, right)] * count

  def run() -> None:
    for compiled, left, right in work:
      compiled(left, right).block_until_ready()

  return run
