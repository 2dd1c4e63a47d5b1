"""The snippet branch as an ONNX graph, against the snippet branch."""

import jax
import numpy as np
import pytest

from adplg_jax.data.normalize import NONE, Normalization
from adplg_jax.interop.onnx_graph import make_graph
from adplg_jax.scoring.trained import TrainedScorer, load_scorer

ort = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def model(whole):
  return load_scorer(whole).model


def graph(model):
  switches = model.config.switches
  content = make_graph(
    model.config.snippet.model,
    jax.tree.map(np.asarray, model.params["snippet"]),
    model.normalization,
    mask_padded_keys=switches.mask_padded_keys,
    rotary_query_shift=switches.rotary_query_shift,
  )
  session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
  return lambda x: session.run(["scores"], {"features": x})[0]


def features(snippets, crops=2, width=16):
  rng = np.random.default_rng(snippets)
  return rng.normal(1, 2, size=(crops, snippets, width)).astype(np.float32)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
def test_scores_of_any_length_under_all_switches(model, masked, shifted):
  config = model.config.copy_and_resolve_references()
  config.switches.mask_padded_keys = masked
  config.switches.rotary_query_shift = shifted
  model = model._replace(config=config)
  score, scorer = graph(model), TrainedScorer(model)
  for snippets, crops in ((1, 1), (2, 3), (7, 2), (64, 1), (131, 2), (160, 1)):
    video = features(snippets, crops)
    want = scorer.score_crops(video).scores
    np.testing.assert_allclose(score(video), want, atol=1e-5)


def test_features_are_normalised_inside(model):
  rng = np.random.default_rng(0)
  offset, scale = rng.uniform(1, 2, (2, 16)).astype(np.float32)
  own = model._replace(
    normalization=Normalization("standardize", offset, scale)
  )
  video = features(20)
  want = TrainedScorer(own).score_crops(video).scores
  np.testing.assert_allclose(graph(own)(video), want, atol=1e-5)
  plain = graph(model._replace(normalization=NONE))(video)
  assert np.abs(plain - want).max() > 1e-4
