"""Memory that is kept between steps, on glibc.

A step's temporaries are large. By default they are mapped, zeroed page by page
and given back to the system at every step.
"""

import contextlib
import ctypes

# Parameters of glibc's mallopt, from malloc.h, and their values: nothing is
# mapped by itself, nothing given back, and all threads share one arena.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
SETTINGS = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_ARENA_MAX, 1))


def keep_memory() -> None:
  """Tells malloc to keep what is freed; call it before JAX allocates.

  Nothing happens where the C library is another one.
  """
  with contextlib.suppress(OSError, AttributeError):
    mallopt = ctypes.CDLL("libc.so.6").mallopt
    for parameter, value in SETTINGS:
      mallopt(parameter, value)
