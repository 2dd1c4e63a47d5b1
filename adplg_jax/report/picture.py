"""The picture of results: ROC, precision-recall and score timelines."""

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics as sk

from adplg_jax.data.frames import mask_to_spans
from adplg_jax.run.files import write_atomically
from adplg_jax.scoring.metrics import VideoScore, frame_truth
from adplg_jax.scoring.results import Scored

# Okabe and Ito's palette, safe for colour-blind readers.
SCORE, TRUTH, POINT, CHANCE = "#0072B2", "#E69F00", "#D55E00", "#767676"
_TIMELINES = 6
_LONGEST_TITLE = 78
_LONGEST_CATEGORY = 30


def draw(path: str | Path, scored: Scored) -> None:
  """Draws ROC, precision-recall and score timelines into one PNG.

  Without frame labels the curves are over videos. Characters of names that the
  font lacks are shown as escapes, with one note in the log.

  Args:
    path: The file.
    scored: What is drawn.
  """
  _, videos, results = scored
  figure = Figure(figsize=(12.5, 9.5), layout="constrained")
  figure.get_layout_engine().set(wspace=0.03)  # pyright: ignore
  figure.suptitle(_headline(results), x=0.01, ha="left", fontsize=13)
  curves, timelines = figure.subfigures(
    1, 2, squeeze=False, width_ratios=(2, 3)
  )[0]
  roc, precision_recall = curves.subplots(2, 1)
  _draw_curves(roc, precision_recall, videos, results)
  chosen = _choose(videos)
  note_lacking("".join(v.name + v.category for v in chosen))
  axes = timelines.subplots(len(chosen), 1, squeeze=False)[:, 0]
  for axis, video in zip(axes, chosen, strict=True):
    _draw_timeline(axis, video, results["best_f1"])
  axes[-1].set_xlabel("frame")
  entries = {
    label: handle
    for axis in axes
    for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
  }
  timelines.legend(
    entries.values(),
    entries.keys(),
    loc="outside upper right",
    ncols=3,
    frameon=False,
  )
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png", dpi=110)
  write_atomically(path, buffer.getvalue())


def draw_timelines(scored: Scored) -> bytes:
  """A PNG of the timelines of some videos, quick to draw: for TensorBoard."""
  chosen = _choose(scored.videos)
  figure = Figure(figsize=(8, 1.5 * len(chosen)), layout="constrained")
  axes = figure.subplots(len(chosen), 1, squeeze=False)[:, 0]
  for axis, video in zip(axes, chosen, strict=True):
    _draw_timeline(axis, video, scored.results["best_f1"])
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png", dpi=70)
  return buffer.getvalue()


def _headline(results: dict[str, Any]) -> str:
  """The title: what was tested."""
  text = (
    f"{results['videos']} test videos, {results['anomalous_videos']} of them "
    f"anomalous · {results['frames']:,} frames"
  )
  if "anomalous_frames" in results:
    share = results["anomalous_frames"] / results["frames"]
    return f"{text}, {share:.1%} of them anomalous"
  return f"{text}, anomalous spans not known"


def _draw_curves(
  roc: Axes,
  precision_recall: Axes,
  videos: Sequence[VideoScore],
  results: dict[str, Any],
) -> None:
  """ROC above, precision-recall below; of videos without frame labels."""
  truths = [frame_truth(video) for video in videos]
  known = [truth for truth in truths if truth is not None]
  if len(known) == len(videos):
    what = "frames"
    truth = np.concatenate(known)
    scores = np.concatenate([video.scores for video in videos])
  else:
    what = "videos"
    truth = np.array([video.label for video in videos])
    scores = np.array([video.scores.max() for video in videos])
  roc.set(
    title=f"ROC curve over {what}",
    xlabel="false positive rate",
    ylabel="true positive rate",
  )
  precision_recall.set(
    title=f"Precision-recall curve over {what}",
    xlabel="recall",
    ylabel="precision",
  )
  for axis in (roc, precision_recall):
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.grid(color="0.92")
    axis.set_axisbelow(True)
  if truth.min() == truth.max():
    for axis in (roc, precision_recall):
      axis.text(0.5, 0.5, "not defined: one class only", ha="center")
    return
  _draw_roc(roc, truth, scores)
  _draw_precision_recall(precision_recall, truth, scores, results["best_f1"])


def _draw_roc(axis: Axes, truth: np.ndarray, scores: np.ndarray) -> None:
  """The ROC curve, and chance."""
  false, true, _ = sk.roc_curve(truth, scores)
  auc = sk.auc(false, true)
  axis.plot(false, true, color=SCORE, lw=2, label=f"model, AUC {auc:.3f}")
  axis.plot([0, 1], [0, 1], ":", color=CHANCE, label="chance, AUC 0.500")
  axis.legend(loc="lower right")


