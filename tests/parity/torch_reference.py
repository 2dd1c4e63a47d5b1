"""The method in PyTorch, in the manner of the authors' program.

What the package is held against: eager, N x N attention with its diagonal
taken, local attention by windows that look around, the memory in a dict.
Parameters have the authors' names, including those they never use. Source:
docs/method.md, sections 2 to 5 and 7.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Parameters that the authors' program builds and never uses.
UNUSED = re.compile(r"norm\.|LSA\d+\.(token_emb\.|layers\.0\.1\.)")


@dataclasses.dataclass(frozen=True)
class Options:
  """Widths and settings of a run; the paper's for UCF-Crime by default."""

  feature_width: int = 1024
  width: int = 1024
  attention_width: int = 512
  classifier_width: int = 32
  windows: Sequence[int] = (2, 4, 6, 8)
  local_heads: int = 8
  local_head_width: int = 64
  num_blocks: int = 2
  global_heads: int = 4
  global_head_width: int = 256
  feed_forward_width: int = 1024
  max_snippets: int = 6750
  dropout: float = 0.7
  block_dropout: float = 0.5
  warm_up: int = 1000
  video_learning_rate: float = 1e-4
  snippet_learning_rate: float = 1e-3
  weight_decay: float = 0.005
  decay_factor: float = 0.9
  decay_every: int = 4000
  history_length: int = 3
  mean_threshold: float = 0.25
  variance_threshold: float = 0.4
  video_classification: float = 1.0
  separation: float = 1.0
  dissimilarity: float = 1.0
  smoothness: float = 1.0
  sparsity: float = 1.0
  snippet_classification: float = 1.0


def _classifier(width: int, options: Options) -> nn.Sequential:
  """Scores; the only weights that start Xavier normal."""
  classifier = nn.Sequential(
    nn.Linear(width, options.classifier_width),
    nn.ReLU(),
    nn.Dropout(options.dropout),
    nn.Linear(options.classifier_width, 1),
    nn.Sigmoid(),
  )
  for layer in (classifier[0], classifier[3]):
    nn.init.xavier_normal_(layer.weight)
  return classifier


def _modal_fusion(options: Options) -> nn.Module:
  """Brings features of another width to the model's."""
  if options.feature_width == options.width:
    return nn.Identity()
  return nn.Sequential(nn.Linear(options.feature_width, options.width))


