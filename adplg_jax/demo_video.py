"""From a video to a timeline, without a trained model.

  python -m adplg_jax.demo_video docs/videos/car_park.mp4

Extracts features, scores snippets by their novelty, prints when something rare
happens, and draws the timeline and the video with its scores
(docs/extraction.md).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adplg_jax.data.sidecar import read_sidecar
from adplg_jax.extract.__main__ import main as extract
from adplg_jax.report import timeline
from adplg_jax.report.timeline import Timeline
from adplg_jax.score.drawing import draw_video
from adplg_jax.score.drawn import Drawn, Plan
from adplg_jax.scoring.intervals import IntervalRule, find_intervals
from adplg_jax.scoring.novelty import THRESHOLD, novelty
from adplg_jax.scoring.sequence import ScoredSequence, noted_times

_RULE = IntervalRule(high=THRESHOLD, low=0.9 * THRESHOLD)
_NOVELTY = (
  "the distance to the video's other snippets. What is rare, not what is "
  "anomalous: no model was trained."
)


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.demo_video",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument("video", type=Path)
  parser.add_argument(
    "--out", type=Path, default=Path("runs/demo-video"), help="[%(default)s]"
  )
  arguments = parser.parse_args(argv)
  folder = arguments.out / "features"
  code = extract(["--videos", str(arguments.video), "--out", str(folder)])
  if code:
    return code
  own = scored(folder / f"{arguments.video.stem}.npy")
  picture, overlay = (
    arguments.out / n for n in ("timeline.png", "overlay.mp4")
  )
  try:
    plan = Plan(clips=0)
    drawn = draw_video(own, _RULE, lambda: overlay, plan, called="rare")
  except (OSError, ValueError) as error:
    print(f"no overlay: {error}", file=sys.stderr)
    drawn = Drawn()
  timeline.draw(
    picture,
    [own],
    _RULE,
    f"Novelty: {_NOVELTY}",
    interval="rare",
    thumbnails=drawn.thumbnails,
  )
  for interval in own.intervals:
    times = own.video.times
    start, end, peak = (
      timeline.place(times, snippet)
      for snippet in (interval.start, interval.end, interval.peak_snippet)
    )
    print(f"{start} to {end}: novelty {interval.peak:.2f}, highest at {peak}")
  print(f"Novelty is {_NOVELTY}\ntimeline: {picture}")
  if drawn.overlay:
    print(f"overlay: {drawn.overlay}")
  return 0


def scored(features: Path) -> Timeline:
  """Scores the snippets of a video by their novelty.

  Args:
    features: NAME.npy, with its sidecar.

  Raises:
    ValueError: There is no sidecar.
  """
  sidecar = read_sidecar(features)
  if sidecar is None:
    raise ValueError(f"{features} has no sidecar; extract the video again.")
  crops = np.load(features, allow_pickle=False).swapaxes(0, 1)
  scores = novelty(crops)
  video = ScoredSequence(
    features.stem,
    scores,
    noted_times(sidecar),
    crops=len(crops),
    files=(sidecar.video,),
    fps=sidecar.frame_rate,
  )
  return Timeline(video, find_intervals(scores, _RULE))


if __name__ == "__main__":
  sys.exit(main())
