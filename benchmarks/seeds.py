"""The price of a seed: several trained by one program, against one alone.

  python -m benchmarks.seeds [--sizes full,demo] [--rounds N] [--json FILE]

Batches are on the device. `full` is UCF-Crime's size with two seeds, `demo` the
demo's with eight. Each side has a process of its own, and they take turns. A
size's ratio is the time of a step of all seeds over as many steps of one.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import sides

SEEDS = {"full": 2, "demo": 8}
# Steps of a measured round.
STEPS = {"full": 1, "demo": 20}
WIDTH = {"full": 1024, "demo": 64}
KEYS = 810


def side(size: str, seeds: int) -> tuple[Callable[[], None], dict[str, Any]]:
  """A function that does a round's steps and waits; facts about them."""
  from adplg_jax.run.allocator import keep_memory

  keep_memory()
  import jax

  from adplg_jax import dispatch, train_state
  from adplg_jax import method as method_lib
  from adplg_jax.configs import synthetic, ucf_crime

  config: Any = {"full": ucf_crime, "demo": synthetic}[size].get_config()
  config.warm_up_steps = 0
  method = method_lib.from_config(
    config, feature_width=WIDTH[size], num_keys=KEYS
  )
  several = (seeds,) * (seeds > 1)
  rng = np.random.default_rng(0)
  shape = (*several, config.batch_size)
  batch = {
    name: {
      "features": rng.random(
        (*shape, config.num_segments, WIDTH[size]), np.float32
      ),
      "length": np.full(shape, config.num_segments, np.int32),
    }
    for name in ("normal", "anomalous")
  }
  batch["anomalous"]["key"] = rng.integers(0, KEYS, shape, dtype=np.int32)
  batch = jax.device_put(batch)
  init = jax.jit(lambda seed: train_state.init_state(method, seed))
  state = dispatch.stack_states([init(seed) for seed in range(seeds)])
  seed = np.squeeze(np.arange(seeds, dtype=np.int32))
  step = jax.jit(dispatch.over_seeds(method, seeds), donate_argnums=0)
  start = time.perf_counter()
  compiled = step.lower(state, batch, seed).compile()
  seconds = time.perf_counter() - start

  def run() -> None:
    nonlocal state
    for _ in range(STEPS[size]):
      state, metrics = compiled(state, batch, seed)
    jax.block_until_ready((state, metrics))

  return run, {
    "version": f"jax {jax.__version__}",
    "device": jax.devices()[0].device_kind,
    "compile_seconds": seconds,
  }


def report(size: str, timings: dict[str, sides.Timing]) -> float:
  """Prints a size's table; returns its ratio."""
  count, steps = SEEDS[size], STEPS[size]
  one, several = timings["one"], timings["several"]
  print(
    f"{time.strftime('%Y-%m-%d')}, {one.facts['device']} "
    f"({platform.machine()}), {one.facts['version']}, {size} size, {count} "
    f"seeds, {len(one.seconds)} rounds; seconds a step and seed, range, "
    "compilation, memory"
  )
  for name, timing, seeds in (("one", one, 1), ("several", several, count)):
    scale = 1 / (seeds * steps)
    print(
      f"{name:10}{timing.median * scale:9.4f} s"
      f"{min(timing.seconds) * scale:9.4f} to "
      f"{max(timing.seconds) * scale:.4f}"
      f"{timing.facts['compile_seconds']:8.1f} s"
      f"{timing.facts['memory'] / 2**30:8.2f} GiB"
    )
  ratio = several.median / (count * one.median)
  print(f"{size} ratio = {ratio:.3f}")
  return ratio


def main() -> None:
  """Measures and prints a table."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.seeds")
  parser.add_argument("--sizes", default="full,demo", help="[%(default)s]")
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--json", type=Path, help="file to write the figures to")
  parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  if arguments.side:
    size, seeds = arguments.side
    work, facts = side(size, int(seeds))
    sides.serve(work, **facts)
    return
  result = {}
  for size in arguments.sizes.split(","):
    module = ["benchmarks.seeds", "--side", size]
    timings = sides.take_turns(
      {"one": [*module, "1"], "several": [*module, str(SEEDS[size])]},
      rounds=arguments.rounds,
      warm_up=1,
    )
    result[size] = report(size, timings)
  if arguments.json:
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
