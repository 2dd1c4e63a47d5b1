"""Every layout that people have, from files to AUC; and their table."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from adplg_jax.data import store
from adplg_jax.prepare import __main__ as prepare
from adplg_jax.scoring import metrics, scorer
from tests import layouts_table
from tests.layouts_table import LAYOUTS


def auc(videos, score):
  """Frame AUC of the test videos when `score` gives each its scores."""
  scored = []
  for name, (snippets, spans) in videos["test"].items():
    truth = np.zeros(16 * snippets)
    for start, end in spans:
      truth[start:end] = 1
    scored.append((np.repeat(score(name, snippets), 16), truth))
  scores, truth = map(np.concatenate, zip(*scored, strict=True))
  return roc_auc_score(truth, scores)


@pytest.mark.parametrize("number", range(len(LAYOUTS)))
def test_a_layout_from_files_to_auc(tmp_path, monkeypatch, capsys, number):
  layout = LAYOUTS[number]
  root = tmp_path / "files"
  root.mkdir()
  layout.write(root)
  monkeypatch.chdir(root)
  folder = root / "x" if "--spans" in layout.command else root
  words = layout.command.replace("DIR", str(folder)).replace("NAME", "mine")
  arguments = ["--data_dir", str(tmp_path / "data"), "--segments", "4"]
  assert prepare.main([*words.split(), *arguments]) == 0, capsys.readouterr()
  ((builder, variant),) = (
    name.split("/") for name in store.prepared(tmp_path / "data")
  )
  variant = variant.removesuffix("_n4")
  data = store.open_dataset(str(tmp_path / "data"), builder, variant, 4)
  training = {*data.train_normal.videos, *data.train_anomalous.videos}
  assert {name.split("/")[-1] for name in training} == set(
    layout.videos["train"]
  )
  # The score of a snippet is its first channel, averaged over the crops.
  crops = {}
  for example in data.official_test:
    crops.setdefault(example["video"], []).append(example)
  videos = [
    scorer.video_score(
      own[0],
      np.mean([e["features"][:, 0] for e in own], axis=0),
      span_ends="exclusive",
    )
    for own in crops.values()
  ]
  width = data.metadata.feature_width
  if "vggish" in variant:
    width = 1024

  def first_channel(name, snippets):
    return layouts_table.features(name, snippets, width)[:, 0]

  want = auc(layout.videos, first_channel)
  assert metrics.evaluate_videos(videos)["frame_auc"] == pytest.approx(want)


def test_the_table_is_that_of_the_documentation():
  """Otherwise: python -m tests.layouts_table."""
  text = layouts_table.DOCUMENT.read_text("utf-8")
  start, end = layouts_table.START, layouts_table.END
  assert text.split(start)[1].split(end)[0] == layouts_table.table()
