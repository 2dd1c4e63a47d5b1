"""From videos of any source to scores, intervals and files."""

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tqdm import tqdm

from adplg_jax.report import console, summary
from adplg_jax.report.timeline import Timeline
from adplg_jax.score.detectors import Detector
from adplg_jax.score.drawn import LOOKS, Drawn
from adplg_jax.score.outputs import Outputs
from adplg_jax.scoring import metrics
from adplg_jax.scoring.intervals import IntervalRule, find_intervals
from adplg_jax.scoring.results import Outcome, Scored
from adplg_jax.scoring.sequence import (
  Failure,
  FeatureSequence,
  ScoredSequence,
  Source,
)
from adplg_jax.scoring.threshold import Threshold, quantile_threshold

# The threshold that keeps an interval, as a share of the one that opens it.
_LOW_SHARE = 0.8
_QUANTILE = 0.95


@dataclasses.dataclass(frozen=True)
class Choice:
  """How the anomalous intervals are chosen.

  Attributes:
    threshold: What opens an interval, None for that of the run.
    low: What keeps it, None for 0.8 of that.
    quantile: Share of all snippets below the threshold, None for the run's
      threshold where there is one, else 0.95.
    shortest: Snippets of the shortest interval.
    largest_gap: Snippets of the largest gap that is bridged.
  """

  threshold: float | None = None
  low: float | None = None
  quantile: float | None = None
  shortest: int = 1
  largest_gap: int = 1

  def __post_init__(self):
    """Checks the values.

    Raises:
      ValueError: One of them cannot be used.
    """
    for name in ("threshold", "low", "quantile"):
      value = getattr(self, name)
      if value is not None and not 0 <= value <= 1:
        raise ValueError(f"--{name} is {value:g}; allowed: from 0 to 1.")
    if self.threshold is not None and self.quantile is not None:
      raise ValueError("Give --threshold or --quantile, one of the two.")
    # Checks the others.
    high = 1.0 if self.threshold is None else self.threshold
    IntervalRule(high, self.low or 0.0, self.shortest, self.largest_gap)

  def find(self, detector: Detector) -> Threshold | None:
    """The threshold that opens an interval; None for a quantile.

    Raises:
      ValueError: The run's metrics are damaged, or `low` is above its
        threshold.
    """
    found = None
    if self.threshold is not None:
      found = Threshold(self.threshold, "given by --threshold")
    elif self.quantile is None:
      found = detector.usual_threshold()
    if found is not None:
      self.rule(found.value)
    return found

  def find_quantile(self, scored: Sequence[ScoredSequence]) -> Threshold:
    """The threshold by the scores themselves, not below `low`."""
    quantile = _QUANTILE if self.quantile is None else self.quantile
    found = quantile_threshold([video.scores for video in scored], quantile)
    return found._replace(value=max(found.value, self.low or 0.0))

  def rule(self, high: float) -> IntervalRule:
    """The rule with this threshold.

    Raises:
      ValueError: `low` is above it.
    """
    low = _LOW_SHARE * high if self.low is None else self.low
    return IntervalRule(high, low, self.shortest, self.largest_gap)


class Result(NamedTuple):
  """What a command did.

  Attributes:
    timelines: The videos, the highest peak first.
    failures: What could not be scored.
    text: For the console.
  """

  timelines: list[Timeline]
  failures: list[Failure]
  text: str


Draw = Callable[
  [Sequence[Timeline], IntervalRule, Outputs],
  tuple[dict[str, Drawn], list[Failure]],
]


def score_source(
  detector: Detector,
  source: Source,
  outputs: Outputs,
  choice: Choice,
  draw: Draw | None = None,
) -> Result:
  """Scores all videos of a source and writes what was found.

  Args:
    detector: What scores them.
    source: The videos.
    outputs: Where results are written.
    choice: How intervals are chosen.
    draw: Draws on the scored videos; see `score.drawing`.

  Returns:
    What was scored, and what was not.

  Raises:
    OSError: The results cannot be written.
    ValueError: The threshold cannot be used.
  """
  threshold = choice.find(detector)
  begin = time.perf_counter()
  scored, failures = _score_all(detector, source, outputs)
  passed = time.perf_counter() - begin
  threshold = threshold or choice.find_quantile(scored)
  rule = choice.rule(threshold.value)
  timelines = [
    Timeline(video, find_intervals(video.scores, rule))
    for video in sorted(scored, key=lambda video: (-video.peak, video.name))
  ]
  measured, metric_lines = _measure(detector, scored)
  facts = {
    "threshold": {**dataclasses.asdict(rule), "origin": threshold.origin},
    "metrics": measured,
    "spent_seconds": _spent(scored, passed),
  }
  if any(video.looks for video in scored):
    facts["looks_like"] = LOOKS
  drawn: dict[str, Drawn] = {}
  if draw is not None:
    told = [failure._asdict() for failure in failures]
    outputs.write_found(timelines, {**facts, "failures": told})
    drawn, undrawn = draw(timelines, rule, outputs)
    failures = [*failures, *undrawn]
    facts["spent_seconds"]["drawing"] = sum(d.seconds for d in drawn.values())
  facts["failures"] = [failure._asdict() for failure in failures]
  outputs.finish(timelines, rule, facts, drawn)
  lines = _describe(detector, timelines, rule, threshold, failures)
  lines += _describe_work(facts["spent_seconds"], drawn)
  return Result(timelines, failures, "\n".join([*lines, *metric_lines]))