def _draw_precision_recall(
  axis: Axes,
  truth: np.ndarray,
  scores: np.ndarray,
  best_f1: dict[str, float] | None,
) -> None:
  """The precision-recall curve, its best point, and chance."""
  precision, recall, _ = sk.precision_recall_curve(truth, scores)
  area, share = sk.auc(recall, precision), float(truth.mean())
  axis.plot(recall, precision, color=SCORE, lw=2, label=f"model, AP {area:.3f}")
  axis.axhline(share, ls=":", color=CHANCE, label=f"chance, AP {share:.3f}")
  if best_f1 is not None:
    axis.plot(
      best_f1["recall"],
      best_f1["precision"],
      "o",
      color=POINT,
      label=f"best F1 {best_f1['f1']:.3f}, at {best_f1['threshold']:.3g}",
    )
  if area < 0.5:
    axis.legend(loc="upper right")
  else:
    # Below the curve, and above the chance line when that is low.
    bottom = share + 0.03 if share < 0.3 else 0.0
    axis.legend(loc="lower left", bbox_to_anchor=(0, bottom))


def _choose(videos: Sequence[VideoScore]) -> list[VideoScore]:
  """Anomalous videos of different classes first, then normal ones."""
  anomalous = [video for video in videos if video.label]
  normal = [video for video in videos if not video.label]
  seen: dict[str, int] = {}
  ranked = []
  for video in anomalous:
    seen[video.category] = seen.get(video.category, 0) + 1
    ranked.append((seen[video.category], video.category, video))
  ranked.sort(key=lambda entry: entry[:2])
  share = _TIMELINES - min(2, len(normal))
  chosen = [video for _, _, video in ranked[:share]]
  return chosen + normal[: _TIMELINES - len(chosen)]


def _draw_timeline(
  axis: Axes, video: VideoScore, best_f1: dict[str, float] | None
) -> None:
  """Scores over frames, true spans shaded, and the best-F1 threshold."""
  frames = len(video.scores)
  truth = frame_truth(video)
  for start, end in () if truth is None else mask_to_spans(truth):
    axis.axvspan(start, end, color=TRUTH, alpha=0.35, lw=0, label="true span")
  axis.stairs(
    video.scores,
    np.arange(frames + 1),
    baseline=None,
    color=SCORE,
    lw=1.3,
    label="score",
  )
  if best_f1 is not None:
    axis.axhline(
      best_f1["threshold"],
      ls="--",
      lw=1,
      color=POINT,
      label="threshold of the best F1",
    )
  unknown = "" if truth is not None else ", spans not known"
  category = shorten(video.category, _LONGEST_CATEGORY)
  rest = f" ({category}{unknown})"
  title = shorten(video.name, _LONGEST_TITLE - len(rest)) + rest
  axis.set_title(title, fontsize=9, loc="left", parse_math=False)
  axis.set(
    xlim=(0, frames), ylim=(-0.03, 1.03), yticks=(0, 0.5, 1), ylabel="score"
  )


def shorten(name: str, longest: int) -> str:
  """Leaves out the middle of a name that would not fit.

  What the font lacks is escaped, and no escape is cut.
  """
  parts = [c if ord(c) in _glyphs() else _escape(c) for c in name]
  if sum(map(len, parts)) > longest:
    half = (longest - 1) // 2
    parts = [*_fitting(parts, half), "…", *_fitting(parts[::-1], half)[::-1]]
  return "".join(parts)


def _fitting(parts: list[str], longest: int) -> list[str]:
  """The first parts that together are not longer than `longest`."""
  return parts[: int((np.cumsum([len(p) for p in parts]) <= longest).sum())]


@functools.cache
def _glyphs() -> frozenset[int]:
  """Code points that the picture's font can show."""
  font = font_manager.findfont(font_manager.FontProperties())
  return frozenset(font_manager.get_font(font).get_charmap())


def _escape(character: str) -> str:
  return character.encode("unicode_escape").decode("ascii")


def note_lacking(text: str) -> None:
  """Notes, once for all names, what is shown as escapes."""
  lacking = list(dict.fromkeys(c for c in text if ord(c) not in _glyphs()))
  if lacking:
    logging.warning(
      "The picture's font lacks %d characters of the videos' names; they are "
      "shown as escapes, the first as %s.",
      len(lacking),
      _escape(lacking[0]),
    )
