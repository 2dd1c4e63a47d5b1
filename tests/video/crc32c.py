"""CRC-32C as TensorFlow's checkpoints have it, of megabytes in NumPy.

Without its initial value the sum is linear in the bits, so parts of a message
are summed side by side, and put together by matrices over GF(2).
"""

import numpy as np

_POLYNOMIAL = 0x82F63B78


def _table():
  table = np.arange(256, dtype=np.uint32)
  for _ in range(8):
    table = (table >> 1) ^ (table & 1) * np.uint32(_POLYNOMIAL)
  return table


_TABLE = _table()


def _next(state, byte):
  return _TABLE[(state ^ byte) & 255] ^ (state >> 8)


def _apply(matrix, states):
  """A matrix, as its 32 columns, times states."""
  out = np.zeros_like(states)
  for bit, column in enumerate(matrix):
    out ^= (states >> bit & 1) * column
  return out


def _zeros(count):
  """The matrix of zero bytes."""
  power = _next(np.uint32(1) << np.arange(32, dtype=np.uint32), 0)
  matrix = np.uint32(1) << np.arange(32, dtype=np.uint32)
  while count:
    if count & 1:
      matrix = _apply(power, matrix)
    power, count = _apply(power, power), count >> 1
  return matrix


def crc32c(data):
  """CRC-32C of bytes."""
  parts = 1 << int(len(data) ** 0.5).bit_length()
  length = -(-len(data) // parts)
  # Zeros before a message change nothing.
  padded = np.zeros(parts * length, np.uint8)
  padded[len(padded) - len(data) :] = np.frombuffer(data, np.uint8)
  states = np.zeros(parts, np.uint32)
  for bytes_ in padded.reshape(parts, length).T:
    states = _next(states, bytes_)
  matrix = _zeros(length)
  while len(states) > 1:
    states = _apply(matrix, states[0::2]) ^ states[1::2]
    matrix = _apply(matrix, matrix)
  ones = np.array([0xFFFFFFFF], np.uint32)
  return int(states[0] ^ _apply(_zeros(len(data)), ones)[0] ^ ones[0])


def masked(data):
  """As TensorFlow masks it."""
  crc = crc32c(data)
  rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
  return (rotated + 0xA282EAD8) & 0xFFFFFFFF
