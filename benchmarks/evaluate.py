"""Time of scoring a test split, this package against PyTorch.

  python -m benchmarks.evaluate [--json FILE] [--plot FILE]

Full width; lengths spread as those of UCF-Crime's 290 test videos, of which
every twentieth by length and one of the longest are scored, two crops each.
Each side has a process of its own, and they take turns. `ratio` is the median
of this package over that of eager PyTorch, which takes video by video, crops
together. `--plot` draws time and memory of one crop over its length instead.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import sides

WIDTH = 1024
VIDEOS, SNIPPETS, MEDIAN, LONGEST = 290, 69_355, 112, 6749
LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096, 6750)


def test_lengths() -> list[int]:
  """Snippets of 290 videos, ascending; two are the longest.

  The others are quantiles of the log-normal distribution that has UCF-Crime's
  median and sum.
  """
  normal = statistics.NormalDist()
  others = VIDEOS - 2
  quantiles = [normal.inv_cdf((i + 0.5) / others) for i in range(others)]
  low, high = 0.0, 2.0
  while high - low > 1e-9:
    deviation = (low + high) / 2
    lengths = MEDIAN * np.exp(deviation * np.array(quantiles))
    if lengths.sum() < SNIPPETS - 2 * LONGEST:
      low = deviation
    else:
      high = deviation
  return [
    *np.maximum(lengths.round().astype(int), 1).tolist(),
    LONGEST,
    LONGEST,
  ]


def mix(every: int) -> list[int]:
  """Every so many-th video by length, and one of the longest."""
  return [*test_lengths()[:-2][every // 2 :: every], LONGEST]


def features(length: int, crop: int) -> np.ndarray:
  """Random features [length, 1024] of a crop."""
  rng = np.random.default_rng((length, crop))
  return rng.random((length, WIDTH), np.float32)


def jax_side(
  lengths: list[int], crops: int
) -> tuple[Callable[[], None], dict[str, Any]]:
  """A function that scores all videos; facts about the side."""
  from adplg_jax.run.allocator import keep_memory

  keep_memory()
  import jax

  from adplg_jax import method as method_lib
  from adplg_jax import train_state
  from adplg_jax.configs import ucf_crime
  from adplg_jax.run import sharding
  from adplg_jax.scoring import scorer

  config = ucf_crime.get_config()
  method = method_lib.from_config(config, feature_width=WIDTH, num_keys=1)
  params = jax.jit(lambda: train_state.init_state(method, 0).snippet.params)()
  score = scorer.make_scorer(method)
  mesh = sharding.make_mesh()
  examples = [
    {
      "features": features(length, crop),
      "video": f"{number:03}",
      "crop": crop,
      "category": "Normal",
      "label": 0,
      "frames": length * 16,
      "frames_per_snippet": 16,
      "window": 16,
      "spans": np.zeros((0, 2), np.int64),
      "has_spans": False,
      "exact_spans": False,
    }
    for number, length in enumerate(lengths)
    for crop in range(crops)
  ]

  def run() -> None:
    with jax.set_mesh(mesh):
      scorer.score_split(config, mesh, score, params, examples)

  start = time.perf_counter()
  run()
  return run, {
    "version": f"jax {jax.__version__}",
    "device": jax.devices()[0].device_kind,
    "first_seconds": time.perf_counter() - start,
    "compilations": score._cache_size(),
  }


def torch_side(
  lengths: list[int], crops: int
) -> tuple[Callable[[], None], dict[str, Any]]:
  """The reference, on the GPU where there is one."""
  import torch

  from tests.parity import torch_reference

  torch.set_default_device("cuda" if torch.cuda.is_available() else "cpu")
  model = torch_reference.SnippetBranch(torch_reference.Options()).eval()
  videos = [
    np.stack([features(length, crop) for crop in range(crops)])
    for length in lengths
  ]

  def run() -> None:
    with torch.no_grad():
      for video in videos:
        model(torch.as_tensor(video)).mean(0).cpu().numpy()

  return run, {"version": f"torch {torch.__version__}"}


SIDES = {"jax": jax_side, "torch": torch_side}


def report(timings: dict[str, sides.Timing], lengths: list[int], crops: int):
  """Prints the table; returns what --json holds."""
  ours = timings["jax"]
  print(
    f"{time.strftime('%Y-%m-%d')}, {ours.facts['device']} "
    f"({platform.machine()}), {ours.facts['version']}, {len(lengths)} videos, "
    f"{sum(lengths)} snippets, {crops} crops, D = {WIDTH}, "
    f"{len(ours.seconds)} rounds; median, range, ratio to jax, peak memory"
  )
  for name, timing in timings.items():
    print(timing.row(name, ours), f"{timing.facts['memory'] / 2**30:6.2f} GiB")
  print(
    f"jax compiled {ours.facts['compilations']} shapes; the first round took "
    f"{ours.facts['first_seconds']:.1f} s"
  )
  result = {
    "seconds": {name: timing.median for name, timing in timings.items()},
    "memory": {name: t.facts["memory"] for name, t in timings.items()},
    "compilations": ours.facts["compilations"],
  }
  if "torch" in timings:
    result["ratio"] = ours.median / timings["torch"].median
    print(f"ratio = {result['ratio']:.3f}")
  return result


def growth(rounds: int) -> list[dict[str, float]]:
  """Time and memory of scoring one crop, for each length."""
  from adplg_jax.run.allocator import keep_memory

  keep_memory()
  import jax

  from adplg_jax import method as method_lib
  from adplg_jax import train_state
  from adplg_jax.configs import ucf_crime
  from adplg_jax.scoring import scorer

  method = method_lib.from_config(
    ucf_crime.get_config(), feature_width=WIDTH, num_keys=1
  )
  params = jax.jit(lambda: train_state.init_state(method, 0).snippet.params)()
  rows = []
  for length in LENGTHS:
    x, lengths = features(length, 0)[None], np.array([length], np.int32)
    score = scorer.make_scorer(method).lower(params, x, lengths).compile()
    seconds = []
    for _ in range(rounds + 1):
      start = time.perf_counter()
      score(params, x, lengths).block_until_ready()
      seconds.append(time.perf_counter() - start)
    memory: Any = score.memory_analysis()
    rows.append(
      {
        "snippets": length,
        "seconds": statistics.median(seconds[1:]),
        "bytes": memory.temp_size_in_bytes,
      }
    )
    print("{snippets:6} {seconds:9.4f} s {bytes:14,} bytes".format(**rows[-1]))
  return rows


def draw(rows: list[dict[str, float]], path: Path) -> None:
  """Time and memory a snippet, over the length."""
  from matplotlib.figure import Figure

  figure = Figure(figsize=(9, 3.8), layout="constrained")
  length = [row["snippets"] for row in rows]
  for axes, name, unit, scale in zip(
    figure.subplots(1, 2),
    ("seconds", "bytes"),
    ("ms a snippet", "kB a snippet"),
    (1e3, 1e-3),
    strict=True,
  ):
    axes.plot(
      length,
      [row[name] * scale / row["snippets"] for row in rows],
      marker="o",
      color="#0072b2",
    )
    axes.set(xscale="log", xlabel="snippets of the video", ylabel=unit)
    axes.set_xticks(length, [str(n) for n in length], rotation=45)
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
  figure.suptitle("Scoring one crop: flat is linear in the length")
  figure.savefig(path, dpi=120)


def main() -> None:
  """Measures and prints a table."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluate")
  parser.add_argument("--every", type=int, default=20)
  parser.add_argument("--crops", type=int, default=2)
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--against", default="torch", choices=["torch", ""])
  parser.add_argument("--json", type=Path, help="file to write the figures to")
  parser.add_argument("--plot", type=Path, help="picture of time and memory")
  parser.add_argument("--side", help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  lengths = mix(arguments.every)
  if arguments.side:
    work, facts = SIDES[arguments.side](lengths, arguments.crops)
    sides.serve(work, **facts)
    return
  if arguments.plot:
    result: Any = growth(arguments.rounds)
    draw(result, arguments.plot)
  else:
    command = [
      *("benchmarks.evaluate", f"--every={arguments.every}"),
      *(f"--crops={arguments.crops}", "--side"),
    ]
    names = filter(None, ["jax", arguments.against])
    timings = sides.take_turns(
      {name: [*command, name] for name in names},
      rounds=arguments.rounds,
      warm_up=1,
    )
    result = report(timings, lengths, arguments.crops)
  if arguments.json:
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
