"""Synthetic videos: what a feature extractor might make of invented scenes.

An anomaly is the co-occurrence of two patterns in the same stretch of a video.
Normal videos, and the normal parts of anomalous ones, show each of the two
alone, and often louder, so that loudness does not give an anomaly away.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from adplg_jax.data.schema import SNIPPET_FRAMES


@dataclasses.dataclass(frozen=True)
class SyntheticSpec:
  """What a synthetic data set is made of.

  Attributes:
    seed: All videos are a function of it.
    feature_width: D, channels of a snippet.
    train_normal: Normal training videos.
    train_anomalous: Anomalous training videos.
    test_normal: Normal test videos.
    test_anomalous: Anomalous test videos.
    crops: Crops a video, sharing one key.
    shortest: Fewest snippets a video has.
    longest: Most snippets a video has.
    scenes: Number of places videos are recorded at.
    classes: Names of the anomalies; each has a pair of patterns of its own.
    scene_level: Mean loudness of a scene's channels.
    pattern_share: Share of the channels that a pattern raises.
    anomaly_level: Loudness of both patterns in an anomaly.
    distractor_levels: Lowest and highest loudness of a pattern alone.
    distractors: Most distractors a video has.
    anomaly_snippets: Shortest and longest anomaly.
    correlation: Of the noise of neighbouring snippets.
    noise: Standard deviation of the noise.
    crop_noise: Standard deviation of a crop's own gain and noise.
  """

  seed: int = 0
  feature_width: int = 64
  train_normal: int = 100
  train_anomalous: int = 100
  test_normal: int = 30
  test_anomalous: int = 30
  crops: int = 2
  shortest: int = 24
  longest: int = 160
  scenes: int = 8
  classes: tuple[str, ...] = ("Collision", "Intrusion", "Fire")
  scene_level: float = 0.5
  pattern_share: float = 0.15
  anomaly_level: float = 0.9
  distractor_levels: tuple[float, float] = (1.0, 2.1)
  distractors: int = 8
  anomaly_snippets: tuple[int, int] = (4, 24)
  correlation: float = 0.8
  noise: float = 0.2
  crop_noise: float = 0.05


VARIANTS = {
  "small": SyntheticSpec(),
  "tiny": SyntheticSpec(
    feature_width=16,
    train_normal=8,
    train_anomalous=8,
    test_normal=3,
    test_anomalous=4,
    shortest=12,
    longest=40,
    anomaly_snippets=(3, 8),
  ),
}


@dataclasses.dataclass(frozen=True)
class SyntheticVideo:
  """A made-up video.

  Attributes:
    name: Unique.
    split: train | test.
    label: 1 if it has an anomaly.
    category: The anomaly's class, or Normal.
    features: Non-negative float32 [c t d], all crops.
    spans: Half-open spans of anomalous frames.
    frames: Number of frames, more than 16 (t - 1) and at most 16 t.
    frames_per_snippet: 16.
  """

  name: str
  split: str
  label: int
  category: str
  features: Float[np.ndarray, "c t d"]
  spans: tuple[tuple[int, int], ...]
  frames: int
  frames_per_snippet: int = SNIPPET_FRAMES


@dataclasses.dataclass(frozen=True)
class _World:
  """What all videos of a data set share.

  Attributes:
    scenes: Loudness of the channels [scenes d].
    patterns: Channels raised by each class's two patterns [classes 2 d].
  """

  scenes: np.ndarray
  patterns: np.ndarray


def make_videos(spec: SyntheticSpec) -> Iterator[SyntheticVideo]:
  """Makes the videos of a data set, training first.

  Args:
    spec: What to make.

  Yields:
    Videos; each is a function of the spec's seed and its own place.
  """
  world = _make_world(spec)
  counts = {
    ("train", 0): spec.train_normal,
    ("train", 1): spec.train_anomalous,
    ("test", 0): spec.test_normal,
    ("test", 1): spec.test_anomalous,
  }
  number = 0
  for (split, label), count in counts.items():
    for _ in range(count):
      number += 1
      yield _make_video(spec, world, number, split, label)


def _make_world(spec: SyntheticSpec) -> _World:
  rng = np.random.default_rng([spec.seed, 0])
  width, classes = spec.feature_width, len(spec.classes)
  scenes = spec.scene_level * rng.gamma(2.0, 0.5, (spec.scenes, width))
  raised = rng.random((classes, 2, width)) < spec.pattern_share
  raised[..., rng.integers(width, size=2)] = True
  patterns = raised * rng.uniform(0.5, 1.5, raised.shape)
  return _World(scenes, patterns)


def _make_video(
  spec: SyntheticSpec, world: _World, number: int, split: str, label: int
) -> SyntheticVideo:
  rng = np.random.default_rng([spec.seed, number])
  snippets = int(rng.integers(spec.shortest, spec.longest + 1))
  frames = snippets * SNIPPET_FRAMES
  frames -= int(rng.integers(SNIPPET_FRAMES))
  kind = int(rng.integers(len(spec.classes)))
  spans = _anomalies(spec, rng, frames) if label else ()
  levels = _distractors(spec, rng, spans, frames, snippets)
  for start, end in spans:
    levels[kind] += spec.anomaly_level * _share_of_snippets(
      start, end, snippets
    )
  scene = world.scenes[rng.integers(spec.scenes)]
  signal = scene + np.einsum("kpt,kpd->td", levels, world.patterns)
  category = spec.classes[kind] if label else "Normal"
  return SyntheticVideo(
    name=f"{category}{number:04d}",
    split=split,
    label=label,
    category=category,
    features=_crops(spec, rng, signal),
    spans=spans,
    frames=frames,
  )


def _anomalies(
  spec: SyntheticSpec, rng: np.random.Generator, frames: int
) -> tuple[tuple[int, int], ...]:
  """One span, or two apart from each other [frames]."""
  shortest, longest = (SNIPPET_FRAMES * s for s in spec.anomaly_snippets)
  parts = 2 if rng.random() < 0.3 and frames > 4 * longest else 1
  room = frames // parts
  spans = []
  for part in range(parts):
    length = int(rng.integers(shortest, min(longest, room // 2) + 1))
    start = part * room + int(rng.integers(room - length + 1))
    spans.append((start, start + length))
  return tuple(spans)


def _distractors(
  spec: SyntheticSpec,
  rng: np.random.Generator,
  spans: tuple[tuple[int, int], ...],
  frames: int,
  snippets: int,
) -> np.ndarray:
  """Loudness [classes 2 t] of patterns that come alone, outside the spans."""
  levels = np.zeros((len(spec.classes), 2, snippets))
  taken = list(spans)
  shortest, longest = (SNIPPET_FRAMES * s for s in spec.anomaly_snippets)
  for _ in range(int(rng.integers(1, spec.distractors + 1))):
    length = int(rng.integers(shortest, min(longest, frames // 2) + 1))
    start = int(rng.integers(frames - length + 1))
    end = start + length
    margin = SNIPPET_FRAMES
    if any(start < e + margin and s < end + margin for s, e in taken):
      continue
    taken.append((start, end))
    pattern = rng.integers(len(spec.classes)), rng.integers(2)
    levels[pattern] += rng.uniform(
      *spec.distractor_levels
    ) * _share_of_snippets(start, end, snippets)
  return levels


def _share_of_snippets(start: int, end: int, snippets: int) -> np.ndarray:
  """Share of each snippet's frames within [start, end) [t]."""
  first = SNIPPET_FRAMES * np.arange(snippets)
  inside = np.minimum(first + SNIPPET_FRAMES, end) - np.maximum(first, start)
  return np.clip(inside, 0, None) / SNIPPET_FRAMES


def _crops(
  spec: SyntheticSpec, rng: np.random.Generator, signal: np.ndarray
) -> np.ndarray:
  """Crops of one video: the same signal and noise, a gain of their own."""
  snippets, width = signal.shape
  noise = rng.standard_normal((snippets, width))
  for t in range(1, snippets):
    fresh = np.sqrt(1 - spec.correlation**2) * noise[t]
    noise[t] = spec.correlation * noise[t - 1] + fresh
  gain = 1 + spec.crop_noise * rng.standard_normal((spec.crops, 1, width))
  own = spec.crop_noise * rng.standard_normal((spec.crops, snippets, width))
  features = gain * (signal + spec.noise * noise) + own
  return np.maximum(features, 0).astype(np.float32)
