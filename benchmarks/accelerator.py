"""What an accelerator makes of a run of UCF-Crime's size, in ten minutes.

  python -m benchmarks.accelerator --out DIR [--share 1.0] [--no_step]

Random features of as many crops as UCF-Crime has (16 100 to train, 2 900 to
test, the lengths of `benchmarks.evaluate`), full width. Each variant is a
process of its own: steps a second of the training loop and seconds of an
evaluation, with what 20 000 steps and 20 evaluations take at that rate. Then a
single step against eager PyTorch (`benchmarks.train_step`). Writes a JSON file
for each into DIR as soon as it is there, and `summary.md`.

Without an accelerator the same runs on the CPU, at a small --share.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluate import test_lengths
from benchmarks.sides import peak_bytes

WIDTH, SEGMENTS, CROPS = 1024, 64, 10
NORMAL, ANOMALOUS = 8_000, 8_100
STEPS, EVALUATIONS = 20_000, 20
# Fields of each variant besides the defaults.
VARIANTS = {
  "streamed": {"data.resident": "off"},
  "resident": {"data.resident": "on"},
  "resident-bfloat16": {"data.resident": "on", "precision": "bfloat16"},
  "resident-deterministic": {"data.resident": "on", "deterministic": True},
  "resident-bfloat16-8-seeds": {
    "data.resident": "on",
    "precision": "bfloat16",
    "seeds": 8,
  },
}
# Dense products of a whole chip [TFLOP/s], from the vendor's data sheets.
PEAKS = {
  "H100": {"float32": 494.7, "bfloat16": 989.4},
  "H200": {"float32": 494.7, "bfloat16": 989.4},
}


class Crops(Sequence[dict[str, Any]]):
  """Random crops; a block of noise is read at different offsets."""

  def __init__(self, lengths: Sequence[int], label: int, *, test: bool):
    rng = np.random.default_rng(label)
    self._noise = rng.random((max(lengths) + 64, WIDTH), np.float32)
    self._lengths = lengths
    self._label = label
    self._test = test

  def __len__(self) -> int:
    return len(self._lengths) * CROPS

  def __getitem__(self, index: Any) -> dict[str, Any]:
    if index >= len(self):
      raise IndexError(index)
    video, crop = divmod(int(index), CROPS)
    length = self._lengths[video]
    start = index % 64
    label = video % 2 if self._test else self._label
    return {
      "features": self._noise[start : start + length],
      "length": np.int32(length),
      "video_key": np.int32(video),
      "video": f"{video:04}",
      "crop": crop,
      "category": "Abuse" if label else "Normal",
      "label": label,
      "frames": length * 16,
      "frames_per_snippet": 16,
      "window": 16,
      "spans": np.array([[0, length * 8]] * label, np.int64).reshape(-1, 2),
      "has_spans": True,
      "exact_spans": True,
    }


def variant(name: str, share: float, seconds: float) -> dict[str, Any]:
  """Trains for a while and evaluates twice; what both took."""
  from adplg_jax.run.allocator import keep_memory

  keep_memory()
  import jax

  from adplg_jax import dispatch
  from adplg_jax import method as method_lib
  from adplg_jax.configs import ucf_crime
  from adplg_jax.data import store
  from adplg_jax.experiment import Experiment, set_up_jax
  from adplg_jax.scoring import metrics, scorer

  config: Any = ucf_crime.get_config("i3d")
  config.update_from_flattened_dict(VARIANTS[name])
  config.warm_up_steps = 0
  config.steps_per_dispatch = max(round(config.steps_per_dispatch * share), 1)
  set_up_jax(config)
  videos = [SEGMENTS] * max(round(NORMAL * share / CROPS), 4)
  more = [SEGMENTS] * max(round(ANOMALOUS * share / CROPS), 4)
  lengths = test_lengths()[:: max(round(1 / share), 1)]
  test = Crops(lengths, 0, test=True)
  dataset: Any = store.Dataset(
    metadata=store.Metadata(WIDTH, SEGMENTS, len(more), len(more), "float32"),
    train_normal=Crops(videos, 0, test=False),  # pyright: ignore
    train_anomalous=Crops(more, 1, test=False),  # pyright: ignore
    test=test,  # pyright: ignore
    official_test=test,  # pyright: ignore
  )
  method = method_lib.from_config(
    config, feature_width=WIDTH, num_keys=len(more)
  )
  experiment = Experiment(config, dataset, method)
  with jax.set_mesh(experiment.mesh):
    begun = time.perf_counter()
    dispatcher = dispatch.make_dispatcher(experiment, 0)
    state = dispatch.stack_states(
      [experiment.init_state(seed) for seed in experiment.seeds]
    )
    ready = time.perf_counter()
    state, done = dispatcher.advance(state, STEPS)
    jax.block_until_ready(state)
    first = time.perf_counter()
    steps, waited = 0, 0.0
    before: Any = done.metrics
    while time.perf_counter() - first < seconds:
      state, done = dispatcher.advance(state, STEPS)
      steps, waited = steps + done.steps, waited + done.wait
      # As training does: the metrics of the dispatch before.
      jax.device_get(before)
      before = done.metrics
    jax.block_until_ready(state)
    trained = time.perf_counter() - first
    batches = scorer.KeptBatches(
      lambda: scorer.split_batches(config, experiment.mesh, test),
      dispatcher.room(),
    )
    score = scorer.make_scorer(method)
    params = dispatch.state_of(state, 0, config.seeds).snippet.params
    evaluated = []
    for _ in range(3):
      start = time.perf_counter()
      scored = scorer.score_videos(
        score, params, batches, span_ends="exclusive"
      )
      metrics.evaluate_videos(scored)
      evaluated.append(time.perf_counter() - start)
  a_step = trained / steps
  return {
    "device": jax.devices()[0].device_kind,
    "version": f"jax {jax.__version__}",
    "steps": steps,
    "seconds_a_step": a_step,
    "steps_a_second": 1 / a_step,
    "waited": waited / trained,
    "read_seconds": ready - begun,
    "first_dispatch_seconds": first - ready,
    "first_evaluation_seconds": evaluated[0],
    "evaluation_seconds": evaluated[-1],
    "whole_run_seconds": STEPS * a_step
    + config.seeds * EVALUATIONS * evaluated[-1],
    "seeds": config.seeds,
    "peak_host_bytes": peak_bytes(),
    "peak_device_bytes": (jax.devices()[0].memory_stats() or {}).get(
      "peak_bytes_in_use"
    ),
  }


def summary(found: dict[str, Any]) -> str:
  """A table of all variants, and what the single steps say."""
  lines = [
    "| variant | steps/s | ms a step and seed | evaluation | 20 000 steps, 20 "
    "evaluations | first dispatch | waits |",
    "|---|---|---|---|---|---|---|",
  ]
  for name in VARIANTS:
    if name in found:
      one = found[name]
      lines.append(
        f"| {name} | {one['steps_a_second']:.1f} | "
        f"{1e3 * one['seconds_a_step'] / one['seeds']:.2f} | "
        f"{one['evaluation_seconds']:.2f} s | "
        f"{one['whole_run_seconds']:.0f} s | "
        f"{one['first_dispatch_seconds']:.0f} s | {one['waited']:.1%} |"
      )
  step = found.get("train_step")
  if step:
    eager = step["seconds"].get("torch")
    for name, precision in (
      ("resident", "float32"),
      ("resident-bfloat16", "bfloat16"),
    ):
      if name not in found:
        continue
      one = found[name]
      rate = step["flop"] / one["seconds_a_step"] / 1e12
      text = f"{name}: {rate:.1f} TFLOP/s"
      for device, peaks in PEAKS.items():
        if device in one["device"]:
          text += f", {rate / peaks[precision]:.1%} of the device's peak"
      if eager:
        text += f", {eager / one['seconds_a_step']:.1f} x eager PyTorch's rate"
      lines += ["", text]
  usual, fixed = found.get("resident"), found.get("resident-deterministic")
  if usual and fixed:
    price = fixed["seconds_a_step"] / usual["seconds_a_step"]
    lines += ["", f"deterministic: {price:.2f} x the time of a step"]
  return "\n".join(lines) + "\n"


def main() -> None:
  """Measures every variant, each in a process of its own."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.accelerator")
  parser.add_argument("--out", required=True, type=Path)
  parser.add_argument(
    "--share",
    type=float,
    default=1.0,
    help="of the crops, and of the steps of a dispatch",
  )
  parser.add_argument(
    "--seconds", type=float, default=10.0, help="of training, a variant"
  )
  parser.add_argument(
    "--variants", default=",".join(VARIANTS), help="[%(default)s]"
  )
  parser.add_argument(
    "--no_step", action="store_true", help="leave single steps out"
  )
  parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  arguments.out.mkdir(parents=True, exist_ok=True)
  if arguments.variant:
    one = variant(arguments.variant, arguments.share, arguments.seconds)
    file = arguments.out / f"{arguments.variant}.json"
    file.write_text(json.dumps(one, indent=2) + "\n")
    return
  module = [sys.executable, "-m"]
  commands = {
    name: [
      *(*module, "benchmarks.accelerator", "--variant", name),
      *("--out", str(arguments.out), "--share", str(arguments.share)),
      *("--seconds", str(arguments.seconds)),
    ]
    for name in arguments.variants.split(",")
  }
  if not arguments.no_step:
    commands["train_step"] = [
      *(*module, "benchmarks.train_step"),
      *("--sides", "jax,jax-bfloat16,jax-highest"),
      *("--against", "torch,torch-tf32", "--rounds", "20"),
      *("--json", str(arguments.out / "train_step.json")),
    ]
  found = {}
  for name, command in commands.items():
    print(f"{name} ...", flush=True)
    if subprocess.run(command, check=False).returncode:
      print(f"{name} failed", file=sys.stderr)
      continue
    file = arguments.out / f"{name}.json"
    found[name] = json.loads(file.read_text())
    (arguments.out / "summary.md").write_text(summary(found))
  print(summary(found))
  sys.exit(len(found) < len(commands))


if __name__ == "__main__":
  main()
