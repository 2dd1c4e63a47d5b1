"""The console's table of scored videos, by their highest scores."""

from collections.abc import Sequence

from adplg_jax.report.timeline import Timeline, place

_SHOWN = 20
_LONGEST_NAME = 40


def table(timelines: Sequence[Timeline]) -> str:
  """The videos with the highest peaks.

  Args:
    timelines: All videos, the highest peak first.

  Returns:
    A line each, and how many more there are.
  """
  shown = timelines[:_SHOWN]
  width = max([5, *(min(len(own.video.name), _LONGEST_NAME) for own in shown)])
  seconds = all(own.video.times.seconds is not None for own in timelines)
  unit = "min:s" if seconds else "frame"
  lines = [
    f"  {'video':{width}}{'peak':>8}{'at ' + unit:>12}{'intervals':>11}"
    f"{'anomalous':>11}{'length':>10}"
  ]
  for timeline in shown:
    video = timeline.video
    lines.append(
      f"  {_cut(video.name):{width}}{video.peak:8.4f}"
      f"{place(video.times, video.peak_snippet):>12}"
      f"{len(timeline.intervals):11d}{share(timeline):11.1%}"
      f"{place(video.times, -1):>10}"
    )
  if len(timelines) > _SHOWN:
    lines.append(f"  ... and {len(timelines) - _SHOWN} more in results.json")
  return "\n".join(lines)


def looks(timelines: Sequence[Timeline]) -> str:
  """What the peaks of the videos in the table look like; "" if not known."""
  shown = [own.video for own in timelines[:_SHOWN] if own.video.looks]
  width = max([5, *(min(len(video.name), _LONGEST_NAME) for video in shown)])
  return "\n".join(
    f"  {_cut(video.name):{width}}  "
    + ", ".join(
      f"{name} {p:.2f}" for name, p in video.looks[video.peak_snippet]
    )
    for video in shown
  )


def share(timeline: Timeline) -> float:
  """The share of a video that its intervals take."""
  frames = timeline.video.times.frames
  own = sum(int(frames[i.end] - frames[i.start]) for i in timeline.intervals)
  return own / max(int(frames[-1]), 1)


def _cut(name: str) -> str:
  """The end of a name that is too long; it tells more than the start."""
  return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
