"""Writes the table of all configuration fields into docs/configuration.md.

  python -m tests.fields_table

Fields, defaults and comments are those of configs/base.py.
"""

import re
import sys
from pathlib import Path

from adplg_jax.configs import base
from adplg_jax.run.config import flatten

DOCUMENT = Path("docs/configuration.md")
_BLOCK = re.compile(
  r"(?<=<!-- fields:begin -->\n).*(?=<!-- fields:end -->)", re.S
)


def comments(source: str) -> dict[str, str]:
  """The comment above each field that a configuration file sets."""
  found, lines = {}, []
  for line in source.splitlines():
    text = line.strip()
    field = re.match(r'config\.([\w.]+) = |"(\w+)": ', text)
    if text.startswith("#"):
      lines.append(text.lstrip("# "))
    else:
      if field and lines:
        name = field[1] or f"switches.{field[2]}"
        found.setdefault(name, " ".join(lines).rstrip("."))
      lines = []
  return found


def table() -> str:
  """One row a field: name, default, comment."""
  meaning = comments(Path(base.__file__).read_text())
  rows = ["", "| field | default | meaning |", "|---|---|---|"]
  fields = flatten(base.get_config().to_dict())
  # In the order of the file, where the switches come first.
  for name in sorted(fields, key=list(meaning).index):
    shown = '""' if fields[name] == "" else f"`{fields[name]}`"
    text = meaning[name].replace(" | ", " or ")
    rows.append(f"| `{name}` | {shown} | {text} |")
  return "\n".join([*rows, "", ""])


def main() -> int:
  """Writes the table."""
  DOCUMENT.write_text(_BLOCK.sub(lambda _: table(), DOCUMENT.read_text()))
  return 0


if __name__ == "__main__":
  sys.exit(main())
