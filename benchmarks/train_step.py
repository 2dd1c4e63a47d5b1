"""Time of one training step, this package and the PyTorch reference.

  python -m benchmarks.train_step [--batch_size 32] [--rounds 10]

All contestants take turns in one process, so that what disturbs the machine
disturbs all of them; medians and ratios are what counts. Full width, after
warm-up, dropout on, the batch already on the device.
"""

import argparse
import functools
import platform
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np

from adplg_jax import method as method_lib
from adplg_jax import train_state, train_step
from adplg_jax.configs import ucf_crime

KEYS = 810
WIDTH = 1024


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


def jax_contestant(
  size: int, precision: str, matmul_precision: str
) -> Callable[[], None]:
  """A function that does one step and waits for it."""
  config = ucf_crime.get_config()
  config.precision = precision
  config.warm_up_steps = 0
  method = method_lib.from_config(config, feature_width=WIDTH, num_keys=KEYS)
  batch = jax.device_put(make_batch(size, config.num_segments))
  with jax.default_matmul_precision(matmul_precision):
    state = jax.jit(lambda: train_state.init_state(method, 0))()
    step = (
      jax.jit(
        functools.partial(train_step.train_step, method=method, seed=0),
        donate_argnames="state",
      )
      .lower(state=state, batch=batch)
      .compile()
    )

  def run() -> None:
    nonlocal state
    state, metrics = step(state=state, batch=batch)
    jax.block_until_ready((state, metrics))

  return run


def torch_contestant(size: int, tf32: bool) -> Callable[[], None]:
  """The reference, eager, on the GPU where there is one."""
  import torch

  from tests.parity import torch_reference

  cuda = torch.cuda.is_available()
  torch.set_default_device("cuda" if cuda else "cpu")
  reference = torch_reference.Reference(torch_reference.Options(warm_up=0))
  batch = make_batch(size, 64)
  normal, anomalous = (
    torch.tensor(batch[name]["features"]) for name in ("normal", "anomalous")
  )
  keys = batch["anomalous"]["key"].tolist()

  def run() -> None:
    torch.backends.cuda.matmul.allow_tf32 = tf32
    reference.step(normal, anomalous, keys)
    if cuda:
      torch.cuda.synchronize()

  return run


def contestants(size: int) -> dict[str, Callable[[], None]]:
  """What can run here."""
  made = {
    "jax float32": jax_contestant(size, "float32", "default"),
    "jax bfloat16": jax_contestant(size, "bfloat16", "default"),
  }
  if jax.default_backend() == "gpu":
    made["jax float32, highest"] = jax_contestant(size, "float32", "highest")
  try:
    made["torch float32"] = torch_contestant(size, tf32=False)
    if jax.default_backend() == "gpu":
      made["torch TF32"] = torch_contestant(size, tf32=True)
  except ImportError:
    print("torch is not installed: no opponent")
  return made


def main() -> None:
  """Measures and prints a table."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.train_step")
  parser.add_argument("--batch_size", type=int, default=32)
  parser.add_argument("--rounds", type=int, default=10)
  arguments = parser.parse_args()
  runs = contestants(arguments.batch_size)
  times: dict[str, list[float]] = {name: [] for name in runs}
  for round_number in range(arguments.rounds + 2):
    for name, run in runs.items():
      start = time.perf_counter()
      run()
      if round_number >= 2:
        times[name].append(1e3 * (time.perf_counter() - start))
  device = jax.devices()[0]
  print(
    f"{time.strftime('%Y-%m-%d')}, {device.device_kind} "
    f"({platform.machine()}), jax {jax.__version__}, B = "
    f"{arguments.batch_size}, N = 64, D = {WIDTH}, {arguments.rounds} rounds"
  )
  base = statistics.median(times["jax float32"])
  for name, values in times.items():
    median = statistics.median(values)
    spread = f"{min(values):.1f} to {max(values):.1f}"
    print(f"{name:22} {median:9.2f} ms  {median / base:5.2f} x  ({spread})")
  peak = (device.memory_stats() or {}).get("peak_bytes_in_use")
  if peak:
    print(f"peak memory of all jax contestants together {peak / 2**30:.2f} GiB")


if __name__ == "__main__":
  main()
