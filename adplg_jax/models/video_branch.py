"""Video branch: video snippet separation and fusion (VSSF), video classifier.

Source: docs/method.md, section 2.
"""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from adplg_jax.models.attention import diagonal_attention, valid_rows
from adplg_jax.models.layers import Classifier, Dtype, linear


class VideoBranchOutput(NamedTuple):
  """What the video branch makes of b pairs of a normal and an anomalous video.

  Attributes:
    anomalous_attention: Self attention of the anomalous videos.
    cross_attention: Attention of the normal queries on the anomalous keys; None
      in a branch without it.
    normal_fused: Normal videos fused by their self attention.
    cross_fused: The "normal look" at the anomalous videos; None likewise.
    anomalous_fused: Anomalous videos fused by their self attention.
    normal_logits: Video logits of the normal videos.
    anomalous_logits: Video logits of the anomalous videos.
  """

  anomalous_attention: Float[Array, "b n"]
  cross_attention: Float[Array, "b n"] | None
  normal_fused: Float[Array, "b a"]
  cross_fused: Float[Array, "b a"] | None
  anomalous_fused: Float[Array, "b a"]
  normal_logits: Float[Array, "b"]
  anomalous_logits: Float[Array, "b"]


class VideoBranch(nn.Module):
  """Separates and fuses snippets by attention, and classifies the videos.

  Attributes:
    width: Feature width the branch works in; features of another width pass
      one Linear first.
    attention_width: Width A of queries, keys and values.
    classifier_width: Hidden width of the video classifier.
    dropout: Dropout rate in the classifier.
    cross_attention: Whether normal queries meet anomalous keys.
    dtype: Type of the computation.
    param_dtype: Type of the parameters.
  """

  width: int
  attention_width: int
  classifier_width: int
  dropout: float
  cross_attention: bool = True
  dtype: Dtype = jnp.float32
  param_dtype: Dtype = jnp.float32

  @nn.compact
  def __call__(
    self,
    normal: Float[Array, "b n d"],
    anomalous: Float[Array, "b n d"],
    normal_lengths: Int[Array, "b"],
    anomalous_lengths: Int[Array, "b"],
    *,
    train: bool = False,
  ) -> VideoBranchOutput:
    """Runs the branch on pairs: normal video i with anomalous video i.

    Args:
      normal: Segments of normal videos.
      anomalous: Segments of anomalous videos.
      normal_lengths: Segments that are not padding, each.
      anomalous_lengths: Likewise.
      train: Whether dropout acts; it draws from the stream "dropout".

    Returns:
      Attentions, fused features and logits.
    """
    types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
    query, key, value = (
      linear(self.width, self.attention_width, name=name, **types)
      for name in ("query", "key", "value")
    )
    classifier = Classifier(
      self.classifier_width, self.dropout, name="classifier", **types
    )
    if normal.shape[-1] != self.width:
      project = linear(normal.shape[-1], self.width, name="input", **types)
      normal, anomalous = project(normal), project(anomalous)
    normal_valid = valid_rows(normal_lengths, normal.shape[1])
    anomalous_valid = valid_rows(anomalous_lengths, anomalous.shape[1])

    normal_query, anomalous_key = query(normal), key(anomalous)
    normal_attention = diagonal_attention(
      normal_query, key(normal), normal_valid
    )
    anomalous_attention = diagonal_attention(
      query(anomalous), anomalous_key, anomalous_valid
    )
    anomalous_value = value(anomalous)
    cross_attention = cross_fused = None
    if self.cross_attention:
      cross_attention = diagonal_attention(
        normal_query, anomalous_key, normal_valid & anomalous_valid
      )
      cross_fused = _fuse(cross_attention, anomalous_value)
    normal_fused = _fuse(normal_attention, value(normal))
    anomalous_fused = _fuse(anomalous_attention, anomalous_value)
    return VideoBranchOutput(
      anomalous_attention=anomalous_attention,
      cross_attention=cross_attention,
      normal_fused=normal_fused,
      cross_fused=cross_fused,
      anomalous_fused=anomalous_fused,
      normal_logits=classifier(normal_fused, train=train),
      anomalous_logits=classifier(anomalous_fused, train=train),
    )


def _fuse(
  attention: Float[Array, "b n"], value: Float[Array, "b n a"]
) -> Float[Array, "b a"]:
  """Sums a video's values by their attention, in the attention's type."""
  return jnp.einsum("bn,bna->ba", attention, value.astype(attention.dtype))
