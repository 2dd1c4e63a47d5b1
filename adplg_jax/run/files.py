"""Files written whole or not at all, and values as JSON."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_atomically(path: str | Path, content: str | bytes) -> None:
  """Writes a temporary file and renames it, once it is on disk.

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


def write_json(path: str | Path, value: Any) -> None:
  """Writes `as_json` of a value, whole or not at all."""
  write_atomically(path, json.dumps(as_json(value), indent=2) + "\n")


def as_json(value: Any) -> Any:
  """Numbers and containers as JSON has them; NaN and infinity are null."""
  if isinstance(value, Mapping):
    return {str(key): as_json(inner) for key, inner in value.items()}
  if isinstance(value, (list, tuple)):
    return [as_json(inner) for inner in value]
  if isinstance(value, (np.generic, np.ndarray)):
    return as_json(value.tolist())
  if isinstance(value, float):
    return value if math.isfinite(value) else None
  return value