def _spent(scored: Sequence[ScoredSequence], passed: float) -> dict[str, Any]:
  """Seconds of work on all videos, and how fast that is beside real time.

  Args:
    scored: The videos.
    passed: How long it took; less than the sum where work goes on together.
  """
  kinds = dict.fromkeys(kind for video in scored for kind in video.spent)
  known = [v.times.duration for v in scored if v.times.seconds is not None]
  whole = bool(scored) and len(known) == len(scored)
  return {
    **{k: sum(v.spent.get(k, 0.0) for v in scored) for k in kinds},
    "together": passed,
    "times_real_time": sum(known) / passed if whole else None,
  }


def _describe_work(spent: dict[str, Any], drawn: dict[str, Drawn]) -> list[str]:
  """How long it took, and what was drawn, in lines."""
  if "decoding" not in spent:
    return []
  line = (
    f"{spent['together']:.1f} s, {spent['times_real_time'] or 0:.2f} times "
    f"real time: decoding {spent['decoding']:.1f} s beside features "
    f"{spent['features']:.1f} s, scoring {spent['scoring']:.1f} s"
  )
  if drawn:
    clips = sum(len(own.clips) for own in drawn.values())
    overlays = sum(own.overlay is not None for own in drawn.values())
    line += (
      f"; drawing {_count(overlays, 'overlay')} and {_count(clips, 'clip')} "
      f"{spent['drawing']:.1f} s"
    )
  return [line]


def _score_all(
  detector: Detector, source: Source, outputs: Outputs
) -> tuple[list[ScoredSequence], list[Failure]]:
  """Scores the videos, one after the other, and writes their csv files."""
  scored, failures = [], []
  with tqdm(
    total=len(source), desc="scoring", unit="video", leave=False
  ) as bar:
    for item in source:
      if isinstance(item, FeatureSequence):
        item = _score(detector, item)
        bar.update()
      if isinstance(item, ScoredSequence):
        outputs.write_scores(item)
        scored.append(item)
        continue
      failures.append(item)
      tqdm.write(f"{item.where}: {item.reason}", file=sys.stderr)
  return scored, failures


def _score(
  detector: Detector, video: FeatureSequence
) -> ScoredSequence | Failure:
  """A video's scores, or why there are none."""
  begin = time.perf_counter()
  try:
    detector.check_kind(video.kind)
    found = detector.score_crops(video.features)
  except ValueError as error:
    return Failure(", ".join(video.files[:1]) or video.name, str(error))
  return ScoredSequence(
    video.name,
    found.scores,
    video.times,
    windows=found.windows,
    overlap=found.overlap,
    crops=len(video.features),
    files=video.files,
    fps=video.fps,
    truth=video.truth,
    looks=video.looks,
    spent={**video.spent, "scoring": time.perf_counter() - begin},
  )


def _measure(
  detector: Detector, scored: Sequence[ScoredSequence]
) -> tuple[dict[str, Any] | None, list[str]]:
  """Metrics of the videos of which labels are known; None without any."""
  found = [video.video_score(detector.span_ends) for video in scored]
  known = [video for video in found if video is not None]
  if not known:
    return None, []
  results = metrics.evaluate_videos(known)
  own = Scored(detector.step, known, results)
  anomalous = sum(video.label for video in known)
  lines = [
    "",
    f"metrics of {_count(len(known), 'video')}, {anomalous} of them anomalous",
  ]
  if len(known) < len(scored):
    lines[-1] += f"; {len(scored) - len(known)} of unknown label are left out"
  return results, [*lines, console.table(Outcome(own, own))]


def _describe(
  detector: Detector,
  timelines: Sequence[Timeline],
  rule: IntervalRule,
  threshold: Threshold,
  failures: Sequence[Failure],
) -> list[str]:
  """What was done, in lines."""
  lines = [f"{_count(len(timelines), 'video')} scored by {detector.described}"]
  if timelines:
    lines += [
      f"threshold {rule.high:.4g}: {threshold.origin}; intervals are kept from "
      f"{rule.low:.4g} on",
      summary.table(timelines),
    ]
  looks = summary.looks(timelines)
  if looks:
    lines += [f"the highest peaks look like ({LOOKS})", looks]
  long = [own for own in timelines if own.video.windows > 1]
  if long:
    are = "is" if len(long) == 1 else "are"
    lines.append(
      f"{_count(len(long), 'video')} {are} longer than {detector.window} "
      f"snippets: scored in windows of that length, which overlap by "
      f"{detector.overlap} or more and are blended there"
    )
  if failures:
    lines.append(
      f"{_count(len(failures), 'fault')} found, named above and in results.json"
    )
  return lines


def _count(number: int, what: str) -> str:
  return f"{number} {what}{'' if number == 1 else 's'}"
