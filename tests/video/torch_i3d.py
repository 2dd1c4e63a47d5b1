"""I3D in PyTorch: a reference of our own, with the names of the first port."""

import torch
from torch import nn
from torch.nn import functional

MIXED = {
  "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
  "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
  "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
  "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
  "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
  "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
  "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
  "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
  "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}


def same(x, window, strides, symmetric=False):
  """Zeros before and after time, height and width, as TensorFlow has them."""
  if symmetric:
    return [(k // 2, k // 2) for k in window]
  pads = []
  for n, k, s in zip(x.shape[2:], window, strides, strict=True):
    total = max(k - s, 0) if n % s == 0 else max(k - n % s, 0)
    pads.append((total // 2, total - total // 2))
  return pads


def pad(x, pads):
  return functional.pad(x, [n for low_high in reversed(pads) for n in low_high])


class Unit(nn.Module):
  def __init__(self, fan_in, fan_out, size=1, stride=1, options=None):
    super().__init__()
    self.options = options or {}
    self.window, self.strides = (size,) * 3, (stride,) * 3
    self.conv3d = nn.Conv3d(fan_in, fan_out, size, stride, bias=False)
    self.bn = nn.BatchNorm3d(fan_out, eps=self.options.get("epsilon", 1e-3))

  def forward(self, x):
    symmetric = self.options.get("symmetric", False)
    pads = same(x, self.window, self.strides, symmetric)
    if all(low == high for low, high in pads):
      # Without a padded copy.
      weight, low = self.conv3d.weight, [low for low, _ in pads]
      x = functional.conv3d(x, weight, stride=self.strides, padding=low)
    else:
      x = self.conv3d(pad(x, pads))
    return functional.relu(self.bn(x))


class MaxPool(nn.Module):
  def __init__(self, window, strides):
    super().__init__()
    self.window, self.strides = window, strides

  def forward(self, x):
    x = pad(x, same(x, self.window, self.strides))
    return functional.max_pool3d(x, self.window, self.strides)


class Mixed(nn.Module):
  def __init__(self, fan_in, channels, options):
    super().__init__()
    c0, c1a, c1b, c2a, c2b, c3b = channels
    self.b0 = Unit(fan_in, c0, options=options)
    self.b1a = Unit(fan_in, c1a, options=options)
    self.b1b = Unit(c1a, c1b, 3, options=options)
    self.b2a = Unit(fan_in, c2a, options=options)
    self.b2b = Unit(c2a, c2b, 3, options=options)
    self.b3a = MaxPool((3, 3, 3), (1, 1, 1))
    self.b3b = Unit(fan_in, c3b, options=options)

  def forward(self, x):
    branches = (
      self.b0(x),
      self.b1b(self.b1a(x)),
      self.b2b(self.b2a(x)),
      self.b3b(self.b3a(x)),
    )
    return torch.cat(branches, dim=1)


class I3D(nn.Module):
  """Options: epsilon, of every batch normalisation; symmetric, a padding."""

  def __init__(self, **options):
    super().__init__()
    mixed = {n: Mixed(*sizes, options) for n, sizes in MIXED.items()}
    layers = {
      "Conv3d_1a_7x7": Unit(3, 64, 7, 2, options),
      "MaxPool3d_2a_3x3": MaxPool((1, 3, 3), (1, 2, 2)),
      "Conv3d_2b_1x1": Unit(64, 64, options=options),
      "Conv3d_2c_3x3": Unit(64, 192, 3, options=options),
      "MaxPool3d_3a_3x3": MaxPool((1, 3, 3), (1, 2, 2)),
      "Mixed_3b": mixed["Mixed_3b"],
      "Mixed_3c": mixed["Mixed_3c"],
      "MaxPool3d_4a_3x3": MaxPool((3, 3, 3), (2, 2, 2)),
      **{n: m for n, m in mixed.items() if n.startswith("Mixed_4")},
      "MaxPool3d_5a_2x2": MaxPool((2, 2, 2), (2, 2, 2)),
      "Mixed_5b": mixed["Mixed_5b"],
      "Mixed_5c": mixed["Mixed_5c"],
    }
    self.points = tuple(layers)
    for name, layer in layers.items():
      self.add_module(name, layer)
    self.logits = nn.Module()
    self.logits.conv3d = nn.Conv3d(1024, 400, 1)

  def end_points(self, x):
    """Of clips [b, t, h, w, 3], each as [b, t, h, w, c]; names to arrays."""
    points, x = {}, x.permute(0, 4, 1, 2, 3)
    for name in self.points:
      x = self.get_submodule(name)(x)
      points[name] = x.permute(0, 2, 3, 4, 1)
    return points

  def forward(self, x):
    """Features [b, 1024] and logits [b, 400]."""
    x = self.end_points(x)["Mixed_5c"].permute(0, 4, 1, 2, 3)
    x = functional.avg_pool3d(x, (2, 7, 7), stride=1)
    logits = self.logits.conv3d(x)
    return x.mean((2, 3, 4)), logits.mean((2, 3, 4))


def random_i3d(seed=0, **options):
  """Weights of which outputs keep their scale, statistics that matter."""
  torch.manual_seed(seed)
  model = I3D(**options).eval()
  for module in model.modules():
    if isinstance(module, nn.Conv3d):
      nn.init.kaiming_normal_(module.weight)
    if isinstance(module, nn.BatchNorm3d):
      nn.init.normal_(module.bias, std=0.3)
      nn.init.normal_(module.running_mean, std=0.3)
      nn.init.uniform_(module.running_var, 0.5, 2)
  return model
