"""Text files in UTF-8; anything else is named with its cure."""

import pytest

from adplg_jax.prepare.findings import PreparationError
from adplg_jax.prepare.text_files import read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf8_is_read(tmp_path, encoding):
  path = tmp_path / "a.csv"
  path.write_text("path\r\n打架\n", encoding=encoding, newline="")
  assert read_text(path).splitlines() == ["path", "打架"]


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("a,b".encode("utf-16"), "is UTF-16 text; UTF-8 is needed: iconv"),
    ("a\nb\n打架".encode("gbk"), r"a.csv:3: byte 0xb4 is not UTF-8; save"),
    (b"a\0b", "is no text, it has zero bytes"),
  ],
)
def test_other_encodings_are_named(tmp_path, content, message):
  path = tmp_path / "a.csv"
  path.write_bytes(content)
  with pytest.raises(PreparationError, match=message):
    read_text(path)


def test_a_missing_file_is_named(tmp_path):
  with pytest.raises(PreparationError, match=r"b\.csv: cannot be read"):
    read_text(tmp_path / "b.csv")
