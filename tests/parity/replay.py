"""Replays a golden directory and compares every quantity in it.

  python -m tests.parity.replay DIR [--seed 0] [--precision float64|float32]
                                    [--implementation jax|torch]

Prints a line for each quantity: file, name, worst absolute and relative error
(relative to the quantity's largest value), tolerance, ok. Ends with 1 when one
is off, missing, or not compared.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from adplg_jax.models.attention import rotary_frequencies
from adplg_jax.prepare import segments
from adplg_jax.scoring import metrics
from tests.parity import golden
from tests.parity.protocol import Implementation, StepResult

EXACT = 1e-12
FILES = (
  "metrics.npz",
  "rotary.npz",
  "segments.npz",
  "snippet_branch.npz",
  "trajectory_gentle.npz",
  "trajectory_small.npz",
  "trajectory_xd.npz",
  "video_branch.npz",
)
# Tolerance of snippet losses and weights in float64: how far rounding carries
# depends on how saturated the scores are.
SNIPPET_TOLERANCE = {"gentle": 1e-10, "small": 1e-7, "xd": 1e-6}


class Comparison:
  """Compares quantities, prints a line for each, and keeps the books.

  Attributes:
    failures: Quantities that were off, missing or not compared.
  """

  def __init__(self, precision: str):
    self.failures = 0
    self.compared = 0
    self._precision = precision

  def tolerance(self, float64: float, kind: str = "") -> float:
    """The tolerance in the precision of this replay."""
    if self._precision == "float64":
      return float64
    return 1e-3 if kind == "xd" else 1e-4

  def check(
    self,
    file: str,
    name: str,
    expected: np.ndarray,
    found: np.ndarray | float | None,
    tolerance: float,
  ) -> None:
    """Compares one quantity."""
    if found is None:
      self._line(file, name, "not computed", False)
      return
    expected, found = np.asarray(expected), np.asarray(found)
    if expected.shape != found.shape:
      text = f"shape {found.shape}, golden {expected.shape}"
      self._line(file, name, text, False)
      return
    if expected.dtype == bool:
      off = int((expected != found).sum())
      self._line(file, name, f"{off} of {expected.size} differ", off == 0)
      return
    error = np.abs(found.astype(float) - expected.astype(float))
    worst = float(error.max()) if error.size else 0.0
    largest = float(np.abs(expected).max()) if expected.size else 0.0
    relative = worst / largest if largest else worst
    text = f"abs {worst:.2e}  rel {relative:.2e}  tol {tolerance:.0e}"
    self._line(file, name, text, bool(relative <= tolerance))

  def fail(self, file: str, name: str, why: str) -> None:
    """Notes what could not be compared."""
    self._line(file, name, why, False)

  def _line(self, file: str, name: str, text: str, ok: bool) -> None:
    self.compared += 1
    self.failures += not ok
    print(f"{file:24} {name:52} {text}  {'ok' if ok else 'OFF'}", flush=True)


def replay(
  directory: Path, implementation: Implementation, precision: str, seed: int
) -> Comparison:
  """Compares everything a directory holds."""
  comparison = Comparison(precision)
  present = {path.name for path in directory.glob("*.npz")}
  for name in sorted(set(FILES) - present):
    comparison.fail(name, "", "missing from the directory")
  for name in sorted(present):
    kind = name.removesuffix(".npz").split("_")[0]
    replayed = _REPLAYS.get(name.removesuffix(".npz")) or _REPLAYS.get(kind)
    if replayed is None:
      comparison.fail(name, "", "nothing is known of this file: not compared")
      continue
    checker = _Checker(comparison, directory / name)
    replayed(checker, implementation, seed)
    checker.finish()
  return comparison


class _Checker:
  """The comparison of one file; knows which of its arrays were compared."""

  def __init__(self, comparison: Comparison, path: Path):
    self.path = path
    self.arrays = dict(golden.load(path))
    self.tolerance = comparison.tolerance
    self._comparison = comparison
    self._left = set(self.arrays)

  def check(self, name: str, found, tolerance: float) -> None:
    """Compares the array of that name."""
    if name not in self.arrays:
      self._comparison.fail(self.path.name, name, "missing from the file")
      return
    self.use(name)
    self._comparison.check(
      self.path.name, name, self.arrays[name], found, tolerance
    )

  def check_values(self, name: str, expected, found, tolerance: float) -> None:
    """Compares what was derived from arrays."""
    self._comparison.check(self.path.name, name, expected, found, tolerance)

  def use(self, *names: str) -> None:
    """Notes arrays that are inputs, or compared in another form."""
    self._left.difference_update(names)

  def finish(self) -> None:
    """What is left was not compared."""
    for name in sorted(self._left):
      self._comparison.fail(self.path.name, name, "not compared")


def _replay_metrics(checker: _Checker, _: Implementation, seed: int) -> None:
  del seed
  for case in sorted({name.split("/")[0] for name in checker.arrays}):
    fields = ("ground_truth", "snippet_scores", "lengths")
    truth, scores, lengths = (checker.arrays[f"{case}/{f}"] for f in fields)
    checker.use(*(f"{case}/{field}" for field in fields))
    ends = np.cumsum(lengths)
    videos = []
    for number, (start, end) in enumerate(
      zip(ends - lengths, ends, strict=True)
    ):
      own = truth[16 * start : 16 * end]
      videos.append(
        metrics.VideoScore(
          name=str(number),
          category="",
          label=int(own.any()),
          snippet_scores=scores[start:end],
          scores=metrics.frame_scores(scores[start:end], 16, len(own)),
          truth=own,
        )
      )
    found = metrics.evaluate_videos(videos)
    checker.check(f"{case}/auc", found["frame_auc"], EXACT)
    checker.check(f"{case}/ap", found["frame_ap"], EXACT)


def _replay_rotary(checker: _Checker, _: Implementation, seed: int) -> None:
  del seed
  width = 2 * len(checker.arrays["inv_freq"])
  checker.check("inv_freq", rotary_frequencies(width), 0.0)


def _replay_segments(checker: _Checker, _: Implementation, seed: int) -> None:
  for name in sorted(checker.arrays):
    kind, count, snippets = re.fullmatch(
      r"(mean|clip|clip_length)_n(\d+)_T(\d+)", name
    ).groups()
    shape = (
      int(snippets),
      checker.arrays[f"mean_n{count}_T{snippets}"].shape[1],
    )
    x = golden.features(f"segment{snippets}", shape, seed).astype(np.float32)
    if kind == "mean":
      found = segments.segment_means(x, int(count))
    else:
      padded, length = segments.pad_or_average(x, int(count))
      found = padded if kind == "clip" else length
    checker.check(name, found, 1e-7)


def _replay_video_branch(
  checker: _Checker, implementation: Implementation, seed: int
) -> None:
  pairs, count = checker.arrays["a_att"].shape
  shape = (2 * pairs, count, golden.WIDTH)
  x = golden.features("video", shape, seed)
  found = implementation.video_forward(x[:pairs], x[pairs:])
  for name in sorted(checker.arrays):
    checker.check(name, found.get(name), checker.tolerance(EXACT))


def _replay_snippet_branch(
  checker: _Checker, implementation: Implementation, seed: int
) -> None:
  for name, expected in sorted(checker.arrays.items()):
    crops, snippets = expected.shape
    shape = (crops, snippets, golden.WIDTH)
    x = golden.features(f"snippet{snippets}", shape, seed)
    found = implementation.snippet_forward(x)
    checker.check(name, found, checker.tolerance(EXACT))


def _replay_trajectory(
  checker: _Checker, implementation: Implementation, seed: int
) -> None:
  trajectory = golden.Trajectory(checker.path)
  kind = checker.path.stem.split("_")[1]
  loose = checker.tolerance(SNIPPET_TOLERANCE.get(kind, 1e-6), kind)
  tight = checker.tolerance(EXACT, kind)
  checker.use("config", "loss_names", "normal_index", "abnormal_index", "crops")
  results: list[StepResult] = []
  for number, result in enumerate(implementation.train(trajectory), 1):
    if any(name.startswith(f"step{number}/") for name in checker.arrays):
      _check_weights(checker, number, result, {"v": tight, "s": loose})
    if number == trajectory.config["steps"]:
      _check_history(checker, result, tight)
    results.append(result._replace(weights=dict, history=dict))
  _check_losses(checker, results, tight, loose)
  _check_labels(checker, results[trajectory.config["warm_up"] :], tight)


def _check_losses(
  checker: _Checker, results: list[StepResult], tight: float, loose: float
) -> None:
  checker.use("losses")
  names = [str(name) for name in checker.arrays["loss_names"]]
  for column, name in enumerate(names):
    checker.check_values(
      f"losses/{name}",
      checker.arrays["losses"][:, column],
      np.array([result.losses[name] for result in results]),
      loose if name == "loss_cls_s" else tight,
    )
  for name in ("smooth", "sparsity"):
    values = np.array([getattr(result, name) for result in results])
    checker.check(name, values, tight)


def _check_labels(
  checker: _Checker, results: list[StepResult], tight: float
) -> None:
  """Hard ones are a value > 10, and 0 in the visible labels."""
  checker.use("pseudo_labels")
  golden_labels = checker.arrays["pseudo_labels"]
  hard = np.stack([result.hard for result in results])
  labels = np.stack([result.labels for result in results])
  checker.check_values("hard snippets", golden_labels > 10, hard, 0.0)
  checker.check_values(
    "pseudo_labels that are not hard",
    np.where(golden_labels > 10, 0, golden_labels),
    np.where(hard, 0, labels),
    tight,
  )
  checker.check("visible_labels", np.where(hard, 0, labels), tight)


def _check_history(checker: _Checker, result: StepResult, tight: float) -> None:
  found = {f"history/a{key}": v for key, v in result.history().items()}
  expected = {n for n in checker.arrays if n.startswith("history/")}
  for name in sorted(expected | set(found)):
    checker.check(name, found.get(name), tight)


def _check_weights(
  checker: _Checker,
  step: int,
  result: StepResult,
  tolerances: dict[str, float],
) -> None:
  """Golden holds heads of large weights, and projections of all of them."""
  found = result.weights()
  for branch, name, entry in _weight_entries(checker, step):
    values = found[branch].get(name)
    if values is None:
      checker.check(entry, None, 0.0)
    elif entry.endswith("#stats"):
      stats = golden.projection(name, values)
      checker.check(entry, stats, tolerances[branch])
    else:
      expected = checker.arrays[entry]
      head = values.ravel()[: expected.size].reshape(expected.shape)
      checker.check(entry, head, tolerances[branch])
  for branch, weights in found.items():
    for name in weights:
      if f"step{step}/{branch}/{name}#stats" not in checker.arrays:
        checker.check(f"step{step}/{branch}/{name}#stats", None, 0.0)


def _weight_entries(
  checker: _Checker, step: int
) -> Iterator[tuple[str, str, str]]:
  for entry in sorted(checker.arrays):
    if entry.startswith(f"step{step}/"):
      _, branch, name = entry.split("/")
      yield branch, name.removesuffix("#stats"), entry


_REPLAYS: dict[str, Callable[[_Checker, Implementation, int], None]] = {
  "metrics": _replay_metrics,
  "rotary": _replay_rotary,
  "segments": _replay_segments,
  "video_branch": _replay_video_branch,
  "snippet_branch": _replay_snippet_branch,
  "trajectory": _replay_trajectory,
}


def make(implementation: str, precision: str, seed: int) -> Implementation:
  """An implementation by its name; the other's library is not imported."""
  if implementation == "torch":
    from tests.parity.torch_implementation import TorchImplementation

    return TorchImplementation(precision, seed)
  from tests.parity.jax_implementation import JaxImplementation

  return JaxImplementation(precision, seed)


def main(argv: list[str] | None = None) -> int:
  """Replays the directory named on the command line."""
  parser = argparse.ArgumentParser(prog="python -m tests.parity.replay")
  parser.add_argument("directory", type=Path)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument(
    "--precision", choices=("float64", "float32"), default="float64"
  )
  parser.add_argument(
    "--implementation", choices=("jax", "torch"), default="jax"
  )
  arguments = parser.parse_args(argv)
  implementation = make(
    arguments.implementation, arguments.precision, arguments.seed
  )
  comparison = replay(
    arguments.directory, implementation, arguments.precision, arguments.seed
  )
  print(
    f"{comparison.compared - comparison.failures} of {comparison.compared} "
    f"quantities ok ({arguments.implementation}, {arguments.precision})"
  )
  return int(comparison.failures > 0)


if __name__ == "__main__":
  sys.exit(main())
