"""What the documents on these commands name exists."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from tests.runs import run_command

COMMANDS = {
  "docs/ablations.md": ("sweep", "main"),
  "docs/extraction.md": (
    "extract",
    "prepare folder",
    "main",
    "convert video-weights",
    "score",
  ),
  "docs/report.md": ("report", "main", "prepare folder"),
  "docs/scoring.md": ("score",),
  "docs/serving.md": ("export",),
}


@pytest.mark.parametrize("file", COMMANDS)
def test_options_modules_and_files_exist(file):
  text = Path(file).read_text()
  told = "--plot"  # That of the benchmark.
  for command in COMMANDS[file]:
    words = f"-m adplg_jax.{command} --help".split()
    told += run_command(sys.executable, *words)
  for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)):
    assert option in told, option
  for module in re.findall(r"python -m ([\w.]+)", text):
    assert importlib.util.find_spec(module), module
  for path in re.findall(r"\]\(([\w./]+)[#)]", text):
    assert (Path(file).parent / path).exists(), path
