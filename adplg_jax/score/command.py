"""From videos of any source to scores, intervals and files."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

import adplg_jax
from adplg_jax.report import console, summary
from adplg_jax.report.timeline import Timeline
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
from adplg_jax.scoring.threshold import (
  Threshold,
  best_f1_threshold,
  quantile_threshold,
)
from adplg_jax.scoring.trained import TrainedScorer

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

  def find(self, workdir: Path | None, model: Any) -> Threshold | None:
    """The threshold that opens an interval; None for a quantile.

    Args:
      workdir: The run's folder, if there is one.
      model: The model.

    Raises:
      ValueError: The run's metrics are damaged, or `low` is above its
        threshold.
    """
    found = None
    if self.threshold is not None:
      found = Threshold(self.threshold, "given by --threshold")
    elif self.quantile is None and workdir is not None:
      found = best_f1_threshold(workdir, model.config, model.step)
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


def model_facts(scorer: TrainedScorer, path: Path) -> dict[str, Any]:
  """The model as results.json names it."""
  model = scorer.model
  return {
    "run": str(path.absolute()),
    "step": model.step,
    "fingerprint": scorer.fingerprint(),
    "data": f"{model.config.data.builder}/{model.config.data.variant}",
    "feature_width": model.feature_width,
    "feature_kind": scorer.kind,
    "version": adplg_jax.__version__,
  }


def score_source(
  scorer: TrainedScorer,
  source: Source,
  outputs: Outputs,
  choice: Choice,
  workdir: Path | None,
) -> Result:
  """Scores all videos of a source and writes what was found.

  Args:
    scorer: The model.
    source: The videos.
    outputs: Where results are written.
    choice: How intervals are chosen.
    workdir: The run's folder, for its threshold.

  Returns:
    What was scored, and what was not.

  Raises:
    OSError: The results cannot be written.
    ValueError: The threshold cannot be used.
  """
  threshold = choice.find(workdir, scorer.model)
  scored, failures = _score_all(scorer, source, outputs)
  threshold = threshold or choice.find_quantile(scored)
  rule = choice.rule(threshold.value)
  timelines = [
    Timeline(video, find_intervals(video.scores, rule))
    for video in sorted(scored, key=lambda video: (-video.peak, video.name))
  ]
  measured, metric_lines = _measure(scorer.model, scored)
  outputs.finish(
    timelines,
    rule,
    {
      "threshold": {**dataclasses.asdict(rule), "origin": threshold.origin},
      "failures": [failure._asdict() for failure in failures],
      "metrics": measured,
    },
  )
  lines = _describe(scorer, timelines, rule, threshold, failures)
  return Result(timelines, failures, "\n".join([*lines, *metric_lines]))


def _score_all(
  scorer: TrainedScorer, source: Source, outputs: Outputs
) -> tuple[list[ScoredSequence], list[Failure]]:
  """Scores the videos, one after the other, and writes their csv files."""
  scored, failures = [], []
  with tqdm(
    total=len(source), desc="scoring", unit="video", leave=False
  ) as bar:
    for item in source:
      if isinstance(item, FeatureSequence):
        item = _score(scorer, item)
        bar.update()
      if isinstance(item, ScoredSequence):
        outputs.write_scores(item)
        scored.append(item)
        continue
      failures.append(item)
      tqdm.write(f"{item.where}: {item.reason}", file=sys.stderr)
  return scored, failures


def _score(
  scorer: TrainedScorer, video: FeatureSequence
) -> ScoredSequence | Failure:
  """A video's scores, or why there are none."""
  try:
    scorer.check_kind(video.kind)
    found = scorer.score_crops(video.features)
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
  )


def _measure(
  model: Any, scored: Sequence[ScoredSequence]
) -> tuple[dict[str, Any] | None, list[str]]:
  """Metrics of the videos of which labels are known; None without any."""
  span_ends = model.config.switches.span_ends
  found = [video.video_score(span_ends) for video in scored]
  known = [video for video in found if video is not None]
  if not known:
    return None, []
  results = metrics.evaluate_videos(known)
  own = Scored(model.step, known, results)
  anomalous = sum(video.label for video in known)
  lines = [
    "",
    f"metrics of {_count(len(known), 'video')}, {anomalous} of them anomalous",
  ]
  if len(known) < len(scored):
    lines[-1] += f"; {len(scored) - len(known)} of unknown label are left out"
  return results, [*lines, console.table(Outcome(own, own))]


def _describe(
  scorer: TrainedScorer,
  timelines: Sequence[Timeline],
  rule: IntervalRule,
  threshold: Threshold,
  failures: Sequence[Failure],
) -> list[str]:
  """What was done, in lines."""
  model = scorer.model
  lines = [
    f"{_count(len(timelines), 'video')} scored by the checkpoint of step "
    f"{model.step}"
  ]
  if timelines:
    lines += [
      f"threshold {rule.high:.4g}: {threshold.origin}; intervals are kept from "
      f"{rule.low:.4g} on",
      summary.table(timelines),
    ]
  long = [own for own in timelines if own.video.windows > 1]
  if long:
    are = "is" if len(long) == 1 else "are"
    lines.append(
      f"{_count(len(long), 'video')} {are} longer than {scorer.window} "
      f"snippets: scored in windows of that length, which overlap by "
      f"{scorer.overlap} or more and are blended there"
    )
  if failures:
    lines.append(
      f"{_count(len(failures), 'fault')} found, named above and in results.json"
    )
  return lines


def _count(number: int, what: str) -> str:
  return f"{number} {what}{'' if number == 1 else 's'}"
