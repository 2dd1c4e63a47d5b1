"""Rows of features from a pipe or a growing file."""

import io
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adplg_jax.score.rows import form_of, read_rows, wait_for_more

ROWS = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)


class Pieces(io.BufferedIOBase):
  """Gives bytes in pieces of these sizes, as a pipe does."""

  def __init__(self, data, sizes):
    self._data, self._sizes = data, list(sizes)

  def read1(self, size=-1):
    size = self._sizes.pop(0) if self._sizes else len(self._data)
    piece, self._data = self._data[:size], self._data[size:]
    return piece


def encoded(form, rows=ROWS):
  if form == "float32":
    return rows.astype("<f4").tobytes()
  text = io.StringIO()
  np.savetxt(text, rows, fmt="%.9g", delimiter=",")
  return text.getvalue().encode()


def read(data, form, sizes=(), **options):
  found = list(
    read_rows(Pieces(data, sizes), form, width=3, crops=2, **options)
  )
  assert all(len(block) for block in found)
  return np.concatenate([np.zeros((0, 2, 3), np.float32), *found])


@given(
  st.sampled_from(["text", "float32"]), st.lists(st.integers(1, 50), max_size=9)
)
def test_rows_may_come_in_any_pieces(form, sizes):
  found = read(encoded(form), form, sizes)
  np.testing.assert_array_equal(found, ROWS.reshape(7, 2, 3))


def test_the_forms_of_text():
  data = b"1 2,3, 4\t5 6\r\n\n7 8 9 10 11 12"
  assert read(data, "text").ravel().tolist() == list(range(1, 13))


@pytest.mark.parametrize(
  ("data", "form", "said"),
  [
    (encoded("float32")[:-3], "float32", r"row 6 ends after 21 bytes; .* 24 b"),
    (b"1 2 3 4 5 6\n1 2 3 4 5\n", "text", "row 1 has 5 numbers; .* needs 6"),
    (b"1 2 3 4 5 x\n", "text", "row 0 is no row of numbers: b'1 2 3 4 5 x'"),
  ],
)
def test_rows_of_another_form_are_refused(data, form, said):
  with pytest.raises(ValueError, match=said):
    read(data, form)


def test_a_growing_file_is_waited_for(tmp_path):
  path = tmp_path / "rows.f32"
  data = encoded("float32")
  path.write_bytes(data[:50])
  found, more = [], threading.Event()

  def grow():
    more.wait(10)
    with path.open("ab") as file:
      file.write(data[50:])

  thread = threading.Thread(target=grow)
  thread.start()
  with path.open("rb") as file:
    wait = wait_for_more(path, 0.5)
    for block in read_rows(file, "float32", width=3, crops=2, wait=wait):
      found.append(block)
      more.set()
  thread.join()
  assert [len(block) for block in found] == [2, 5]
  np.testing.assert_array_equal(np.concatenate(found).reshape(7, 6), ROWS)


def test_a_file_that_is_gone_has_ended(tmp_path):
  assert not wait_for_more(tmp_path / "gone", None)(0.0)


def test_forms_by_suffix():
  names = ["-", "a.csv", "a.TXT", "a.f32", "a"]
  assert [form_of(name) for name in names] == [
    "text", "text", "text", "float32", "float32",
  ]  # fmt: skip
  with pytest.raises(ValueError, match="kind that cannot grow"):
    form_of("a.npy")
