"""Files written whole or not at all."""

import os
from pathlib import Path


def write_atomically(path: str | Path, content: str | bytes) -> None:
  """Writes a file beside its place and renames it, once it is on disk.

  Args:
    path: The file.
    content: Text (UTF-8) or bytes.
  """
  path = Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  temporary = path.with_name(f".{path.name}.{os.getpid()}")
  data = content.encode() if isinstance(content, str) else content
  try:
    with temporary.open("wb") as file:
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    temporary.replace(path)
  finally:
    temporary.unlink(missing_ok=True)
