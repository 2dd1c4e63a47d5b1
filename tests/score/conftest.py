"""A run that was trained on videos, with a backbone that is a mean."""

import csv

import pytest

from adplg_jax import main
from adplg_jax.configs import folder as folder_config
from adplg_jax.extract import __main__ as extract
from adplg_jax.prepare import __main__ as prepare
from tests.runs import TINY
from tests.video.clips import ramp, write_video
from tests.video.stub import replace_weights


@pytest.fixture
def weights(monkeypatch):
  return replace_weights(monkeypatch)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
  """Folders of videos, extracted, prepared and trained on: a run."""
  root = tmp_path_factory.mktemp("videos")
  for index, name in enumerate(
    ("normal/a", "normal/b", "normal/c", "Fire/d", "Fire/e", "Fire/f")
  ):
    path = root / "clips" / f"{name}.mkv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, [ramp((7 * index + n) % 50) for n in range(64)])
  with pytest.MonkeyPatch.context() as patch:
    replace_weights(patch)
    call(extract.main, "--videos", root / "clips", "--out", root / "features")
  manifest = root / "features" / "manifest.csv"
  rows = list(csv.DictReader(manifest.read_text().splitlines()))
  with manifest.open("w") as file:
    writer = csv.DictWriter(file, rows[0].keys())
    writer.writeheader()
    for number, row in enumerate(rows):
      # The last of each class is to test.
      writer.writerow(row | {"split": "test" if number % 3 == 2 else "train"})
  call(
    *(prepare.main, "folder", "--name", "own", "--manifest", manifest),
    *("--data_dir", root / "data", "--segments", 8),
  )
  config = folder_config.get_config("own")
  changes = {
    **{k: v for k, v in TINY.items() if k != "data.variant"},
    "data_dir": str(root / "data"),
    "batch_size": 2,
    "total_steps": 2,
    "warm_up_steps": 1,
  }
  config.update_from_flattened_dict(changes)
  assert main.run(config, str(root / "run")) == 0
  return root


def call(command, *words, code=0):
  assert command([str(word) for word in words]) == code
