"""What people look at: the picture, the console's table, the result files."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics as sk

from adplg_jax.files import write_atomically
from adplg_jax.metric_writer import as_json
from adplg_jax.metrics import VideoScore

# Okabe and Ito's palette, safe for colour-blind readers.
_SCORE, _TRUTH, _CHANCE = "#0072B2", "#E69F00", "#999999"
_TIMELINES = 6


def draw(
  path: str | Path, videos: Sequence[VideoScore], results: dict[str, Any]
) -> None:
  """Draws ROC, precision-recall and score timelines into one PNG.

  Without frame labels the curves are of whole videos.

  Args:
    path: The file.
    videos: Scored videos.
    results: Their metrics.
  """
  figure = Figure(figsize=(12, 9), layout="constrained")
  curves, timelines = figure.subfigures(1, 2, width_ratios=(2, 3))
  roc, precision_recall = curves.subplots(2, 1)
  _draw_curves(roc, precision_recall, videos, results)
  chosen = _choose(videos)
  axes = timelines.subplots(len(chosen), 1, squeeze=False)[:, 0]
  for axis, video in zip(axes, chosen, strict=True):
    _draw_timeline(axis, video)
  axes[-1].set_xlabel("frame")
  handles, labels = axes[0].get_legend_handles_labels()
  timelines.legend(handles, labels, loc="outside upper right", ncols=2)
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png", dpi=110)
  write_atomically(path, buffer.getvalue())


def _draw_curves(
  roc: Axes,
  precision_recall: Axes,
  videos: Sequence[VideoScore],
  results: dict[str, Any],
) -> None:
  """ROC above, precision-recall below."""
  by_frame = results["frame_auc"] is not None
  if by_frame:
    truth = np.concatenate([video.truth for video in videos])
    scores = np.concatenate([video.scores for video in videos])
  else:
    truth = np.array([video.label for video in videos])
    scores = np.array([video.scores.max() for video in videos])
  what = "frames" if by_frame else "videos"
  auc = results["frame_auc"] if by_frame else results["video_auc"]
  if auc is not None:
    false, true, _ = sk.roc_curve(truth, scores)
    roc.plot(false, true, color=_SCORE, label=f"AUC {auc:.3f}")
    precision, recall, _ = sk.precision_recall_curve(truth, scores)
    area = results["frame_ap"] if by_frame else sk.auc(recall, precision)
    precision_recall.plot(
      recall, precision, color=_SCORE, label=f"AP {area:.3f}"
    )
  share = float(truth.mean())
  roc.plot([0, 1], [0, 1], ":", color=_CHANCE, label="chance")
  precision_recall.axhline(
    share, ls=":", color=_CHANCE, label=f"chance ({share:.1%} anomalous)"
  )
  roc.set(
    title=f"ROC, {what}",
    xlabel="false positive rate",
    ylabel="true positive rate",
  )
  precision_recall.set(
    title=f"precision-recall, {what}",
    xlabel="recall",
    ylabel="precision",
    ylim=(0, 1.05),
  )
  roc.legend(loc="lower right")
  precision_recall.legend(loc="lower left")


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


def _draw_timeline(axis: Axes, video: VideoScore) -> None:
  """Scores over frames, true spans shaded."""
  frames = len(video.scores)
  truth = np.zeros(frames) if video.truth is None else video.truth
  axis.fill_between(
    np.arange(frames), 0, truth, step="post", color=_TRUTH, alpha=0.35, lw=0,
    label="true span",
  )  # fmt: skip
  axis.plot(
    np.arange(frames), video.scores, color=_SCORE, lw=1.2, label="score"
  )
  unknown = "" if video.truth is not None else ", spans unknown"
  axis.set_title(
    f"{video.name} ({video.category}{unknown})", fontsize=9, loc="left"
  )
  axis.set(xlim=(0, max(frames - 1, 1)), ylim=(-0.02, 1.02), ylabel="score")


def console_table(results: dict[str, Any]) -> str:
  """A short table of the metrics."""
  rows = [
    ("frame AUC", results["frame_auc"]),
    ("frame AP, trapezoid", results["frame_ap"]),
    ("frame AP, step-wise", results["frame_ap_step"]),
    ("frame AUC, anomalous videos", results["anomalous_auc"]),
    ("video AUC", results["video_auc"]),
    ("false alarms, normal videos", results["false_alarm_rate"]),
  ]
  best = results["best_f1"]
  if best is not None:
    rows += [
      (f"best F1, at {best['threshold']:.3f}", best["f1"]),
      ("  its precision", best["precision"]),
      ("  its recall", best["recall"]),
    ]
  lines = [f"  {name:30}{_number(value)}" for name, value in rows]
  if results["categories"]:
    lines.append(f"  {'class':24}{'videos':>8}{'AUC':>9}{'AP':>9}")
  for name, own in results["categories"].items():
    auc, ap = _number(own["frame_auc"]), _number(own["frame_ap"])
    lines.append(f"  {name[:24]:24}{own['videos']:8d}{auc:>9}{ap:>9}")
  if "note" in results:
    lines.append("  " + results["note"])
  return "\n".join(lines)


def _number(value: float | None) -> str:
  return "-" if value is None else f"{value:.4f}"


def write_results(
  folder: str | Path, videos: Sequence[VideoScore], results: dict[str, Any]
) -> None:
  """Writes metrics.json and scores.npz.

  scores.npz: `names`, `categories`, `labels`, `has_truth`, `frames` [videos],
  and, one video after the other, `scores` and `truth` [all frames] (truth is 0
  where has_truth is false). No pickle in it.

  Args:
    folder: Where; made when it is not there.
    videos: Scored videos.
    results: Their metrics.
  """
  folder = Path(folder)
  write_atomically(
    folder / "metrics.json", json.dumps(as_json(results), indent=2) + "\n"
  )
  truths = [
    np.zeros(len(v.scores), np.uint8) if v.truth is None else v.truth
    for v in videos
  ]
  buffer = io.BytesIO()
  np.savez_compressed(
    buffer,
    names=np.array([video.name for video in videos]),
    categories=np.array([video.category for video in videos]),
    labels=np.array([video.label for video in videos]),
    has_truth=np.array([video.truth is not None for video in videos]),
    frames=np.array([len(video.scores) for video in videos]),
    scores=np.concatenate([video.scores for video in videos]),
    truth=np.concatenate(truths),
  )
  write_atomically(folder / "scores.npz", buffer.getvalue())
