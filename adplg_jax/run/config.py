"""Configurations: files, their arguments, fields set on the command line."""

import difflib
import inspect
import os
import re
import runpy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from adplg_jax.configs import base

_PACKAGED = Path(__file__).parent.parent / "configs"
_EXPECTED = (
  "A configuration file is Python with a function get_config that returns a "
  "ConfigDict, as configs/base.py is."
)
# Types of fields, in words; `flatten` makes lists of tuples.
_TYPES = {
  bool: "true or false",
  int: "a whole number",
  float: "a number",
  str: "text",
  list: "values in brackets, as in (2,4)",
}


def load_config(argument: str, overrides: Sequence[str] = ()) -> Any:
  """The configuration of "FILE" or "FILE:ARGUMENT", with fields changed.

  Args:
    argument: Path of a configuration file, or the name of one that comes with
      the package (`ucf_crime`), with its argument after a colon.
    overrides: Words such as "--config.seed=1".

  Returns:
    The configuration.

  Raises:
    ValueError: There is no such file, argument or field, the file makes no
      configuration or not a complete one, or a value is of another type.
  """
  path, *arguments = argument.split(":", 1)
  config = _get_config(path, arguments)
  _check_complete(path, config)
  return override(config, overrides)


def _get_config(path: str, arguments: Sequence[str]) -> ConfigDict:
  """What a configuration file makes of its argument.

  Raises:
    ValueError: There is no such file or argument, or it makes none.
  """
  get_config = _function(path)
  named = f"--config names {path!r}, whose get_config"
  try:
    inspect.signature(get_config).bind(*arguments)
  except TypeError as error:
    given = f"with {arguments[0]!r}" if arguments else "without an argument"
    raise ValueError(
      f"{named} cannot be called {given} ({error}); its argument is what "
      "follows the first colon."
    ) from error
  try:
    config = get_config(*arguments)
  except ValueError:
    raise
  except Exception as error:
    raise ValueError(f"{named} fails ({_in_a_line(error)}).") from error
  if not isinstance(config, ConfigDict):
    raise ValueError(f"{named} returns {type(config).__name__}. {_EXPECTED}")
  return config


def _function(path: str) -> Callable[..., Any]:
  """The get_config of a configuration file.

  Raises:
    ValueError: There is no such file, or it has none.
  """
  file = _find_file(path)
  try:
    get_config = runpy.run_path(str(file)).get("get_config")
  except Exception as error:
    raise ValueError(
      f"--config names {path!r}, which fails ({_in_a_line(error)}). {_EXPECTED}"
    ) from error
  if not callable(get_config):
    raise ValueError(
      f"--config names {path!r}, without get_config. {_EXPECTED}"
    )
  return get_config


def _in_a_line(error: Exception) -> str:
  """The type of an error, and the first line of its text."""
  return f"{type(error).__name__}: {error}".splitlines()[0]


def _check_complete(path: str, config: ConfigDict) -> None:
  """Refuses a configuration with other fields than configs/base.py.

  Raises:
    ValueError: Naming those that are missing or not known.
  """
  complete, found = base.get_config(), flatten(config.to_dict())
  missing = [
    f"config.{name}"
    for name in flatten(complete.to_dict())
    if name not in found
  ]
  if missing:
    raise ValueError(
      f"--config names {path!r}, which lacks {', '.join(missing)}; begin with "
      "configs/base.py, which has every field."
    )
  check_fields(found, complete)


def _find_file(path: str) -> Path:
  """A file, or the packaged file of that name.

  Raises:
    ValueError: There is neither.
  """
  # Not Path.is_file, which fails on names that are too long.
  if os.path.isfile(path):
    return Path(path)
  packaged = _PACKAGED / f"{path}.py"
  if path.isidentifier() and os.path.isfile(packaged):
    return packaged
  names = sorted(p.stem for p in _PACKAGED.glob("*.py"))
  names = [name for name in names if name not in ("__init__", "base")]
  raise ValueError(
    f"--config names {path!r}, but there is no such file; allowed: the path of "
    f"a configuration file, or one of {', '.join(names)}, with an argument "
    "after a colon."
  )


