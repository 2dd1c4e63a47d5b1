"""Reading ahead in threads, within a budget of memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 4
BUDGET_BYTES = 256 * 2**20

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")


def read_ahead(
  items: Iterable[_Item],
  read: Callable[[_Item], _Value],
  size: Callable[[_Item], int],
  *,
  threads: int = THREADS,
  budget_bytes: int = BUDGET_BYTES,
) -> Iterator[_Value]:
  """Applies `read` to the items in threads; keeps their order.

  Args:
    items: What to read.
    read: Reads one item; an exception is raised where its value would come.
    size: Bytes that an item takes.
    threads: Items read at a time.
    budget_bytes: Bytes read or being read and not yet taken; an item larger
      than that is read by itself.

  Yields:
    The values.
  """
  waiting: deque[tuple[Future[_Value], int]] = deque()
  held = 0
  with ThreadPoolExecutor(threads) as pool:
    try:
      for item in items:
        need = size(item)
        while waiting and (
          held + need > budget_bytes or len(waiting) >= 4 * threads
        ):
          future, freed = waiting.popleft()
          yield future.result()
          held -= freed
        waiting.append((pool.submit(read, item), need))
        held += need
      while waiting:
        yield waiting.popleft()[0].result()
    finally:
      for future, _ in waiting:
        future.cancel()
