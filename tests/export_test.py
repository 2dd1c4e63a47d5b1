"""The command `export`."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from adplg_jax import export
from adplg_jax.scoring.trained import load_scorer

pytest.importorskip("flatbuffers")

# Stands for a machine that has JAX and not this package.
SERVE = """
import hashlib, json, sys
from pathlib import Path
import numpy as np

class Blocker:
  def find_spec(self, name, path=None, target=None):
    if name.split(".")[0] in ("adplg_jax", "flax", "orbax", "ml_collections"):
      raise ImportError(name)

sys.meta_path.insert(0, Blocker())
from jax import export
file, inputs, outputs = map(Path, sys.argv[1:])
content = file.read_bytes()
facts = json.loads(Path(f"{file}.json").read_text())
assert hashlib.sha256(content).hexdigest() == facts["sha256"]
score = export.deserialize(content).call
with np.load(inputs) as given:
  found = {
    name: np.asarray(score(given[name], np.int32(name.split("_")[1])))
    for name in given
  }
np.savez(outputs, **found)
"""


# Crops, snippets, and how many of these are no padding.
SIZES = [(1, 1, 1), (2, 7, 7), (3, 129, 129), (1, 160, 160), (2, 64, 13)]


def test_the_file_scores_as_the_run_does_with_jax_alone(
  whole, tmp_path, capsys
):
  file = tmp_path / "out/model.jax"
  assert export.main(["--workdir", str(whole), "--to", str(file)]) == 0
  assert "features [crops, up to 160 snippets, 16 channels]" in (
    capsys.readouterr().out
  )
  rng = np.random.default_rng(0)
  videos = {
    f"{number}_{length}": rng.normal(size=(crops, rows, 16)).astype(np.float32)
    for number, (crops, rows, length) in enumerate(SIZES)
  }
  np.savez(tmp_path / "in.npz", **videos)
  subprocess.run(
    [sys.executable, "-c", SERVE, file, tmp_path / "in.npz",
     tmp_path / "out.npz"],
    check=True, cwd=tmp_path,
  )  # fmt: skip
  scorer = load_scorer(whole)
  with np.load(tmp_path / "out.npz") as found:
    for name, features in videos.items():
      length = int(name.split("_")[1])
      want = scorer.score(features[:, :length].transpose(1, 0, 2))
      np.testing.assert_allclose(found[name][:length], want, atol=1e-6)
      assert found[name].shape == features.shape[1:2]


# Stands for a machine that has neither JAX nor this package.
SERVE_ONNX = """
import json, sys
from pathlib import Path
import numpy as np

class Blocker:
  def find_spec(self, name, path=None, target=None):
    if name.split(".")[0] in ("adplg_jax", "jax", "flax", "onnx"):
      raise ImportError(name)

sys.meta_path.insert(0, Blocker())
import onnxruntime
file, inputs, outputs = sys.argv[1:]
session = onnxruntime.InferenceSession(
  file, providers=["CPUExecutionProvider"]
)
assert json.loads(Path(f"{file}.json").read_text())["format"] == "onnx"
with np.load(inputs) as given:
  found = {
    name: session.run(None, {"features": given[name]})[0] for name in given
  }
np.savez(outputs, **found)
"""


def test_the_onnx_file_scores_as_the_run_does_without_jax(whole, tmp_path):
  pytest.importorskip("onnx")
  pytest.importorskip("onnxruntime")
  file = tmp_path / "model.onnx"
  arguments = ["--workdir", str(whole), "--to", str(file), "--format", "onnx"]
  assert export.main(arguments) == 0
  rng = np.random.default_rng(0)
  videos = {
    str(snippets): rng.normal(size=(crops, snippets, 16)).astype(np.float32)
    for crops, snippets, _ in SIZES
  }
  np.savez(tmp_path / "in.npz", **videos)
  subprocess.run(
    [sys.executable, "-c", SERVE_ONNX, file, tmp_path / "in.npz",
     tmp_path / "out.npz"],
    check=True, cwd=tmp_path,
  )  # fmt: skip
  scorer = load_scorer(whole)
  with np.load(tmp_path / "out.npz") as found:
    for name, features in videos.items():
      want = scorer.score(features.transpose(1, 0, 2))
      np.testing.assert_allclose(found[name], want, atol=1e-5)


def test_what_is_written_beside_the_file(whole, tmp_path):
  file = tmp_path / "model.jax"
  assert export.main(["--workdir", str(whole), "--to", str(file)]) == 0
  facts = json.loads((tmp_path / "model.jax.json").read_text())
  scorer = load_scorer(whole)
  results = json.loads((whole / "results/selected/metrics.json").read_text())
  best = results["best_f1"]
  assert facts["threshold"]["value"] == best["threshold"]
  assert "test split of synthetic/tiny" in facts["threshold"]["origin"]
  assert (facts["feature_width"], facts["longest"]) == (16, 160)
  assert facts["platforms"] == ["cpu", "cuda", "tpu"]
  assert facts["fingerprint"] == scorer.fingerprint()
  assert facts["step"] == scorer.model.step
  assert facts["feature_kind"] == "" and facts["frames_per_snippet"] == 16
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    "model.jax", "model.jax.json",
  ]  # fmt: skip


def test_a_checkpoint_without_its_run_has_no_threshold(whole, tmp_path):
  moved = shutil.copytree(whole / "checkpoints", tmp_path / "checkpoints")
  file = tmp_path / "model.jax"
  assert export.main(["--workdir", str(moved / "4"), "--to", str(file)]) == 0
  facts = json.loads((tmp_path / "model.jax.json").read_text())
  assert facts["threshold"] is None and facts["step"] == 4


def test_what_cannot_be_is_said(whole, tmp_path, capsys):
  file = str(tmp_path / "model")
  assert export.main(["--workdir", str(tmp_path), "--to", file]) == 1
  assert "not the workdir of a run" in capsys.readouterr().err
  arguments = ["--workdir", str(whole), "--checkpoint", "5", "--to", file]
  assert export.main(arguments) == 1
  assert "allowed: best, last, or one of" in capsys.readouterr().err
  (tmp_path / "file").write_text("")
  arguments = ["--workdir", str(whole), "--to", str(tmp_path / "file/model")]
  assert export.main(arguments) == 1
  assert "Traceback" not in capsys.readouterr().err
