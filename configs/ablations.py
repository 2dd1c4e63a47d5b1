"""The method without each of its parts; docs/ablations.md has the formulas.

python -m adplg_jax.main --config=ablations:no_history --workdir=runs/x
python -m adplg_jax.main --config=ablations:no_history,ucf_crime:i3d,fixed
python -m adplg_jax.sweep --config=ucf_crime:i3d --rows=all --seeds=0-4

Argument: a row of ROWS, then the configuration file that it changes, with its
argument after a colon (synthetic by default).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from adplg_jax.configs import (
  folder,
  shanghaitech,
  synthetic,
  ucf_crime,
  xd_violence,
)

_BASES = {
  "folder": folder,
  "shanghaitech": shanghaitech,
  "synthetic": synthetic,
  "ucf_crime": ucf_crime,
  "xd_violence": xd_violence,
}


class Row(NamedTuple):
  """A row of a table of ablations.

  Attributes:
    name: Its name.
    words: What it is, in words.
    overrides: Fields that it changes.
  """

  name: str
  words: str
  overrides: Mapping[str, Any]


# What all others are compared with.
FULL = Row("full", "the whole method", {})
ROWS = (
  FULL,
  Row(
    "no_cross_attention",
    "without cross attention, and the two losses over it",
    {"video.model.cross_attention": False},
  ),
  Row(
    "no_separation",
    "without the compactness-separation loss",
    {"loss_weights.separation": 0.0},
  ),
  Row(
    "no_dissimilarity",
    "without the distributional dissimilarity",
    {"loss_weights.dissimilarity": 0.0},
  ),
  Row(
    "no_smoothness",
    "without the attention's smoothness",
    {"loss_weights.smoothness": 0.0},
  ),
  Row(
    "no_sparsity",
    "without the attention's sparsity",
    {"loss_weights.sparsity": 0.0},
  ),
  Row(
    "no_denoising",
    "without denoising: hard snippets keep their labels",
    {"pseudo_labels.variance_threshold": 1.0},
  ),
  Row(
    "no_history",
    "without history: labels of the newest attention alone",
    {"pseudo_labels.history_length": 1},
  ),
  Row(
    "frozen_labels",
    "labels frozen at the end of the warm-up, not synchronous",
    {"pseudo_labels.synchronous": False},
  ),
  Row(
    "no_window_2",
    "without the window of 2 snippets",
    {"snippet.model.windows": (4, 6, 8)},
  ),
  Row(
    "no_window_4",
    "without the window of 4 snippets",
    {"snippet.model.windows": (2, 6, 8)},
  ),
  Row(
    "no_window_6",
    "without the window of 6 snippets",
    {"snippet.model.windows": (2, 4, 8)},
  ),
  Row(
    "no_window_8",
    "without the window of 8 snippets",
    {"snippet.model.windows": (2, 4, 6)},
  ),
  Row(
    "no_global_blocks",
    "without global blocks: local windows alone",
    {"snippet.model.num_blocks": 0},
  ),
)


def find_rows(names: str) -> list[Row]:
  """Rows by their names.

  Args:
    names: "all", or names with commas between them.

  Returns:
    The rows, in the order of ROWS; FULL is always among them.

  Raises:
    ValueError: There is none of a name.
  """
  known = {row.name: row for row in ROWS}
  chosen = list(known) if names == "all" else names.split(",")
  unknown = [name for name in chosen if name not in known]
  if unknown:
    raise ValueError(
      f"There is no row {', '.join(map(repr, unknown))} in ablations.ROWS; "
      f"allowed: all, or of {', '.join(known)}."
    )
  return [row for row in ROWS if row is FULL or row.name in chosen]


def get_config(argument: str = "full") -> Any:
  name, _, base = argument.partition(",")
  path, _, base_argument = (base or "synthetic").partition(":")
  if path not in _BASES:
    raise ValueError(
      f"configuration argument is {argument!r}; allowed: ROW or "
      f"ROW,FILE:ARGUMENT, with FILE of {', '.join(_BASES)}."
    )
  # "all" is not one row.
  row = find_rows("" if name == "all" else name)[-1]
  config = _BASES[path].get_config(base_argument)
  config.update_from_flattened_dict(dict(row.overrides))
  return config
