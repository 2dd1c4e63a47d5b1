"""Every command of the documents runs, in its order; slow."""

import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests import documents, layouts, layouts_table
from tests.parity import torch_reference
from tests.runs import ROOT, run_command
from tests.video import clip_folder
from tests.video.clips import write_video

pytestmark = pytest.mark.slow
# A run of two steps.
SHORT = (
  "--config.total_steps=2",
  "--config.warm_up_steps=1",
  "--config.batch_size=2",
)
# What stands for the words in capitals, where it is no folder of features.
WORDS = {"VIDEO": "clips/Fire/f0.mp4", "NAME": "mine"}
# Run by tests of their own.
ELSEWHERE = ("make ", "pip ", "python -m tests.parity.replay")


def write_clips(folder):
  """Five videos of two classes, of three snippets each."""
  rng = np.random.default_rng(0)
  for name in ("normal", "Fire"):
    for number in range(5):
      frames = rng.integers(0, 255, (48, 48, 64, 3)).astype(np.uint8)
      path = folder / name / f"{name[0].lower()}{number}.mp4"
      path.parent.mkdir(parents=True, exist_ok=True)
      write_video(path, frames, codec="mpeg4", pixels="yuv420p")


def write_state_dicts(folder):
  """Weights as the authors' program stores them; those of the snippets."""
  torch = pytest.importorskip("torch", reason="PyTorch is not installed")
  for name in ("VideoBranch", "SnippetBranch"):
    branch = getattr(torch_reference, name)(torch_reference.Options())
    torch.save(branch.state_dict(), folder / f"{name[0]}.pkl")
  return branch.state_dict()


@pytest.fixture
def place(tmp_path):
  """A folder that looks like a clone, with nothing prepared."""
  for name in ("configs", "tests", "docs", "launch"):
    (tmp_path / name).symlink_to(ROOT / name)
  return tmp_path


def run_document(document, place, **words):
  """Runs its commands; `words` stand for those in capitals."""
  done = 0
  for command in documents.commands(document):
    if command.needs or command.text.startswith(ELSEWHERE):
      continue
    text = command.text
    for word, real in {**WORDS, **words}.items():
      text = re.sub(rf"\b{word}\b", str(real), text)
    text = re.sub(r"\bpython\b", shlex.quote(sys.executable), text)
    if "adplg_jax.main" in text or "local.sh" in text:
      text = " ".join([text, *SHORT])
    run_command(
      *("bash", "-euo", "pipefail", "-c", text),
      cwd=place,
      TFDS_DATA_DIR=str(place / "data"),
      PYTHONPATH=str(ROOT),
      PYTHON=sys.executable,
      JAX_PLATFORMS="cpu",
    )
    done += 1
  assert done


def test_readme(place):
  annotations = layouts.ucf_crime(place / "ucf")
  write_clips(place / "clips")
  run_document("README.md", place, DIR="ucf", FILE=annotations)
  for name in ("mine", "ucf"):
    assert (place / "runs" / name / "report.png").exists(), name
  for name in ("first", "scores", "scored"):
    assert (place / name / "timelines.png").exists(), name
  assert (place / "runs/mine/report.html").exists()
  # The video with its scores.
  for name in ("first", "scores"):
    assert (place / name / "videos/f0.mp4").exists(), name


def test_extraction(place):
  torch = pytest.importorskip("torch", reason="PyTorch is not installed")
  from tests.video.torch_i3d import random_i3d

  write_clips(place / "clips")
  shutil.copytree(place / "clips/normal", place / "quiet")
  torch.save(random_i3d().state_dict(), place / "rgb_imagenet.pt")
  clip_folder.write(place / "clip-vit-base-patch16")
  run_document("docs/extraction.md", place)
  assert (place / "rare/timelines.png").exists()
  assert (place / "clip_features/manifest.csv").exists()


def test_datasets(place):
  annotations = layouts.ucf_crime(place / "ucf")
  run_document("docs/datasets.md", place, DIR="ucf", FILE=annotations)


@pytest.mark.parametrize("document", ["clusters", "ablations"])
def test_documents_of_a_prepared_data_set(place, document):
  annotations = layouts.ucf_crime(place / "ucf")
  run_command(
    *(sys.executable, "-m", "adplg_jax.prepare", "ucf_crime:i3d"),
    *("--features", place / "ucf", "--annotations", annotations),
    TFDS_DATA_DIR=str(place / "data"),
  )
  run_document(f"docs/{document}.md", place, DIR="runs/one")


def test_own_features(place):
  layouts_table.LAYOUTS[-1].write(place)
  layouts.write_manifest(place / "manifest.csv", layouts.folder(place))
  run_document("docs/own_features.md", place, DIR="x", OTHER="listed")


def test_configuration(place):
  run_document("docs/configuration.md", place)


def test_parity(place):
  torch = pytest.importorskip("torch", reason="PyTorch is not installed")
  before = write_state_dicts(place)
  (place / "S.pkl").rename(place / "before.pkl")
  shutil.copy(place / "before.pkl", place / "S.pkl")
  run_document("docs/parity.md", place, DIR="converted")
  after = torch.load(place / "S.pkl", weights_only=True)
  snippet = torch_reference.SnippetBranch(torch_reference.Options())
  snippet.load_state_dict(after, strict=True)
  for key, value in before.items():
    if not torch_reference.UNUSED.match(key):
      assert torch.equal(after[key], value), key


@pytest.mark.parametrize("document", ["report", "results"])
def test_documents_of_a_run(place, whole, document):
  shutil.copytree(whole, place / "runs/mine")
  run_document(f"docs/{document}.md", place)


def test_scoring_and_serving(place, whole, data_dir):
  shutil.copytree(whole, place / "runs/demo")
  rows = np.random.default_rng(0).random((40, 16)).astype(np.float32)
  layouts.save(place / "own/a.npy", rows)
  rows.tofile(place / "features.f32")
  np.savetxt(place / "features.txt", rows)
  run_document("docs/scoring.md", place, DIR="own")
  run_document("docs/serving.md", place)
  assert (place / "model.onnx").exists()


def test_every_document_with_commands_is_run_here():
  text = (ROOT / "tests/documents_test.py").read_text()
  for document in documents.documents():
    todo = [
      command
      for command in documents.commands(document)
      if not command.needs and not command.text.startswith(ELSEWHERE)
    ]
    name = document.removeprefix("docs/").removesuffix(".md")
    assert not todo or f'"{name}"' in text or f'"{document}"' in text, document


def test_dry_runs_of_make():
  for document in documents.documents():
    for command in documents.commands(document):
      if command.text.startswith("make "):
        subprocess.run(
          [*command.text.split(), "-n"], cwd=ROOT, check=True, stdout=-3
        )
