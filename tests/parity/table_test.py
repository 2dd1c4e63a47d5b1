"""The table's place in a text."""

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: no parity table")

from tests.parity import table


def test_only_what_stands_between_the_marks_is_replaced():
  text = f"before {table.BEGIN}\nold\n{table.END} after"
  once = table.put(text, "new")
  assert once == f"before {table.BEGIN}\n\nnew\n\n{table.END} after"
  assert table.put(once, "new") == once


@pytest.mark.parametrize("text", ["", table.BEGIN, table.END + table.BEGIN])
def test_missing_marks_are_named(text):
  with pytest.raises(ValueError, match="parity:begin"):
    table.put(text, "new")
