"""The README says what is true: fields, defaults, files, commands."""

import importlib.util
import re
from pathlib import Path

from adplg_jax.configs import base
from adplg_jax.run.config import flatten
from tests import fields_table

TEXT = Path("README.md").read_text()


def test_the_table_of_fields_is_that_of_the_configuration():
  assert fields_table.table() in TEXT, "python -m tests.fields_table"
  rows = fields_table.table().splitlines()
  assert len(rows) == 4 + len(flatten(base.get_config().to_dict()))


def test_files_and_modules_it_names_exist():
  for path in re.findall(r"\]\((docs/[\w./]+)\)", TEXT):
    assert Path(path).exists(), path
  for module in re.findall(r"python -m ([\w.]+)", TEXT):
    assert importlib.util.find_spec(module), module
  for config in re.findall(r"--config=(configs/\w+\.py)", TEXT):
    assert Path(config).exists(), config


def test_make_targets_it_names_exist():
  makefile = Path("Makefile").read_text()
  for target in re.findall(r"make (?:PYTHON=\S+ )?([a-z-]+)`", TEXT):
    assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
