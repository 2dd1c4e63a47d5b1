"""A trained snippet branch as one program."""

import sys

import jax
import numpy as np
import pytest
from jax import export

from adplg_jax.data.normalize import Normalization
from adplg_jax.interop import exported
from adplg_jax.scoring.trained import TrainedScorer, load_scorer

pytest.importorskip("flatbuffers")


@pytest.fixture(scope="module")
def model(whole):
  return load_scorer(whole).model


def call(path, features):
  program = export.deserialize(path.read_bytes())
  length = np.int32(features.shape[1])
  return np.asarray(jax.jit(program.call)(features, length))


def features(snippets, crops=2):
  rng = np.random.default_rng(snippets)
  return rng.normal(1, 2, size=(crops, snippets, 16)).astype(np.float32)


def test_features_are_normalised_inside(model, tmp_path):
  rng = np.random.default_rng(0)
  offset, scale = rng.uniform(1, 2, (2, 16)).astype(np.float32)
  model = model._replace(
    normalization=Normalization("standardize", offset, scale)
  )
  path = tmp_path / "model"
  facts = exported.write_program(path, model, "jax", {})
  assert facts["normalization"] == "standardize"
  video = features(20)
  want = TrainedScorer(model).score_crops(video).scores
  np.testing.assert_allclose(call(path, video), want, atol=1e-6)


def test_padding_changes_nothing(model, tmp_path):
  exported.write_program(tmp_path / "model", model, "jax", {})
  video = features(20)
  padded = np.concatenate([video, np.full((2, 44, 16), 9, np.float32)], axis=1)
  program = export.deserialize((tmp_path / "model").read_bytes())
  found = np.asarray(jax.jit(program.call)(padded, np.int32(20)))[:20]
  want = TrainedScorer(model).score_crops(video).scores
  np.testing.assert_allclose(found, want, atol=1e-6)


@pytest.mark.parametrize("fixed", [False, True])
def test_both_presets(model, tmp_path, fixed):
  config = model.config.copy_and_resolve_references()
  config.switches.mask_padded_keys = fixed
  config.switches.rotary_query_shift = not fixed
  model = model._replace(config=config)
  exported.write_program(tmp_path / "model", model, "jax", {})
  for snippets in (13, 131):
    video = features(snippets)
    want = TrainedScorer(model).score_crops(video).scores
    found = call(tmp_path / "model", video)
    np.testing.assert_allclose(found, want, atol=1e-6)


def test_a_missing_package_is_named(model, tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "flatbuffers", None)
  for name in list(sys.modules):
    if name.startswith("jax._src.export.serialization"):
      monkeypatch.delitem(sys.modules, name)
  with pytest.raises(exported.MissingPackageError, match="pip install flatb"):
    exported.write_program(tmp_path / "model", model, "jax", {})
  assert not (tmp_path / "model").exists()
