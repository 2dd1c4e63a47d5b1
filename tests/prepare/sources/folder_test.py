"""Feature files of one's own: from files to examples, names, summary."""

import numpy as np
import pytest

from tests import layouts


def test_folder_from_files_to_examples(mine):
  status, printed = mine.prepare()
  assert status == 0
  assert "train: 4 videos (2 anomalous), 4 crops, 30 snippets" in printed
  assert "test: 4 videos (2 anomalous), 4 crops, 22 snippets" in printed
  assert "\nprepared " in printed
  data = mine.open()
  assert [e["video"] for e in data.train_normal] == ["train00", "train01"]
  assert [e["video"] for e in data.test] == [
    "test00",
    "test01",
    "test10",
    "test11",
  ]
  np.testing.assert_array_equal(
    data.test[3]["features"], layouts.features("test11", 6)
  )
  assert data.test[3]["frames"] == 96


def test_unknown_spans_are_said(mine):
  mine.rows[-1]["spans"] = ""
  mine.write()
  status, printed = mine.prepare()
  assert status == 0
  assert "1 anomalous test videos have no spans: the video-level AUC" in printed
  assert [bool(e["has_spans"]) for e in mine.open().test] == [
    True,
    True,
    True,
    False,
  ]


@pytest.mark.parametrize("span_ends", ["exclusive", "inclusive"])
def test_spans_end_as_they_are_said_to(mine, span_ends):
  mine.rows[-1]["spans"] = "38-38 64-70"
  mine.write()
  if span_ends == "exclusive":
    assert "for frame 38 alone write 38-39" in mine.report()
    return
  assert mine.prepare("--span-ends", span_ends)[0] == 0
  last = mine.open().test[3]
  assert last["spans"].tolist() == [[38, 39], [64, 71]]
  assert last["exact_spans"]


@pytest.mark.parametrize("name", ["official", "fixed"])
def test_names_of_presets_are_refused(mine, name):
  status, printed = mine.prepare(name=name)
  assert status == 1
  assert f"--name is '{name}', which is a preset's name" in printed


def test_names_that_are_no_folders_are_refused(mine):
  status, printed = mine.prepare(name="../x")
  assert status == 1
  assert "--name is '../x'; allowed: letters, digits" in printed
