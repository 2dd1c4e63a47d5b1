"""The commands that the documents tell people to type."""

import dataclasses
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What stands beside a command that only some can run.
NEEDS = "# needs "
PROGRAMS = (
  *("python", "make", "pip", "cat", "export"),
  *("sbatch", "docker", "kubectl", "gcloud"),
)


@dataclasses.dataclass(frozen=True)
class Command:
  """A command of a document.

  Attributes:
    document: Its path below the project's root.
    text: What is to be typed, in one line.
    needs: What it needs besides this project, "" for nothing.
  """

  document: str
  text: str
  needs: str = ""


def documents() -> list[str]:
  """All documents with commands for people, below the project's root."""
  files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
  files += sorted(ROOT.glob("docs/*.md"))
  return [str(file.relative_to(ROOT)) for file in files]


def commands(document: str) -> list[Command]:
  """The commands of a document: indented lines that begin with a program."""
  text = (ROOT / document).read_text("utf-8").replace("\\\n", " ")
  found = []
  for line in text.splitlines():
    program = re.match(r"    (?:\w+=\S+ )*([\w./-]+)( |$)", line)
    if not program or not _is_program(program[1]):
      continue
    typed, _, note = line.strip().partition(NEEDS)
    typed = re.sub(r" +# .*", "", re.sub(" +", " ", typed)).strip()
    found.append(Command(document, typed, note))
  return found


def _is_program(word: str) -> bool:
  return word in PROGRAMS or word.startswith("launch/")
