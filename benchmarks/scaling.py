"""Bytes of the state and of a step's traffic, from the real shapes.

python -m benchmarks.scaling
"""

import jax

from adplg_jax import method as method_lib
from adplg_jax import train_state
from adplg_jax.configs import shanghaitech, ucf_crime, xd_violence

KEYS = {"UCF-Crime": 810, "XD-Violence": 9525, "ShanghaiTech": 630}
CONFIGS = {
  "UCF-Crime": ucf_crime,
  "XD-Violence": xd_violence,
  "ShanghaiTech": shanghaitech,
}


def nbytes(tree) -> int:
  """Bytes of all arrays of a tree of shapes."""
  return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def main() -> None:
  """Prints a line a data set, at D = 1024."""
  for name, module in CONFIGS.items():
    config = module.get_config("i3d")
    method = method_lib.from_config(
      config, feature_width=1024, num_keys=KEYS[name]
    )
    state = jax.eval_shape(lambda m=method: train_state.init_state(m, 0))
    parameters = (state.video.params, state.snippet.params)
    batch = 2 * config.batch_size * config.num_segments * 1024 * 4
    print(
      f"{name:13} state {nbytes(state) / 1e6:.1f} MB, of it memory "
      f"{nbytes(state.memory) / 1e6:.2f} MB; gradients a step "
      f"{nbytes(parameters) / 1e6:.1f} MB; features a step {batch / 1e6:.1f} MB"
    )


if __name__ == "__main__":
  main()
