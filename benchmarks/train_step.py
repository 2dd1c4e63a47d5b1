"""Time of one training step, this package against PyTorch.

  python -m benchmarks.train_step [--against torch,torch-compile] [--json FILE]

Full width, dropout on, the batch already on the device. Each side has a process
of its own, and they take turns. `ratio` is the median of this package in
float32, after warm-up, over that of eager PyTorch. The limit is the step's own
matrix products measured alone.
"""

import argparse
import functools
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import sides

KEYS = 810
WIDTH = 1024
SEGMENTS = 64
OURS = ("jax", "jax-bfloat16", "jax-highest", "jax-warm-up", "products")
THEIRS = ("torch", "torch-tf32", "torch-compile", "torch-warm-up")


def make_batch(size: int, segments: int) -> dict:
  """Random features; some videos twice in the batch."""
  rng = np.random.default_rng(0)
  batch = {
    name: {
      "features": rng.random((size, segments, WIDTH), np.float32),
      "length": np.full(size, segments, np.int32),
    }
    for name in ("normal", "anomalous")
  }
  batch["anomalous"]["key"] = rng.integers(0, KEYS, size, dtype=np.int32)
  return batch


def jax_side(size: int, side: str) -> tuple[Callable[[], None], dict[str, Any]]:
  """A function that does one step and waits for it; facts about the step."""
  from adplg_jax.run.allocator import keep_memory

  keep_memory()
  import jax

  from adplg_jax import method as method_lib
  from adplg_jax import train_state, train_step
  from adplg_jax.configs import ucf_crime
  from benchmarks import products

  config = ucf_crime.get_config()
  config.precision = "bfloat16" if side == "jax-bfloat16" else "float32"
  config.warm_up_steps = 10**6 if side == "jax-warm-up" else 0
  method = method_lib.from_config(config, feature_width=WIDTH, num_keys=KEYS)
  batch = jax.device_put(make_batch(size, config.num_segments))
  precision = "highest" if side == "jax-highest" else "default"
  with jax.default_matmul_precision(precision):
    state = jax.jit(lambda: train_state.init_state(method, 0))()
    step = functools.partial(train_step.train_step, method=method, seed=0)
    found = products.of(step, state, batch)
    if side == "products":
      return products.alone(found), {"flop": products.flop(found)}
    start = time.perf_counter()
    compiled = (
      jax.jit(step, donate_argnames="state")
      .lower(state=state, batch=batch)
      .compile()
    )
    seconds = time.perf_counter() - start
  analysis: Any = compiled.cost_analysis() or {}
  device = jax.devices()[0]

  def run() -> None:
    nonlocal state
    state, metrics = compiled(state=state, batch=batch)
    jax.block_until_ready((state, metrics))

  return run, {
    "device": device.device_kind,
    "version": f"jax {jax.__version__}",
    "flop": products.flop(found),
    "xla_flop": analysis.get("flops"),
    "xla_bytes": analysis.get("bytes accessed"),
    "compile_seconds": seconds,
  }


def torch_side(
  size: int, side: str
) -> tuple[Callable[[], None], dict[str, Any]]:
  """The reference, on the GPU where there is one."""
  import torch

  from tests.parity import torch_reference

  cuda = torch.cuda.is_available()
  torch.set_default_device("cuda" if cuda else "cpu")
  torch.backends.cuda.matmul.allow_tf32 = side == "torch-tf32"
  warm_up = 10**6 if side == "torch-warm-up" else 0
  reference = torch_reference.Reference(
    torch_reference.Options(warm_up=warm_up)
  )
  if side == "torch-compile":
    reference.video.compile()
    reference.snippet.compile()
  batch = make_batch(size, SEGMENTS)
  normal, anomalous = (
    torch.tensor(batch[name]["features"]) for name in ("normal", "anomalous")
  )
  keys = batch["anomalous"]["key"].tolist()

  def run() -> None:
    reference.step(normal, anomalous, keys)
    if cuda:
      torch.cuda.synchronize()

  return run, {"version": f"torch {torch.__version__}"}


def report(timings: dict[str, sides.Timing], size: int) -> dict[str, Any]:
  """Prints the table; returns what --json holds."""
  ours = timings["jax"]
  facts = ours.facts
  print(
    f"{time.strftime('%Y-%m-%d')}, {facts['device']} ({platform.machine()}), "
    f"{facts['version']}, B = {size} + {size}, N = {SEGMENTS}, D = {WIDTH}, "
    f"{len(ours.seconds)} rounds; median, range, ratio to jax"
  )
  for name, timing in timings.items():
    print(timing.row(name, ours), f"{timing.facts['memory'] / 2**30:6.2f} GiB")
  result: dict[str, Any] = {
    "seconds": {name: timing.median for name, timing in timings.items()},
    "memory": {
      name: timing.facts["memory"] for name, timing in timings.items()
    },
    "flop": facts["flop"],
    "xla_flop": facts["xla_flop"],
  }
  if "products" in timings:
    limit = timings["products"].median
    result["share_of_limit"] = limit / ours.median
    print(
      f"products alone: {facts['flop'] / 1e12:.3f} TFLOP (XLA counts "
      f"{facts['xla_flop'] / 1e12:.3f} for the whole step), "
      f"{facts['flop'] / limit / 1e9:.0f} GFLOP/s; the step is at "
      f"{limit / ours.median:.0%} of this limit"
    )
  for name, ratio in (("torch", "ratio"), ("torch-warm-up", "warm_up_ratio")):
    own = "jax" if name == "torch" else "jax-warm-up"
    if name in timings and own in timings:
      result[ratio] = timings[own].median / timings[name].median
      print(f"{ratio} = {result[ratio]:.3f}")
  return result


def main() -> None:
  """Measures and prints a table."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.train_step")
  parser.add_argument(
    "--sides",
    default="jax,jax-warm-up,products",
    help=f"of this package: {', '.join(OURS)} [%(default)s]",
  )
  parser.add_argument(
    "--against",
    default="torch,torch-warm-up",
    help=f"opponents: {', '.join(THEIRS)} [%(default)s]",
  )
  parser.add_argument("--batch_size", type=int, default=32)
  parser.add_argument("--rounds", type=int, default=10)
  parser.add_argument("--json", type=Path, help="file to write the figures to")
  parser.add_argument("--side", help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  size = arguments.batch_size
  if arguments.side:
    make = torch_side if arguments.side in THEIRS else jax_side
    work, facts = make(size, arguments.side)
    sides.serve(work, **facts)
    return
  names = [*arguments.sides.split(","), *arguments.against.split(",")]
  module = ["benchmarks.train_step", "--batch_size", str(size), "--side"]
  timings = sides.take_turns(
    {name: [*module, name] for name in names if name}, rounds=arguments.rounds
  )
  result = report(timings, size)
  if arguments.json:
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