def override(config: ConfigDict, overrides: Sequence[str]) -> Any:
  """A copy of a configuration with fields changed.

  Args:
    config: The configuration.
    overrides: Words such as "--config.seed=1".

  Returns:
    The copy, locked.

  Raises:
    ValueError: There is no such field, or the value is of another type.
  """
  names = overridden(overrides)
  check_fields(names, config)
  fields = flatten(config.to_dict())
  config = config.copy_and_resolve_references()
  for word, name in zip(overrides, names, strict=True):
    words = ["", word]
    parser = flags.FlagValues()
    config_flags.DEFINE_config_dict(
      "config", config, flag_values=parser, sys_argv=words
    )
    try:
      parser(words)
    except flags.Error as error:
      _, equals, value = word.partition("=")
      said = f"is {value!r}" if equals else "has no value"
      allowed = _TYPES[type(fields[name])]
      raise ValueError(f"config.{name} {said}; allowed: {allowed}.") from error
  return config.lock()


def overridden(overrides: Iterable[str]) -> list[str]:
  """The fields that words such as "--config.seed=1" change."""
  return [re.sub("^--?config\\.", "", w).partition("=")[0] for w in overrides]


def split_overrides(argv: Iterable[str]) -> tuple[list[str], list[str]]:
  """Splits a command line into overrides of fields, and the rest.

  Args:
    argv: Words; --config.FIELD=VALUE and --config.FIELD VALUE are overrides.

  Returns:
    The overrides as single words, and all other words.
  """
  overrides: list[str] = []
  rest: list[str] = []
  value_follows = False
  for word in argv:
    if value_follows and not word.startswith("--"):
      overrides[-1] += f"={word}"
      value_follows = False
      continue
    is_field = re.match(r"--?config\.", word) is not None
    (overrides if is_field else rest).append(word)
    value_follows = is_field and "=" not in word
  return overrides, rest


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
  """Fields by their dotted names; tuples as lists, as JSON keeps them."""

  def walk(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
      for key, inner in value.items():
        yield from walk(inner, f"{name}.{key}" if name else key)
    else:
      yield name, list(value) if isinstance(value, tuple) else value

  return dict(walk(config, prefix))


def from_json(fields: Mapping[str, Any]) -> Any:
  """A configuration from JSON; its lists become tuples again."""

  def tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
      return {name: tuples(inner) for name, inner in value.items()}
    return tuple(value) if isinstance(value, list) else value

  return ConfigDict(tuples(fields))


def check_fields(names: Iterable[str], config: ConfigDict) -> None:
  """Refuses fields that a configuration does not have.

  Args:
    names: Fields to be set, such as "video.optimizer.learning_rate".
    config: The configuration.

  Raises:
    ValueError: Naming each unknown field, and the nearest known ones.
  """
  fields = list(flatten(config.to_dict()))
  lines = []
  for name in names:
    if name not in fields:
      nearest = sorted(fields, key=lambda field: _distance(name, field))[:3]
      lines.append(
        f"config.{name} is not a field. Did you mean "
        f"{', '.join(f'config.{field}' for field in nearest)}?"
      )
  if lines:
    raise ValueError(
      "\n".join([*lines, "docs/configuration.md lists all fields."])
    )


def _distance(name: str, field: str) -> tuple[int, bool, float]:
  """Words all found in order come first, then initials, then similar spelling.

  So video.learning_rate is near video.optimizer.learning_rate, and lr is near
  learning_rate.
  """
  parts = iter(field.split("."))
  inside = all(word in parts for word in name.split("."))
  last = field.rpartition(".")[2]
  initials = "".join(word[0] for word in last.split("_") if word)
  same = name.rpartition(".")[2] == initials
  alike = difflib.SequenceMatcher(None, name, field).ratio()
  return not inside, not same, -alike
