"""What the readers of array files have in common."""

from pathlib import Path

import numpy as np

from adplg_jax.prepare import stored_array


def test_an_error_names_the_file():
  error = stored_array.FeatureFileError(Path("a/b.npy"), "empty", "no row.")
  assert str(error) == "a/b.npy: no row."
  assert (error.kind, error.detail) == ("empty", "no row.")


def test_a_part_is_a_copy_in_c_order():
  x = np.arange(24).reshape(4, 2, 3).astype(np.float32)
  for part, want in (
    (stored_array.part(x, 1), x[:, 1]),
    (stored_array.part(np.asarray(x, order="F"), None), x),
  ):
    np.testing.assert_array_equal(part, want)
    assert part.flags.c_contiguous
    assert not np.shares_memory(part, x)


def test_several_arrays_are_named_with_the_line_that_takes_one():
  error = stored_array.several_arrays(Path("v.npz"), ["rgb", 1], "LINE")
  assert error.detail == "2 arrays by name (rgb, 1); a file has one: LINE"
  assert [stored_array.quote(key) for key in ("rgb", 1)] == ['"rgb"', "1"]
