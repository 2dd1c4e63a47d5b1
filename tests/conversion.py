"""Small state dicts of the reference, and the commands that convert them."""

from adplg_jax import convert

CONFIG = """
from adplg_jax.configs import synthetic


def get_config(argument=""):
  config = synthetic.get_config("tiny")
  config.batch_size = 4
  config.num_segments = 8
  config.total_steps = 2
  config.warm_up_steps = 0
  config.video.model.width = 16
  config.video.model.attention_width = 8
  config.video.model.classifier_width = 4
  config.snippet.model.width = 16
  config.snippet.model.local_head_width = 4
  config.snippet.model.num_blocks = 1
  config.snippet.model.global_head_width = 8
  config.snippet.model.feed_forward_width = 16
  config.snippet.model.classifier_width = 4
  config.snippet.model.max_snippets = 64
  return config
"""


def options():
  """Sizes of the reference, as CONFIG has them."""
  from tests.parity import torch_reference

  return torch_reference.Options(
    feature_width=16,
    width=16,
    attention_width=8,
    classifier_width=4,
    local_heads=2,
    local_head_width=4,
    num_blocks=1,
    global_heads=2,
    global_head_width=8,
    feed_forward_width=16,
    max_snippets=64,
  )


def write_files(folder):
  """Writes config.py, v.pkl and s.pkl; returns the reference. Needs torch."""
  import torch

  from tests.parity import torch_reference

  torch.manual_seed(0)
  reference = torch_reference.Reference(options())
  torch.save(reference.video.state_dict(), folder / "v.pkl")
  torch.save(reference.snippet.state_dict(), folder / "s.pkl")
  (folder / "config.py").write_text(CONFIG)
  return reference


def from_torch(folder, *more, to="run", video="v.pkl", snippet="s.pkl"):
  return convert.main(
    [
      "from-torch",
      f"--video={folder / video}",
      f"--snippet={folder / snippet}",
      f"--to={folder / to}",
      f"--config={folder / 'config.py'}",
      f"--data_dir={folder / 'data'}",
      *more,
    ]
  )


def to_torch(folder, *more):
  return convert.main(
    [
      "to-torch",
      f"--checkpoint={folder / 'run'}",
      f"--video={folder / 'v2.pkl'}",
      f"--snippet={folder / 's2.pkl'}",
      *more,
    ]
  )
