"""The data sets that can be prepared, by name."""

from collections.abc import Mapping

from adplg_jax.prepare.source import Source
from adplg_jax.prepare.sources import (
  folder,
  shanghaitech,
  synthetic,
  ucf_crime,
  xd_violence,
)

SYNTHETIC: Source = synthetic.SOURCE
SOURCES: Mapping[str, Source] = {
  source.name: source
  for source in (
    SYNTHETIC,
    folder.SOURCE,
    ucf_crime.SOURCE,
    xd_violence.SOURCE,
    shanghaitech.SOURCE,
  )
}


def find(name: str) -> Source:
  """The data set of a name.

  Raises:
    ValueError: There is none; names those there are.
  """
  if name not in SOURCES:
    raise ValueError(
      f"the data set is {name!r}; allowed: {', '.join(SOURCES)}."
    )
  return SOURCES[name]


def command(name: str, variant: str, *, segments: int, data_dir: str) -> str:
  """The command that prepares a data set.

  Raises:
    ValueError: There is no such data set or variant; names those there are.
  """
  words = [f"python -m adplg_jax.prepare {find(name).usage(variant)}"]
  words.append(f"--segments {segments}")
  if data_dir:
    words.append(f"--data_dir {data_dir}")
  return " ".join(words)
