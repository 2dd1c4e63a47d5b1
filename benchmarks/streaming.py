"""Streaming against the whole video: agreement and cost over the look-ahead.

  python -m benchmarks.streaming --workdir runs/demo [--plot FILE]

Scores the test split of a run on synthetic videos as a stream, for each context
and look-ahead, and whole; and whole videos in windows. Prints a line of each,
and draws the trade-off.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn import metrics as sk

from adplg_jax.data import frames, store
from adplg_jax.scoring.metrics import frame_scores
from adplg_jax.scoring.trained import TrainedScorer, load_scorer

_CONTEXTS = (64, 128, 256)
_LOOK_AHEADS = (0, 1, 2, 4, 8, 16, 32)
_HOP = 4
_COLORS = ("#E69F00", "#0072B2", "#009E73")


class Video(NamedTuple):
  """A test video's first crop.

  Attributes:
    features: [t, d].
    example: Its other fields.
    whole: Scores of the whole video [t].
  """

  features: np.ndarray
  example: dict
  whole: np.ndarray


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  parser = argparse.ArgumentParser(
    prog="python -m benchmarks.streaming",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument("--workdir", default="runs/demo")
  parser.add_argument("--plot", help="draw the trade-off to this file")
  parser.add_argument(
    "--every", type=int, default=1, help="take each so many-th video"
  )
  arguments = parser.parse_args(argv)
  scorer = load_scorer(arguments.workdir)
  videos = read_videos(scorer)[:: arguments.every]
  facts = {
    "videos": len(videos),
    "snippets": sum(len(video.whole) for video in videos),
    "whole_frame_auc": _frame_auc(videos, [video.whole for video in videos]),
  }
  print(json.dumps(facts), flush=True)
  rows = []
  for context in _CONTEXTS:
    for look_ahead in _LOOK_AHEADS:
      row = measure_stream(scorer, videos, context, look_ahead)
      print(json.dumps(row), flush=True)
      rows.append(row)
  for window in _CONTEXTS[:2]:
    windows = load_scorer(arguments.workdir, window=window)
    row = {"window": window} | _compare(videos, windows.score)
    print(json.dumps(row), flush=True)
  if arguments.plot:
    draw(arguments.plot, rows, facts["whole_frame_auc"])
  return 0


def read_videos(scorer: TrainedScorer) -> list[Video]:
  """The first crop of each test video of the run's data set."""
  config = scorer.model.config
  data = store.open_dataset(
    config.data_dir,
    config.data.builder,
    config.data.variant,
    config.num_segments,
  )
  firsts = {}
  for example in data.test:
    firsts.setdefault(example["video"], example)
  return [
    Video(e["features"], e, scorer.score(e["features"]))
    for e in firsts.values()
  ]


def measure_stream(
  scorer: TrainedScorer, videos: Sequence[Video], context: int, look_ahead: int
) -> dict[str, float]:
  """Agreement of streams with whole videos, and the time a block takes."""
  context = min(context, scorer.window)

  def score(features: np.ndarray) -> np.ndarray:
    stream = scorer.stream(context=context, hop=_HOP, look_ahead=look_ahead)
    given = [stream.push(row[None]) for row in features]
    return np.concatenate([*given, stream.finish()])

  # Compiles what there is to compile.
  score(max(videos, key=lambda video: len(video.whole)).features)
  start = time.perf_counter()
  agreement = _compare(videos, score)
  blocks = sum(-(-len(video.whole) // _HOP) for video in videos)
  return {
    "context": context,
    "look_ahead": look_ahead,
    "ms_a_block": 1e3 * (time.perf_counter() - start) / blocks,
    **agreement,
  }


def _compare(
  videos: Sequence[Video], score: Callable[[np.ndarray], np.ndarray]
) -> dict[str, float]:
  """How the scores of all snippets agree with those of whole videos."""
  found = [score(video.features) for video in videos]
  one = np.concatenate(found)
  other = np.concatenate([video.whole for video in videos])
  return {
    "correlation": float(np.corrcoef(one, other)[0, 1]),
    "mean_difference": float(np.abs(one - other).mean()),
    "frame_auc": _frame_auc(videos, found),
  }


def _frame_auc(videos: Sequence[Video], scores: Sequence[np.ndarray]) -> float:
  truth, found = [], []
  for video, own in zip(videos, scores, strict=True):
    count = int(video.example["frames"])
    step = int(video.example["frames_per_snippet"])
    truth.append(frames.frame_labels(video.example["spans"], count))
    found.append(frame_scores(own, step, count))
  return float(sk.roc_auc_score(np.concatenate(truth), np.concatenate(found)))


def draw(path: str, rows: Sequence[dict[str, float]], whole: float) -> None:
  """Agreement and frame AUC over the look-ahead, a line for each context."""
  figure = Figure(figsize=(9.5, 3.6), layout="constrained")
  left, right = figure.subplots(1, 2)
  for context, color in zip(_CONTEXTS, _COLORS, strict=True):
    own = [row for row in rows if row["context"] == context]
    # Evenly spaced, as powers of two are, with 0 before them.
    places = range(len(own))
    for axis, name in ((left, "correlation"), (right, "frame_auc")):
      axis.plot(
        places,
        [row[name] for row in own],
        "o-",
        color=color,
        label=f"context {context}",
      )
  right.axhline(whole, ls="--", color="0.4", label="whole video")
  left.axhline(1, ls="--", color="0.4")
  left.set_title("Correlation with the whole video's scores", fontsize=10)
  right.set_title("Frame AUC", fontsize=10)
  for axis in (left, right):
    axis.set_xticks(range(len(_LOOK_AHEADS)), map(str, _LOOK_AHEADS))
    axis.set_xlabel("look-ahead [snippets]")
    axis.grid(color="0.92")
  right.legend(fontsize=9)
  figure.savefig(path, dpi=110)


if __name__ == "__main__":
  sys.exit(main())
