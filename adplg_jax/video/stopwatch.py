"""How long something is worked on."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Stopwatch:
  """Counts the time that making items takes, and not that of using them.

  Attributes:
    seconds: So far.
  """

  def __init__(self):
    """Begins at 0."""
    self.seconds = 0.0

  def over(self, items: Iterable[T]) -> Iterator[T]:
    """The items, as they are made."""
    made = iter(items)
    while True:
      begin = time.perf_counter()
      try:
        item = next(made)
      except StopIteration:
        return
      finally:
        self.seconds += time.perf_counter() - begin
      yield item
