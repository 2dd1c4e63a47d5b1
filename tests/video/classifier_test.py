"""What snippets look like to the classifier of Kinetics-400."""

import numpy as np
import pytest

from adplg_jax.video.classifier import Classifier, classifier_of
from adplg_jax.video.kinetics import CLASSES


def variables(classes=400):
  layer = {"kernel": np.eye(8, classes), "bias": np.zeros(classes)}
  return {"params": {"Logits": layer}}


def test_the_most_likely_classes_with_their_probabilities():
  rng = np.random.default_rng(0)
  own = Classifier(rng.normal(size=(8, 400)), rng.normal(size=400))
  features = rng.normal(size=(2, 3, 8))
  found = own.likely(features)
  assert len(found) == 3
  logits = np.exp(features @ own.kernel + own.bias)
  shares = (logits / logits.sum(-1, keepdims=True)).mean(0)
  for named, row in zip(found, shares, strict=True):
    best = np.sort(row)[::-1][:3]
    np.testing.assert_allclose([share for _, share in named], best)
    assert [name for name, _ in named] == [
      CLASSES[int(np.flatnonzero(row == share)[0])] for share in best
    ]


def test_large_logits_have_probabilities():
  own = Classifier(np.eye(8, 400) * 1e4, np.zeros(400))
  ((first, *_),) = own.likely(np.eye(8)[None, 2:3])
  assert first == (CLASSES[2], 1.0)


@pytest.mark.parametrize(("classes", "has_logits"), [(400, False), (101, True)])
def test_without_logits_of_these_classes_there_is_none(classes, has_logits):
  assert classifier_of(variables(classes), has_logits=has_logits) is None
  assert classifier_of(variables(), has_logits=True) is not None
