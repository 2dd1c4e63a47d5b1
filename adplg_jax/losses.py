"""The losses of the method, one pure function each.

Arrays alone. Source: docs/method.md, sections 2 (video branch) and 4 (snippet
branch). Gradients are finite everywhere, norms of zero included.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float


@jax.custom_jvp
def binary_cross_entropy(
  probabilities: Float[Array, "*b"], labels: Float[Array, "*b"]
) -> Float[Array, "*b"]:
  """Elementwise cross entropy of probabilities, as torch computes it.

  Value: -(y max(log s, -100) + (1 - y) max(log1p(-s), -100)); gradient for s:
  (s - y) / max(s (1 - s), 1e-12), so that a saturated snippet learns little or
  nothing. Labels get no gradient.
  """
  s, y = probabilities, labels
  log_s = jnp.maximum(jnp.log(s), -100)
  log_rest = jnp.maximum(jnp.log1p(-s), -100)
  return -(y * log_s + (1 - y) * log_rest)


@binary_cross_entropy.defjvp
def _binary_cross_entropy_jvp(primals, tangents):
  s, y = primals
  slope = (s - y) / jnp.maximum(s * (1 - s), 1e-12)
  return binary_cross_entropy(s, y), slope * tangents[0]


def logit_cross_entropy(
  logits: Float[Array, "*b"], labels: Float[Array, "*b"], *, bce: str
) -> Float[Array, "*b"]:
  """Elementwise cross entropy of logits.

  Args:
    logits: Logits.
    labels: Labels in [0, 1].
    bce: "probabilities" as in the authors' program, through the sigmoid;
      "logits" for the stable form.

  Returns:
    Losses.
  """
  if bce == "probabilities":
    return binary_cross_entropy(jax.nn.sigmoid(logits), labels)
  return optax.sigmoid_binary_cross_entropy(logits, labels)


def video_classification(
  normal_logits: Float[Array, "b"],
  anomalous_logits: Float[Array, "b"],
  *,
  bce: str,
) -> Float[Array, ""]:
  """Mean cross entropy of the 2b videos: normal 0, anomalous 1."""
  zeros = jnp.zeros_like(normal_logits)
  normal = logit_cross_entropy(normal_logits, zeros, bce=bce)
  anomalous = logit_cross_entropy(anomalous_logits, zeros + 1, bce=bce)
  return (normal.mean() + anomalous.mean()) / 2


def separation(
  normal: Float[Array, "b a"],
  cross: Float[Array, "b a"],
  anomalous: Float[Array, "b a"],
  *,
  margin: float = 1.0,
) -> Float[Array, ""]:
  """Compactness-separation: triplet margin loss on the fused features.

  Anchor: fused normal video; positive: the normal look at the anomalous video;
  negative: the fused anomalous video.
  """
  near = optax.safe_norm(normal - cross + 1e-6, 0.0, axis=-1)
  far = optax.safe_norm(normal - anomalous + 1e-6, 0.0, axis=-1)
  excess = near - far + margin
  return jnp.where(excess >= 0, excess, 0).mean()


def dissimilarity(
  attention: Float[Array, "b n"], cross_attention: Float[Array, "b n"]
) -> Float[Array, ""]:
  """Distributional dissimilarity: mean cosine of self and cross attention."""
  # The squares are clamped: norms are 1e-6 or more.
  cosine = optax.losses.cosine_similarity(
    attention, cross_attention, epsilon=1e-12
  )
  return cosine.mean()


def smoothness(
  attention: Float[Array, "b n"],
  valid: Bool[Array, "b n"],
  *,
  axis: str,
) -> Float[Array, ""]:
  """Sum of squared differences of the attention to its next neighbour.

  Args:
    attention: Self attention of the anomalous videos.
    valid: Snippets that are not padding; neighbours count where both are.
    axis: "batch": the neighbour is the next video, as in the authors'
      program; "time": the next snippet.

  Returns:
    The loss.
  """
  if axis == "time":
    attention, valid = attention.T, valid.T
  step = jnp.where(valid[1:] & valid[:-1], jnp.diff(attention, axis=0), 0)
  return jnp.square(step).sum()


def sparsity(
  attention: Float[Array, "b n"], valid: Bool[Array, "b n"]
) -> Float[Array, ""]:
  """Mean over the snippets of the attention's 2-norm along the batch.

  Snippets that are padding (attention 0) in all videos are left out.
  """
  snippets = valid.any(0).sum().astype(attention.dtype)
  return optax.safe_norm(attention, 0.0, axis=0).sum() / snippets


def snippet_classification(
  logits: Float[Array, "*b n"],
  labels: Float[Array, "*b n"],
  ignored: Bool[Array, "*b n"],
  *,
  bce: str,
  drop_zero_losses: bool,
) -> Float[Array, ""]:
  """Mean cross entropy of the snippets that count.

  Args:
    logits: Snippet logits.
    labels: Pseudo-labels, 0 for snippets of normal videos.
    ignored: Hard snippets and padding.
    bce: See `logit_cross_entropy`.
    drop_zero_losses: Leave out snippets whose loss is exactly 0, as the
      nan-mean of the authors' program does.

  Returns:
    The mean; 0 when nothing is left.
  """
  losses = logit_cross_entropy(logits, labels.astype(logits.dtype), bce=bce)
  counts = ~ignored
  if drop_zero_losses:
    counts &= losses != 0
  total = jnp.where(counts, losses, 0).sum()
  return total / jnp.maximum(counts.sum(), 1).astype(total.dtype)
