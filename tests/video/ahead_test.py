import itertools
import threading
import time

import pytest

from adplg_jax.video.ahead import ahead


def test_items_come_in_order():
  assert list(ahead(range(100), 3)) == list(range(100))


def test_items_are_made_in_a_thread_and_not_too_many():
  made = []

  def items():
    for number in itertools.count():
      made.append((number, threading.current_thread()))
      yield number

  stream = ahead(items(), 2)
  assert [next(stream) for _ in range(5)] == list(range(5))
  stream.close()
  # Two that wait, one that is to be put.
  assert len(made) <= 5 + 2 + 1
  assert all(t is not threading.current_thread() for _, t in made)
  assert not any(t.is_alive() for _, t in made)


def test_what_fails_is_raised_in_its_place():
  def items():
    yield 1
    raise KeyError("two")

  stream = ahead(items(), 2)
  assert next(stream) == 1
  with pytest.raises(KeyError, match="two"):
    next(stream)


def test_an_item_that_does_not_come_is_not_waited_for():
  """A camera that says nothing any more, and Ctrl-C."""
  never = threading.Event()

  def items():
    yield 1
    never.wait(30)

  made = ahead(items(), 1)
  assert next(made) == 1
  begin = time.monotonic()
  made.close()
  assert time.monotonic() - begin < 10
  never.set()
