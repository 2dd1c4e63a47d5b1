"""What the documents name exists: commands, options, fields, files, places."""

import functools
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from adplg_jax.configs import base
from adplg_jax.run.config import flatten
from tests import documents, fields_table
from tests.runs import run_command

ROOT = documents.ROOT
DOCUMENTS = documents.documents()
COMMANDS = [c for file in DOCUMENTS for c in documents.commands(file)]
# Of what the documents tell of other programs.
OTHERS = {
  "--plot",
  "--rounds",
  "--every",
  "--out",
  "--json",
  "--implementation",
}
LEFT_OUT = ("docs/clusters.md", "docs/performance.md", "CONTRIBUTING.md")
HELP = (
  *("main", "evaluate", "report", "export", "extract", "score"),
  *("demo", "demo_video", "prepare", "prepare folder", "sweep"),
  *("prepare synthetic", "prepare ucf_crime:i3d", "prepare shanghaitech:i3d"),
  *("convert", "convert from-torch", "convert to-torch"),
  "convert video-weights",
)


@functools.cache
def help_of(words):
  command = f"-m adplg_jax.{words} --help".split()
  return run_command(sys.executable, *command, COLUMNS="80")


@pytest.mark.parametrize("words", HELP)
def test_help_fits_a_screen_and_has_an_example(words):
  lines = help_of(words).splitlines()
  assert len(lines) <= 50
  assert max(map(len, lines)) <= 100
  usage = next(i for i, line in enumerate(lines) if not line)
  module = f"python -m adplg_jax.{words.split(':')[0]}"
  assert any(line.startswith(f"  {module}") for line in lines[usage:])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.text[:60])
def test_a_command_is_one_that_there_is(command):
  """Or it says what it needs."""
  program, *words = command.text.split()
  if command.needs:
    return
  if program == "make":
    assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), re.M)
  elif program == "pip":
    (extras,) = re.findall(r"\.\[([\w,]+)\]", command.text)
    text = (ROOT / "setup.cfg").read_text()
    for extra in extras.split(","):
      assert re.search(rf"^{extra} ?=", text, re.M), extra
  elif program.startswith("launch/"):
    assert (ROOT / program).exists()
  else:
    typed = command.text.rpartition("| ")[2].split()
    assert typed[:2] == ["python", "-m"], command
    assert importlib.util.find_spec(typed[2])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.text[:60])
def test_options_of_a_command_are_those_of_its_help(command):
  found = re.search(r"python -m adplg_jax\.(\w+)(?: ([\w:-]+))?", command.text)
  if not found:
    return
  module, word = found.groups()
  if module == "prepare" or (module == "convert" and word):
    module = f"{module} {word}"
  told = help_of(module)
  for option in re.findall(r"--[a-z][\w-]*", command.text):
    if option != "--config" or "--config." not in command.text:
      assert option in told, option


@pytest.mark.parametrize("file", DOCUMENTS)
def test_options_modules_and_places_exist(file):
  text = (ROOT / file).read_text("utf-8")
  if file not in LEFT_OUT:
    told = "".join(map(help_of, HELP))
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z_-]+", text)) - OTHERS:
      assert option in told, option
  for module in re.findall(r"python -m ([\w.]+)", text):
    assert importlib.util.find_spec(module), module
  for path, place in re.findall(r"\]\(([\w./-]*)(#[\w-]+)?\)", text):
    target = (ROOT / file).parent / path if path else ROOT / file
    assert target.exists(), path
    if place:
      assert place[1:] in anchors(target), (path, place)
  for target in re.findall(r"`make (?:PYTHON=\S+ )?([a-z-]+)`", text):
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def anchors(document):
  """Places in a document, as GitHub names them."""
  text = document.read_text("utf-8")
  headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
  return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_the_table_of_fields_is_that_of_the_configuration():
  text = (ROOT / fields_table.DOCUMENT).read_text("utf-8")
  assert fields_table.table() in text, "python -m tests.fields_table"
  rows = fields_table.table().splitlines()
  assert len(rows) == 4 + len(flatten(base.get_config().to_dict()))


def test_every_document_is_named_in_the_readme():
  text = (ROOT / "README.md").read_text("utf-8")
  for file in Path(ROOT / "docs").glob("*.md"):
    assert f"](docs/{file.name}" in text, file
