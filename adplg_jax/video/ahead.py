"""An iterator that runs ahead in a thread."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

_ENDED = object()
# How long the thread's last item is waited for [s].
_PATIENCE = 1.0


def ahead(items: Iterable[T], count: int) -> Iterator[T]:
  """Makes items in a thread while others are in use.

  Args:
    items: Used in the thread alone, and no longer once the iterator is
      closed, unless making one takes more than a second.
    count: How many are made before they are asked for.

  Yields:
    The items, in order. What making them raises is raised in their place.
  """
  made: queue.Queue[Any] = queue.Queue(count)
  stop = threading.Event()
  failure: list[BaseException] = []

  def put(item: Any) -> None:
    while not stop.is_set():
      try:
        made.put(item, timeout=0.1)
        return
      except queue.Full:
        continue

  def run() -> None:
    try:
      for item in items:
        put(item)
        if stop.is_set():
          return
    except BaseException as error:
      failure.append(error)
    put(_ENDED)

  thread = threading.Thread(target=run, daemon=True)
  thread.start()
  try:
    while (item := made.get()) is not _ENDED:
      yield item
    if failure:
      raise failure[0]
  finally:
    stop.set()
    # It may wait for a camera, and ends by itself then.
    thread.join(_PATIENCE)
