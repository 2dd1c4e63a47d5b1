"""Time of the features of one clip, this package against PyTorch.

  python -m benchmarks.i3d [--against torch,torch-channels-last] [--clips 1]

16 frames of 224 x 224, float32. Each side has a process of its own, and they
take turns. `ratio` is the median of this package over that of eager PyTorch.
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

OURS = ("jax", "jax-conv3d", "jax-bfloat16")
THEIRS = ("torch", "torch-channels-last")
# Multiplications and additions of a clip's convolutions.
FLOP = 55.6e9


def make_clips(clips: int) -> np.ndarray:
  """Random pixels, scaled."""
  rng = np.random.default_rng(0)
  return rng.uniform(-1, 1, (clips, 16, 224, 224, 3)).astype(np.float32)


def jax_side(
  clips: int, side: str
) -> tuple[Callable[[], None], dict[str, Any]]:
  """A function that makes features and waits for them; facts about it."""
  from adplg_jax.run.allocator import keep_memory

  keep_memory()
  import jax
  import jax.numpy as jnp

  from adplg_jax.video import convolution
  from adplg_jax.video.i3d import I3D

  if side == "jax-conv3d":
    convolution.frames_in_pairs = convolution.library
    convolution.taps_as_channels = convolution.library
  model = I3D()
  dtype = jnp.bfloat16 if side == "jax-bfloat16" else jnp.float32
  x = jnp.asarray(make_clips(clips), dtype)
  variables = jax.jit(model.init)(jax.random.key(0), x)
  start = time.perf_counter()
  compiled = jax.jit(model.apply).lower(variables, x).compile()
  seconds = time.perf_counter() - start

  def run() -> None:
    jax.block_until_ready(compiled(variables, x))

  return run, {
    "device": jax.devices()[0].device_kind,
    "version": f"jax {jax.__version__}",
    "compile_seconds": seconds,
  }


def torch_side(
  clips: int, side: str
) -> tuple[Callable[[], None], dict[str, Any]]:
  """The reference, on the GPU where there is one."""
  import torch

  from tests.video import torch_i3d

  cuda = torch.cuda.is_available()
  torch.set_default_device("cuda" if cuda else "cpu")
  model: Any = torch_i3d.random_i3d()
  # As [b, c, t, h, w] lies in memory; forward takes channels last.
  x = torch.tensor(make_clips(clips)).permute(0, 4, 1, 2, 3).contiguous()
  if side == "torch-channels-last":
    model = model.to(memory_format=torch.channels_last_3d)
    x = x.contiguous(memory_format=torch.channels_last_3d)

  def run() -> None:
    with torch.inference_mode():
      model(x.permute(0, 2, 3, 4, 1))
    if cuda:
      torch.cuda.synchronize()

  return run, {"version": f"torch {torch.__version__}"}


def report(timings: dict[str, sides.Timing], clips: int) -> dict[str, Any]:
  """Prints the table; returns what --json holds."""
  ours = timings["jax"]
  facts = ours.facts
  print(
    f"{time.strftime('%Y-%m-%d')}, {facts['device']} ({platform.machine()}), "
    f"{facts['version']}, {clips} clips, {len(ours.seconds)} rounds, compiled "
    f"in {facts['compile_seconds']:.1f} s; median, range, ratio to jax"
  )
  for name, timing in timings.items():
    print(
      timing.row(name, ours),
      f"{timing.facts['memory'] / 2**30:6.2f} GiB",
      f"{clips * FLOP / timing.median / 1e9:5.0f} GFLOP/s",
    )
  result: dict[str, Any] = {
    "seconds": {name: timing.median for name, timing in timings.items()}
  }
  if "torch" in timings:
    result["ratio"] = ours.median / timings["torch"].median
    print(f"ratio = {result['ratio']:.3f}")
  return result


def main() -> None:
  """Measures and prints a table."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.i3d")
  parser.add_argument(
    "--sides",
    default="jax",
    help=f"of this package: {', '.join(OURS)} [%(default)s]",
  )
  parser.add_argument(
    "--against",
    default="torch",
    help=f"opponents: {', '.join(THEIRS)} [%(default)s]",
  )
  parser.add_argument("--clips", type=int, default=1)
  parser.add_argument("--rounds", type=int, default=10)
  parser.add_argument("--json", type=Path, help="file to write the figures to")
  parser.add_argument("--side", help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  clips = arguments.clips
  if arguments.side:
    make = torch_side if arguments.side in THEIRS else jax_side
    work, facts = make(clips, arguments.side)
    sides.serve(work, **facts)
    return
  names = [*arguments.sides.split(","), *arguments.against.split(",")]
  module = ["benchmarks.i3d", "--clips", str(clips), "--side"]
  timings = sides.take_turns(
    {name: [*module, name] for name in names if name}, rounds=arguments.rounds
  )
  result = report(timings, clips)
  if arguments.json:
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
