"""Bytes of the state, of a step's traffic and of the longest video.

  JAX_NUM_CPU_DEVICES=8 python -m benchmarks.scaling

Sizes follow from the real shapes. The points called measured are of this
machine's devices: a checkpoint on disk, the collectives in the compiled step,
and the memory that scoring the longest video is compiled to take.
"""

import argparse
import functools
import math
import re
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from adplg_jax import method as method_lib
from adplg_jax import train_state, train_step
from adplg_jax.configs import shanghaitech, ucf_crime, xd_violence
from adplg_jax.prepare.official import OfficialSource
from adplg_jax.prepare.sources import shanghaitech as shanghaitech_source
from adplg_jax.prepare.sources import ucf_crime as ucf_crime_source
from adplg_jax.prepare.sources import xd_violence as xd_violence_source
from adplg_jax.run import sharding
from adplg_jax.run.checkpoint import Checkpointer
from adplg_jax.scoring import scorer

WIDTH = 1024
LONGEST = 6_749
CONFIGS = {
  "ucf_crime": ucf_crime,
  "xd_violence": xd_violence,
  "shanghaitech": shanghaitech,
}
SOURCES: dict[str, OfficialSource] = {
  "ucf_crime": ucf_crime_source.SOURCE,
  "xd_violence": xd_violence_source.SOURCE,
  "shanghaitech": shanghaitech_source.SOURCE,
}
_COLLECTIVE = re.compile(
  r"= (\(?.*?\)?) (all-reduce|all-gather|collective-permute)(?:-start)?\("
)
_ARRAY = re.compile(r"(pred|[a-z]+(\d+))\[([\d,]*)\]")


def nbytes(tree: Any) -> int:
  """Bytes of all arrays of a tree of shapes."""
  return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def make_method(name: str) -> tuple[Any, method_lib.Method]:
  """Configuration and method of a complete data set, I3D features."""
  config = CONFIGS[name].get_config("i3d")
  by_video = config.switches.history_key == "video"
  keys = SOURCES[name].layout("i3d").num_keys(by_video=by_video)
  assert keys is not None
  method = method_lib.from_config(config, feature_width=WIDTH, num_keys=keys)
  return config, method


def shapes_of(method: method_lib.Method) -> train_state.TrainState:
  """Shapes of the train state."""
  return jax.eval_shape(lambda: train_state.init_state(method, 0))


def print_sizes() -> None:
  """What follows from the shapes."""
  for name in CONFIGS:
    config, method = make_method(name)
    state = shapes_of(method)
    parameters = (state.video.params, state.snippet.params)
    count = sum(leaf.size for leaf in jax.tree.leaves(parameters))
    size, segments = config.batch_size, config.num_segments
    rows = size * segments * (method.pseudo_labels.history_length + 1) * 4
    print(
      f"{name}: {count} parameters, state {nbytes(state) / 1e6:.1f} MB, of it "
      f"memory {nbytes(state.memory) / 1e6:.2f} MB; a step's gradients "
      f"{nbytes(parameters) / 1e6:.1f} MB, memory rows {rows / 1e3:.0f} kB, "
      f"features {2 * size * segments * WIDTH * 4 / 1e6:.1f} MB"
    )
  crops = sum(SOURCES["ucf_crime"].features["i3d"].expected.videos[:2]) * 10
  print(
    f"UCF-Crime's training crops in memory: {crops * 64 * WIDTH * 4 / 1e9:.1f} "
    "GB"
  )


def collective_bytes(text: str) -> dict[str, int]:
  """Bytes that each kind of collective of a compiled program gives out."""
  found: dict[str, int] = {}
  for shapes, kind in _COLLECTIVE.findall(text):
    for _, bits, dims in _ARRAY.findall(shapes):
      size = math.prod(int(d) for d in dims.split(",") if d)
      size *= int(bits or 8) // 8
      found[kind] = found.get(kind, 0) + size
  return found


def print_traffic(batch_size: int, counts: list[int]) -> None:
  """The collectives of UCF-Crime's step, by number of devices."""
  config, method = make_method("ucf_crime")
  for count in counts:
    mesh = sharding.make_mesh(count)
    place = {
      "whole": sharding.replicated(mesh),
      "rows": sharding.by_video(mesh),
    }

    def array(*shape, dtype=jnp.float32, at=place["rows"]):
      return jax.ShapeDtypeStruct(shape, dtype, sharding=at)

    part = {
      "features": array(batch_size, config.num_segments, WIDTH),
      "length": array(batch_size, dtype=jnp.int32),
    }
    key = {"key": array(batch_size, dtype=jnp.int32)}
    state = jax.tree.map(
      lambda x, at=place["whole"]: jax.ShapeDtypeStruct(
        x.shape, x.dtype, sharding=at
      ),
      shapes_of(method),
    )
    with jax.set_mesh(mesh):
      step = jax.jit(
        functools.partial(train_step.train_step, method=method, seed=0),
        donate_argnames="state",
        out_shardings=place["whole"],
      )
      batch = {"normal": part, "anomalous": part | key}
      text = step.lower(state=state, batch=batch).compile().as_text()
    found = collective_bytes(text or "")
    print(
      f"measured, {count} devices, B = {batch_size}: "
      + (", ".join(f"{k} {v:,} bytes" for k, v in found.items()) or "nothing")
    )


def print_checkpoint() -> None:
  """Bytes of UCF-Crime's checkpoint on disk, at the start and in training."""
  _, method = make_method("ucf_crime")
  start = jax.jit(lambda: train_state.init_state(method, 0))()
  # Zeros compress; moments that have seen gradients do not.
  key = jax.random.key(0)
  trained = jax.tree.map(
    lambda x: x + jax.random.normal(key, x.shape).astype(x.dtype), start
  )
  for what, state in (("at the start", start), ("in training", trained)):
    with tempfile.TemporaryDirectory() as folder:
      checkpoints = Checkpointer(folder)
      checkpoints.save(0, state, {})
      checkpoints.close()
      files = [p for p in Path(folder).rglob("*") if p.is_file()]
      size = sum(path.stat().st_size for path in files)
    print(
      f"measured, checkpoint on disk {what}: {size / 1e6:.1f} MB for a state "
      f"of {nbytes(state) / 1e6:.1f} MB"
    )


def print_longest() -> None:
  """Memory besides arguments and result for the longest test video."""
  _, method = make_method("ucf_crime")
  params = shapes_of(method).snippet.params
  heads = method.snippet_branch.global_heads
  print(
    f"full attention over {LONGEST} snippets: "
    f"{LONGEST**2 * heads * 4 / 1e6:.0f} MB at once, "
    f"{1024 * LONGEST * heads * 4 / 1e6:.0f} MB in blocks of 1024"
  )
  for snippets in (LONGEST // 4, LONGEST // 2, LONGEST):
    compiled = (
      scorer.make_scorer(method)
      .lower(
        params,
        jax.ShapeDtypeStruct((1, snippets, WIDTH), jnp.float32),
        jax.ShapeDtypeStruct((1,), jnp.int32),
      )
      .compile()
    )
    size = compiled.memory_analysis().temp_size_in_bytes
    print(f"measured, scoring {snippets} snippets: {size / 1e6:.0f} MB")


def main() -> None:
  """Prints everything."""
  parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
  parser.add_argument("--batch_size", type=int, default=32)
  arguments = parser.parse_args()
  print_sizes()
  counts = [n for n in (1, 2, 4, 8) if n <= jax.device_count()]
  print_traffic(arguments.batch_size, counts)
  print_checkpoint()
  print_longest()


if __name__ == "__main__":
  main()
