"""Text files that people write: lists, annotations, manifests."""

import codecs
from pathlib import Path

from adplg_jax.prepare.findings import PreparationError

_MARKS = {
  codecs.BOM_UTF32_LE: "UTF-32",
  codecs.BOM_UTF32_BE: "UTF-32",
  codecs.BOM_UTF16_LE: "UTF-16",
  codecs.BOM_UTF16_BE: "UTF-16",
}


class TextFileError(PreparationError):
  """A text file that cannot be read.

  Attributes:
    where: The file, perhaps with a line.
    detail: What is wrong and what to do.
  """

  def __init__(self, where: object, detail: str):
    super().__init__(f"{where}: {detail}")
    self.where = where
    self.detail = detail


def read_text(path: Path) -> str:
  """Reads a UTF-8 file, with or without a byte-order mark.

  Raises:
    TextFileError: It cannot be read, or has another encoding.
  """
  try:
    content = path.read_bytes()
  except OSError as error:
    raise TextFileError(
      path, f"cannot be read: {error.strerror}; correct its path."
    ) from error
  for mark, encoding in _MARKS.items():
    if content.startswith(mark):
      raise TextFileError(
        path,
        f"is {encoding} text; UTF-8 is needed: iconv -f {encoding} -t UTF-8 "
        f"{path} > NEW, or in Excel save as 'CSV UTF-8'.",
      )
  if b"\0" in content:
    raise TextFileError(
      path, "is no text, it has zero bytes; a text file in UTF-8 is needed."
    )
  try:
    return content.decode("utf-8-sig")
  except UnicodeDecodeError as error:
    line = content.count(b"\n", 0, error.start) + 1
    raise TextFileError(
      f"{path}:{line}",
      f"byte {content[error.start]:#04x} is not UTF-8; save the file as UTF-8 "
      "(in Excel 'CSV UTF-8'; or iconv -f ENCODING -t UTF-8 with the encoding "
      "it was written in, such as GB18030 or CP1252).",
    ) from error
