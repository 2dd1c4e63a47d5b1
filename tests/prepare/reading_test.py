"""Reading ahead: order, budget, errors."""

import threading
import time

import pytest

from adplg_jax.prepare.reading import read_ahead


def test_order_is_kept():
  def read(item):
    time.sleep(0.002 * (item % 3))
    return item * 10

  got = list(read_ahead(range(30), read, lambda item: 1))
  assert got == [10 * item for item in range(30)]


def test_no_more_than_the_budget_is_held():
  held, most, lock = 0, 0, threading.Lock()

  def read(item):
    nonlocal held, most
    with lock:
      held += item
      most = max(most, held)
    return item

  sizes = [3, 4, 2, 9, 1, 5, 20, 3, 3]
  for item in read_ahead(sizes, read, lambda item: item, budget_bytes=10):
    with lock:
      held -= item
  # One item larger than the budget is read by itself.
  assert most == 20
  assert held == 0


def test_an_error_comes_where_its_value_would():
  def read(item):
    if item == 2:
      raise KeyError(item)
    return item

  got = []
  with pytest.raises(KeyError):
    got.extend(read_ahead(range(5), read, lambda item: 1))
  stream = read_ahead(range(5), read, lambda item: 1)
  assert [next(stream), next(stream)] == [0, 1]
  with pytest.raises(KeyError):
    next(stream)
