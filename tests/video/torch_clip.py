"""CLIP's image tower in PyTorch: a reference of our own, under public names.

The names are those of safetensors as the library transformers writes them.
"""

import torch
from torch import nn
from torch.nn import functional

from tests.video.clip_folder import SMALL

FULL = {
  **SMALL,
  "hidden_size": 768,
  "intermediate_size": 3072,
  "num_hidden_layers": 12,
  "num_attention_heads": 12,
  "image_size": 224,
  "projection_dim": 512,
}


class Attention(nn.Module):
  def __init__(self, width, heads):
    super().__init__()
    self.heads = heads
    self.q_proj = nn.Linear(width, width)
    self.k_proj = nn.Linear(width, width)
    self.v_proj = nn.Linear(width, width)
    self.out_proj = nn.Linear(width, width)

  def forward(self, x):
    def split(y):
      return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    q, k, v = map(split, (self.q_proj(x), self.k_proj(x), self.v_proj(x)))
    weights = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1)
    return self.out_proj((weights @ v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
  def __init__(self, config, exact):
    super().__init__()
    width, epsilon = config["hidden_size"], config["layer_norm_eps"]
    self.exact = exact
    self.layer_norm1 = nn.LayerNorm(width, epsilon)
    self.self_attn = Attention(width, config["num_attention_heads"])
    self.layer_norm2 = nn.LayerNorm(width, epsilon)
    self.mlp = nn.Module()
    self.mlp.fc1 = nn.Linear(width, config["intermediate_size"])
    self.mlp.fc2 = nn.Linear(config["intermediate_size"], width)

  def forward(self, x):
    x = x + self.self_attn(self.layer_norm1(x))
    y = self.mlp.fc1(self.layer_norm2(x))
    y = functional.gelu(y) if self.exact else y * torch.sigmoid(1.702 * y)
    return x + self.mlp.fc2(y)


class Clip(nn.Module):
  """CLIP; exact (GELU) and pre_norm make another network of it."""

  def __init__(self, config, *, exact=False, pre_norm=True):
    super().__init__()
    width, patch = config["hidden_size"], config["patch_size"]
    epsilon = config["layer_norm_eps"]
    self.pre_norm = pre_norm
    tower = self.vision_model = nn.Module()
    tower.embeddings = nn.Module()
    tower.embeddings.class_embedding = nn.Parameter(torch.zeros(width))
    tower.embeddings.patch_embedding = nn.Conv2d(
      3, width, patch, patch, bias=False
    )
    tokens = (config["image_size"] // patch) ** 2 + 1
    tower.embeddings.position_embedding = nn.Embedding(tokens, width)
    # So it is spelt.
    tower.pre_layrnorm = nn.LayerNorm(width, epsilon)
    tower.encoder = nn.Module()
    tower.encoder.layers = nn.ModuleList(
      Layer(config, exact) for _ in range(config["num_hidden_layers"])
    )
    tower.post_layernorm = nn.LayerNorm(width, epsilon)
    self.visual_projection = nn.Linear(
      width, config["projection_dim"], bias=False
    )

  def forward(self, images):
    """Features [b, d] of images [b, h, w, 3], normalised already."""
    tower = self.vision_model
    patches = tower.embeddings.patch_embedding(images.permute(0, 3, 1, 2))
    x = patches.flatten(2).mT
    first = tower.embeddings.class_embedding.expand(len(x), 1, -1)
    x = torch.cat([first, x], 1) + tower.embeddings.position_embedding.weight
    if self.pre_norm:
      x = tower.pre_layrnorm(x)
    for layer in tower.encoder.layers:
      x = layer(x)
    return self.visual_projection(tower.post_layernorm(x[:, 0]))


def random_clip(config=None, seed=0, **options):
  """Weights with which every part matters."""
  torch.manual_seed(seed)
  model = Clip(config or SMALL, **options).eval()
  for name, parameter in model.named_parameters():
    if "norm" in name or ("embedding" in name and parameter.ndim < 4):
      nn.init.normal_(parameter, float("norm" in name), 0.5)
    elif parameter.ndim == 1:
      nn.init.normal_(parameter, std=0.3)
    else:
      nn.init.normal_(parameter, std=1.5 / parameter[0].numel() ** 0.5)
  return model
