"""The README says what is true: fields, defaults, files, commands."""

import re
from pathlib import Path

from adplg_jax.configs import base
from adplg_jax.workdir import flatten

TEXT = Path("README.md").read_text()


def test_every_field_stands_there_with_its_default():
  rows = dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", TEXT, re.MULTILINE))
  fields = flatten(base.get_config().to_dict())
  for name, value in fields.items():
    shown = '""' if value == "" else f"`{value}`"
    assert rows.get(name) == shown, name
  assert set(fields) <= set(rows)


def test_files_and_modules_it_names_exist():
  for path in re.findall(r"\]\((docs/[\w./]+)\)", TEXT):
    assert Path(path).exists(), path
  for module in re.findall(r"python -m ([\w.]+)", TEXT):
    assert Path(module.replace(".", "/") + ".py").exists(), module
  for config in re.findall(r"--config=(configs/\w+\.py)", TEXT):
    assert Path(config).exists(), config


def test_make_targets_it_names_exist():
  makefile = Path("Makefile").read_text()
  for target in re.findall(r"make (?:PYTHON=\S+ )?([a-z-]+)`", TEXT):
    assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
