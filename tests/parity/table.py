"""Table of the worst differences between the package and the reference.

  python -m tests.parity.table [--width small|full]

Prints the table and puts it between the parity marks of docs/parity.md.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import jax.numpy as jnp

from tests.parity import compare
from tests.parity.pair import FULL, SMALL, Pair, make_batch

BEGIN, END = "<!-- parity:begin -->", "<!-- parity:end -->"
_LOSSES = {
  "video_classification": "video classification",
  "separation": "compactness-separation",
  "dissimilarity": "distributional dissimilarity",
  "smoothness": "smoothness",
  "sparsity": "sparsity",
  "snippet_classification": "snippet classification",
}
_STATE = ("parameter", "first moment", "second moment", "memory")


def _worst(errors: compare.Errors, kind: str = "") -> float:
  return max(e for name, e in errors.items() if name.startswith(kind))


def measure(width: str, precision: str) -> dict[str, float]:
  """{row: worst relative error} at a width, in a precision."""
  full = width == "full"
  options, segments, steps = (FULL, 64, 3) if full else (SMALL, 16, 50)
  lengths = {64: (1, 37, 64), 333: (64, 333)} if full else compare.LENGTHS
  pair = Pair(options, precision, segments=segments)

  def forward(function, **types):
    return max(
      _worst(function(pair, r, t, **types)) for r, t in lengths.items()
    )

  rows = {
    "forward, video branch": forward(compare.forward_video),
    "forward, snippet branch": forward(compare.forward_snippet),
  }
  if precision == "float32":
    rows["forward, video branch, bfloat16"] = forward(
      compare.forward_video, dtype=jnp.bfloat16
    )
    rows["forward, snippet branch, bfloat16"] = forward(
      compare.forward_snippet, dtype=jnp.bfloat16
    )
  batch = make_batch("table", (4, segments, options.feature_width), 3)
  losses, gradients = compare.losses_and_gradients(pair, batch)
  for name, title in _LOSSES.items():
    rows[f"loss, {title}"] = losses[name]
  rows[f"gradients, worst of {len(gradients)} parameters"] = _worst(gradients)
  errors = compare.train(pair, steps, 4)
  for name in (*_LOSSES, "hard labels"):
    title = _LOSSES.get(name, name)
    rows[f"{steps} steps, {title}"] = errors[name]
  for kind in _STATE:
    rows[f"{steps} steps, {kind}"] = _worst(errors, kind)
  if not full:
    dropped = dataclasses.replace(options, dropout=0.7, block_dropout=0.5)
    errors = compare.train(
      Pair(dropped, precision, segments=segments), steps, 4
    )
    for kind in _STATE:
      title = f"{steps} steps, same dropout masks, {kind}"
      rows[title] = _worst(errors, kind)
  return rows


def table(width: str) -> str:
  """The table, in Markdown."""
  exact, single = (measure(width, p) for p in ("float64", "float32"))
  lines = [f"| {width} width | float64 | float32 |", "|---|---|---|"]
  for row, error in single.items():
    first = f"{exact[row]:.0e}" if row in exact else ""
    lines.append(f"| {row} | {first} | {error:.0e} |")
  return "\n".join(lines)


def put(text: str, content: str) -> str:
  """The text with the part between the marks replaced.

  Raises:
    ValueError: The marks are missing.
  """
  before, begin, rest = text.partition(BEGIN)
  _, end, after = rest.partition(END)
  if not (begin and end):
    raise ValueError(f"the text lacks the marks {BEGIN} and {END}")
  return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def main(argv: list[str] | None = None) -> int:
  """Measures, prints, and rewrites the document."""
  parser = argparse.ArgumentParser(prog="python -m tests.parity.table")
  parser.add_argument(
    "--width",
    choices=("small", "full"),
    nargs="+",
    default=["small", "full"],
  )
  parser.add_argument("--document", type=Path, default=Path("docs/parity.md"))
  arguments = parser.parse_args(argv)
  content = "\n\n".join(table(width) for width in arguments.width)
  print(content)
  document = arguments.document
  document.write_text(put(document.read_text("utf-8"), content), "utf-8")
  return 0


if __name__ == "__main__":
  sys.exit(main())
