"""ShanghaiTech: names, masks, preparation, errors."""

import re
import shutil

import numpy as np
import pytest

from tests import layouts
from tests.prepare.official_layouts import videos


def test_shanghaitech(shanghai):
  status, printed = shanghai.prepare()
  assert status == 0
  assert re.search(r"training videos, anomalous +2 +63\n", printed)
  assert re.search(r"test frames +240 +140112\n", printed)
  # 14 + 40 of 240 frames.
  assert re.search(r"share of them +22.50% +5.62%\n", printed)
  data = shanghai.open()
  ten = list(range(10))
  # A mask is extended with its last value, or cut; without one: normal.
  assert videos(data.test) == {
    "03_0031": ("Anomalous", 64, [(50, 64)], ten),
    "07_0008": (
      "Anomalous",
      80,
      [(10, 20), (30, 40), (50, 60), (70, 80)],
      ten,
    ),
    "12_149": ("Normal", 96, [], ten),
  }
  assert list(videos(data.train_anomalous)) == ["01_0014", "05_0018"]
  assert list(videos(data.train_normal)) == ["01_001", "02_002"]


def test_masks_of_training_videos_are_left_alone(shanghai):
  """The official masks are of the official test set, part of it trained on."""
  layouts.save(shanghai.annotations / "01_0014.npy", np.ones(96))
  status, printed = shanghai.prepare()
  assert status == 0
  assert "note: 1 masks of training videos, not used" in printed
  assert len(shanghai.open().train_anomalous) == 20


def test_shanghaitech_training_list(shanghai):
  training = shanghai.root / "train.list"
  assert shanghai.prepare("--list", training)[0] == 0
  assert len(shanghai.open().train_anomalous) == 20
  shutil.rmtree(shanghai.root / "data")
  text = training.read_text().replace("01_001_0.npy 0.0", "01_001_0.npy 1.0")
  training.write_text(text)
  report = shanghai.report("--list", training)
  assert "list-label: 1" in report
  assert "label '1.0', but 01_001_0.npy is of class Normal" in report


def spoil_shanghai(shanghai, what):
  masks = shanghai.annotations
  if what == "no_video":
    np.save(masks / "09_0057.npy", np.ones(4))
  elif what == "length":
    np.save(masks / "03_0031.npy", np.ones(97))
  elif what == "values":
    np.save(masks / "03_0031.npy", np.arange(64))
  elif what == "object":
    np.save(masks / "03_0031.npy", np.array([None]), allow_pickle=True)
  elif what == "no_masks":
    shutil.rmtree(masks)
    masks.mkdir()
  elif what == "folder":
    shutil.rmtree(shanghai.root / "test")
  elif what == "annotations":
    shutil.rmtree(masks)


SHANGHAI_FAULTS = {
  "no_video": "no-video: 1 .* 09_0057: is annotated, but has no feature file",
  "length": "frame-count: 1 .* 03_0031: 97 frames annotated, but 4 snippets",
  "values": r"unreadable: 1 .*03_0031.npy: values are 0, 1, 2 and 61 more",
  "object": "unreadable: 1 .*03_0031.npy: an object array",
  "no_masks": "masks: no mask found; --annotations must name the folder",
  "folder": "split-classes: 2 .* test: no normal video",
  "annotations": "masks: no such file or folder",
}


@pytest.mark.parametrize("what", SHANGHAI_FAULTS)
def test_faults_of_shanghaitech_are_found(shanghai, what):
  spoil_shanghai(shanghai, what)
  report = shanghai.report()
  assert re.search(SHANGHAI_FAULTS[what], report), report