class SnippetsFuse(nn.Module):
  """Diagonal attention between two sets of videos, and their fusion."""

  def __init__(self, width: int, attention_width: int):
    super().__init__()
    self.q, self.k, self.v = (
      nn.Conv1d(width, attention_width, 1) for _ in range(3)
    )

  def forward(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Attention [b, n] and fused values [b, a] of features [b, n, d]."""
    q, k, v = self.q(queries.mT), self.k(keys.mT), self.v(keys.mT)
    scores = q.mT @ k / q.shape[1] ** 0.5
    attention = scores.diagonal(dim1=1, dim2=2).softmax(-1)
    return attention, (attention[:, None] * v).sum(-1)


class VideoBranch(nn.Module):
  """VSSF and the video classifier."""

  def __init__(self, options: Options):
    super().__init__()
    self.modal_fusion = _modal_fusion(options)
    self.Snippts_Fuse = SnippetsFuse(options.width, options.attention_width)
    self.classifier_v = _classifier(options.attention_width, options)

  def forward(self, normal: Tensor, anomalous: Tensor) -> dict[str, Tensor]:
    """All outputs, by the names of the golden file."""
    normal = self.modal_fusion(normal)
    anomalous = self.modal_fusion(anomalous)
    a_att, a_feats = self.Snippts_Fuse(anomalous, anomalous)
    a_n_att, a_n_feats = self.Snippts_Fuse(normal, anomalous)
    _, n_feats = self.Snippts_Fuse(normal, normal)
    fused = torch.cat([n_feats, a_feats])
    return {
      "scores_v": self.classifier_v(fused),
      "a_att": a_att,
      "a_n_att": a_n_att,
      "a_att_norm": min_max(a_att),
      "a_n_att_norm": min_max(a_n_att),
      "fused": fused,
      "a_feats": a_feats,
      "a_n_feats": a_n_feats,
      "n_feats": n_feats,
    }


class _Rotary(nn.Module):
  def __init__(self, width: int):
    super().__init__()
    exponent = torch.arange(0, width, 2).float() / width
    self.register_buffer("inv_freq", 1 / 10000**exponent)

  def forward(self, x: Tensor, places: Tensor) -> Tensor:
    angles = torch.outer(places.to(self.inv_freq), self.inv_freq)
    angles = torch.cat([angles, angles], dim=-1)
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat([-second, first], dim=-1)
    return x * angles.cos() + turned * angles.sin()


class LocalAttention(nn.Module):
  """Each window's queries on the keys of the windows before, own and after."""

  def __init__(self, window: int, head_width: int):
    super().__init__()
    self.window = window
    self.rel_pos = _Rotary(head_width)

  def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attends; everything is [b, h, t, e]."""
    t, window = q.shape[2], self.window
    q, k, v = (
      F.pad(x, (0, 0, 0, -t % window)).unflatten(2, (-1, window))
      for x in (q, k, v)
    )
    place = torch.arange(q.shape[2] * window).view(1, 1, -1, window, 1)
    key_place = _look_around(place, -1)
    key_place, query_place = key_place.mT, place
    hidden = (key_place == -1) | ((query_place - key_place).abs() > window)
    places = torch.arange(3 * window)
    q = self.rel_pos(q * q.shape[-1] ** -0.5, places[-window:])
    k = self.rel_pos(_look_around(k, 0), places)
    scores = (q @ k.mT).masked_fill(hidden, -torch.finfo(q.dtype).max)
    out = scores.softmax(-1) @ _look_around(v, 0)
    return out.flatten(2, 3)[:, :, :t]


def _look_around(x: Tensor, outside: int) -> Tensor:
  """Windows [b, h, m, w, e] with their neighbours, [b, h, m, 3w, e]."""
  m = x.shape[2]
  x = F.pad(x, (0, 0, 0, 0, 1, 1), value=outside)
  return torch.cat([x[:, :, i : m + i] for i in range(3)], dim=3)


def _split_heads(x: Tensor, heads: int) -> list[Tensor]:
  """Query, key, value [b, h, t, e] of a joint projection [b, t, 3he]."""
  return [
    part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in x.chunk(3, -1)
  ]


class _LocalHeads(nn.Module):
  def __init__(self, window: int, options: Options):
    super().__init__()
    inner = options.local_heads * options.local_head_width
    self.heads = options.local_heads
    self.norm = nn.LayerNorm(options.width)
    self.to_qkv = nn.Linear(options.width, 3 * inner, bias=False)
    self.attn_fn = LocalAttention(window, options.local_head_width)
    self.to_out = nn.Linear(inner, options.width, bias=False)

  def forward(self, x: Tensor) -> Tensor:
    x = self.attn_fn(*_split_heads(self.to_qkv(self.norm(x)), self.heads))
    return self.to_out(x.transpose(1, 2).flatten(2))


def _unused_feed_forward(width: int) -> nn.Sequential:
  """The feed-forward part that the authors' program never calls."""
  inner = width * 4 * 2 // 3
  return nn.Sequential(
    nn.LayerNorm(width),
    nn.Linear(width, 2 * inner, bias=False),
    nn.GLU(),
    nn.Dropout(0.0),
    nn.Linear(inner, width, bias=False),
  )


class LocalBlock(nn.Module):
  """One temporal scale."""

  def __init__(self, window: int, options: Options):
    super().__init__()
    width = options.width
    self.token_emb = nn.Embedding(256, width)
    self.pos_emb = nn.Embedding(options.max_snippets, width)
    layer = [_LocalHeads(window, options), _unused_feed_forward(width)]
    self.layers = nn.ModuleList([nn.ModuleList(layer)])
    self.to_logits = nn.Sequential(
      nn.LayerNorm(width),
      nn.Linear(width, width // len(options.windows), bias=False),
    )

  def forward(self, x: Tensor) -> Tensor:
    """[b, t, width] to [b, t, width / number of windows]."""
    x = x + self.pos_emb(torch.arange(x.shape[1]))
    return self.to_logits(x + self.layers[0][0](x))


class _Attention(nn.Module):
  def __init__(self, options: Options):
    super().__init__()
    inner = options.global_heads * options.global_head_width
    self.heads = options.global_heads
    self.to_qkv = nn.Linear(options.width, 3 * inner, bias=False)
    self.to_out = nn.Sequential(
      nn.Linear(inner, options.width), nn.Dropout(options.block_dropout)
    )

  def forward(self, x: Tensor) -> Tensor:
    q, k, v = _split_heads(self.to_qkv(x), self.heads)
    x = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v
    return self.to_out(x.transpose(1, 2).flatten(2))


class _FeedForward(nn.Module):
  def __init__(self, options: Options):
    super().__init__()
    self.net = nn.Sequential(
      nn.Linear(options.width, options.feed_forward_width),
      nn.GELU(),
      nn.Dropout(options.block_dropout),
      nn.Linear(options.feed_forward_width, options.width),
      nn.Dropout(options.block_dropout),
    )

  def forward(self, x: Tensor) -> Tensor:
    return self.net(x)


class _PreNorm(nn.Module):
  def __init__(self, width: int, fn: nn.Module):
    super().__init__()
    self.norm = nn.LayerNorm(width)
    self.fn = fn

  def forward(self, x: Tensor) -> Tensor:
    return x + self.fn(self.norm(x))


class Transformer(nn.Module):
  """Pre-norm blocks over all snippets of a video."""

  def __init__(self, options: Options):
    super().__init__()
    self.layers = nn.ModuleList(
      nn.ModuleList(
        _PreNorm(options.width, fn)
        for fn in (_Attention(options), _FeedForward(options))
      )
      for _ in range(options.num_blocks)
    )

  def forward(self, x: Tensor) -> Tensor:
    """[b, t, width] to the same."""
    for layer in self.layers:
      for part in layer:
        x = part(x)
    return x


class _Embedding(nn.Module):
  def __init__(self, width: int):
    super().__init__()
    self.conv_1 = nn.Sequential(nn.Conv1d(width, width, 3, padding=1))

  def forward(self, x: Tensor) -> Tensor:
    return self.conv_1(x.mT).relu().mT


class SnippetBranch(nn.Module):
  """Multi-scale temporal feature interaction and the snippet classifier."""

  def __init__(self, options: Options):
    super().__init__()
    self.modal_fusion = _modal_fusion(options)
    self.classifier_s = _classifier(options.width, options)
    self.vars_s = nn.ParameterList(self.classifier_s.parameters())
    self.embedding = _Embedding(options.width)
    for number, window in enumerate(options.windows, 1):
      self.add_module(f"LSA{number}", LocalBlock(window, options))
    self.scales = len(options.windows)
    self.selfatt = Transformer(options)
    self.norm = nn.LayerNorm(options.width)

  def forward(self, x: Tensor) -> Tensor:
    """Scores [b, t] of features [b, t, d], no padding among them."""
    x = self.embedding(self.modal_fusion(x))
    scales = range(1, self.scales + 1)
    x = torch.cat([getattr(self, f"LSA{i}")(x) for i in scales], dim=-1)
    return self.classifier_s(self.selfatt(x))[..., 0]


def min_max(x: Tensor) -> Tensor:
  """Min-max normalisation over the last axis."""
  low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
  return (x - low) / (high - low + 1e-8)


def video_losses(output: dict[str, Tensor]) -> dict[str, Tensor]:
  """Every loss of the video branch, unweighted, by the package's names."""
  a_att, scores = output["a_att"], output["scores_v"]
  pairs = len(a_att)
  targets = torch.zeros_like(scores)
  targets[pairs:] = 1
  shifted = torch.cat([a_att[1:], a_att[-1:]])
  cosine = F.cosine_similarity(a_att, output["a_n_att"], dim=-1, eps=1e-6)
  return {
    "video_classification": F.binary_cross_entropy(scores, targets),
    "separation": F.triplet_margin_loss(
      output["n_feats"], output["a_n_feats"], output["a_feats"]
    ),
    "dissimilarity": cosine.sum() / pairs,
    "smoothness": (shifted - a_att).square().sum(),
    "sparsity": a_att.norm(dim=0).mean(),
  }


def snippet_loss(scores: Tensor, labels: Tensor, hard: Tensor) -> Tensor:
  """Mean over the snippets that count; 0 when none does."""
  losses = F.binary_cross_entropy(scores, labels, reduction="none")
  counted = losses[~hard & (losses != 0)]
  return counted.mean() if len(counted) else 0 * losses.sum()


class Memory:
  """The last raw pseudo-labels of each key, handled item by item.

  Attributes:
    history: {key: list of [n], oldest first}.
  """

  def __init__(self, options: Options):
    self.history: dict[int, list[Tensor]] = {}
    self._options = options

  def update(self, keys: Sequence[int], raw: Tensor) -> tuple[Tensor, Tensor]:
    """Appends a batch; its labels and which snippets are hard, [b, n]."""
    made = [
      self._one(int(key), row) for key, row in zip(keys, raw, strict=True)
    ]
    labels, hard = zip(*made, strict=True)
    return torch.stack(labels), torch.stack(hard)

  def _one(self, key: int, raw: Tensor) -> tuple[Tensor, Tensor]:
    entries = self.history.setdefault(key, [])
    entries.append(raw)
    if len(entries) <= self._options.history_length:
      return raw, torch.zeros_like(raw, dtype=torch.bool)
    del entries[0]
    stack = torch.stack(entries)
    high = min_max(stack.mean(0)) >= self._options.mean_threshold
    hard = min_max(stack.var(0)) > self._options.variance_threshold
    return high.to(raw), hard


class Reference:
  """A training run.

  Attributes:
    video: The video branch.
    snippet: The snippet branch.
    video_optimizer: Adam with L2.
    snippet_optimizer: Likewise.
    memory: Raw pseudo-labels.
    steps: Steps done.
  """

  def __init__(self, options: Options, dtype: torch.dtype = torch.float32):
    self.options = options
    self.dtype = dtype
    self.video = VideoBranch(options).to(dtype)
    self.snippet = SnippetBranch(options).to(dtype)
    self.video_optimizer = torch.optim.Adam(
      self.video.parameters(),
      lr=options.video_learning_rate,
      weight_decay=options.weight_decay,
    )
    self.snippet_optimizer = torch.optim.Adam(
      self.snippet.parameters(),
      lr=options.snippet_learning_rate,
      weight_decay=options.weight_decay,
    )
    self._schedule = torch.optim.lr_scheduler.StepLR(
      self.snippet_optimizer, options.decay_every, options.decay_factor
    )
    self.memory = Memory(options)
    self.steps = 0

  def step(self, normal: Any, anomalous: Any, keys: Any) -> dict[str, Any]:
    """One step on pairs of videos [b, n, d].

    Args:
      normal: Features of the normal videos.
      anomalous: Features of the anomalous videos.
      keys: Memory key of each anomalous video.

    Returns:
      Each loss and "video_branch", their weighted sum, as numbers; "labels"
      and "hard" [b, n].
    """
    self.steps += 1
    normal, anomalous = (
      torch.as_tensor(x, dtype=self.dtype) for x in (normal, anomalous)
    )
    output = self.video(normal, anomalous)
    losses = video_losses(output)
    total = sum(getattr(self.options, n) * v for n, v in losses.items())
    _update(self.video_optimizer, total)
    losses["video_branch"] = total
    labels, hard = self.memory.update(keys, output["a_att_norm"].detach())
    losses["snippet_classification"] = torch.zeros(())
    if self.steps > self.options.warm_up:
      loss = self.snippet_step(normal, anomalous, labels, hard)
      losses["snippet_classification"] = loss
    numbers = {name: value.item() for name, value in losses.items()}
    return numbers | {"labels": labels, "hard": hard}

  def snippet_step(
    self, normal: Tensor, anomalous: Tensor, labels: Tensor, hard: Tensor
  ) -> Tensor:
    """Update of the snippet branch; its loss before the update."""
    scores = self.snippet(torch.cat([normal, anomalous]))
    labels = torch.cat([torch.zeros_like(labels), labels])
    loss = snippet_loss(
      scores, labels, torch.cat([torch.zeros_like(hard), hard])
    )
    weighted = self.options.snippet_classification * loss
    _update(self.snippet_optimizer, weighted)
    self._schedule.step()
    return loss


def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
  optimizer.zero_grad()
  loss.backward()
  optimizer.step()
