"""XD-Violence: names, annotation rows, preparation, audio, errors."""

import re
import shutil
from pathlib import PurePath

import numpy as np
import pytest

from adplg_jax.prepare.naming import FileName
from adplg_jax.prepare.sources.xd_violence import SOURCE
from tests import layouts
from tests.prepare.official_layouts import parse_rows, videos


@pytest.mark.parametrize(
  ("codes", "category"),
  [
    ("A", "Normal"),
    ("B1", "Fighting"),
    ("B2-0-0", "Shooting"),
    ("0-B6-0", "CarAccident"),
    ("G-B2-B6", "Explosion"),
  ],
)
def test_xd_names(codes, category):
  path = PurePath(f"A Film__#1_label_x__#00_label_{codes}__4")
  name = SOURCE.parse_name(path)
  assert name == FileName(f"A Film__#1_label_x__#00_label_{codes}", 4, category)


def test_xd_rows_with_blanks_and_mp4(tmp_path):
  rows, findings = parse_rows(
    SOURCE,
    tmp_path,
    "A Film 2__#00-01_label_B1-0-0.mp4 10 20 30 40\nv=x__#1_label_G 5 6\n",
  )
  assert not findings
  assert {name: row.spans for name, row in rows.items()} == {
    "A Film 2__#00-01_label_B1-0-0": ((10, 20), (30, 40)),
    "v=x__#1_label_G": ((5, 6),),
  }


def test_xd_rows_of_triples(tmp_path):
  rows, findings = parse_rows(
    SOURCE,
    tmp_path,
    "A Film 2__#1_label_B2-G-0.mp4 B2 10 20 G 30 40\nv__#1_label_G\tG\t5\t6\n",
  )
  assert not findings
  assert {name: row.spans for name, row in rows.items()} == {
    "A Film 2__#1_label_B2-G-0": ((10, 20), (30, 40)),
    "v__#1_label_G": ((5, 6),),
  }


def test_xd_triples_of_unknown_classes_are_refused_once(tmp_path):
  rows, (item,) = parse_rows(
    SOURCE, tmp_path, "v_label_G B3 1 2\nw_label_G G 1 2 B9 3 4\nx_label_G 1\n"
  )
  assert not rows
  assert item.detail.startswith("lines of a form that is not known: 3, ")


def test_xd_violence_with_audio(xd):
  status, printed = xd.prepare()
  assert status == 0
  assert "note: 3 videos whose audio was extended" in printed
  assert "note: 2 videos whose audio was cut" in printed
  assert re.search(r"training crops, anomalous +10 +9525\n", printed)
  assert re.search(r"training crops, normal +10 +10245\n", printed)
  assert re.search(r"test snippets +18 +145649\n", printed)
  assert re.search(r"test frames +288 +2330384\n", printed)
  # 32 + 28 + 33 of 288 frames.
  assert re.search(r"share of them +32.29% +23.08%\n", printed)
  data = xd.open()
  five = list(range(5))
  assert videos(data.test) == {
    "v=d__#1_label_A": ("Normal", 64, [], five),
    "v=e__#1_label_B2-0-0": ("Shooting", 128, [(16, 48), (100, 128)], five),
    "Film No. 2__#0-30_label_0-B6-0": ("CarAccident", 96, [(0, 33)], five),
  }
  assert (data.metadata.feature_width, data.metadata.num_crop_keys) == (
    1152,
    10,
  )
  for example in data.test:
    name, crop = example["video"], example["crop"]
    rows = len(example["features"])
    x = layouts.features(f"{name}{crop}", rows, 1024)
    np.testing.assert_array_equal(example["features"][:, :1024], x)
    offset = list(layouts.XD_TEST).index(name) - 1
    audio = layouts.features(f"{name}vggish", rows + offset, 128)
    audio = np.concatenate([audio, audio[-1:]])[:rows]
    np.testing.assert_array_equal(example["features"][:, 1024:], audio)


def test_xd_violence_without_audio(xd):
  shutil.rmtree(xd.features / "vggish-features")
  xd.target = "xd_violence:i3d"
  assert xd.prepare()[0] == 0
  assert xd.open().metadata.feature_width == 1024


def test_audio_keeps_its_own_precision(xd):
  """A float16 video with float32 audio that exceeds float16."""
  for path in (xd.root / "i3d-features/RGB").glob("v=b*.npy"):
    np.save(path, np.load(path).astype(np.float16))
  (sound,) = (xd.root / "vggish-features/train").glob("v=b*.npy")
  np.save(sound, 1e5 * np.load(sound))
  assert xd.prepare()[0] == 0
  for example in xd.open().train_anomalous:
    assert np.isfinite(example["features"]).all()
  assert "infinite as float16" in xd.report_of(
    "--dtype", "float16", "--overwrite"
  )


def xd_clip(root):
  for split, names in (("Train", layouts.XD_TRAIN), ("Test", layouts.XD_TEST)):
    for name, snippets in names.items():
      for crop in range(10 if split == "Train" else 1):
        layouts.save(
          root / f"XD{split}ClipFeatures/{name}__{crop}.npy",
          layouts.features(f"{name}{crop}", snippets, 512),
        )


def test_xd_clip_by_folders(xd):
  xd_clip(xd.root / "clip")
  xd.target, xd.features = "xd_violence:clip", xd.root / "clip"
  assert xd.prepare()[0] == 0
  data = xd.open()
  assert data.metadata.official_test_crop == 0
  assert data.metadata.num_crop_keys == 20
  assert len(data.test) == 3


@pytest.mark.parametrize("given", ["train", "test"])
def test_one_csv_tells_both_splits(xd, given):
  """Of files in one folder: what it does not name is the other split."""
  xd_clip(xd.root / "clip")
  for folder in list((xd.root / "clip").iterdir()):
    for path in folder.iterdir():
      path.rename(xd.root / "clip" / path.name)
    folder.rmdir()
  names = layouts.XD_TRAIN if given == "train" else layouts.XD_TEST
  crops = range(10 if given == "train" else 1)
  listing = xd.root / f"xd_{given}.csv"
  listing.write_text(
    "path,label\n"
    + "".join(
      f"/x/{name}__{crop}.npy,{name.split('_label_')[1]}\n"
      for name in names
      for crop in crops
    )
  )
  xd.target, xd.features = "xd_violence:clip", xd.root / "clip"
  assert xd.prepare("--list", listing)[0] == 0
  assert set(videos(xd.open().test)) == set(layouts.XD_TEST)
  assert len(xd.open().train_anomalous) == 20


def spoil_xd(xd, what):
  name = "v=e__#1_label_B2-0-0"
  audio = xd.root / f"vggish-features/test/{name}__vggish.npy"
  text = xd.annotations.read_text()
  if what == "no_audio":
    audio.unlink()
  elif what == "zero_row":
    visual = xd.root / f"i3d-features/RGBTest/{name}__3.npy"
    x = np.load(visual)
    x[4] = 0
    np.save(visual, x)
  elif what == "audio_length":
    np.save(audio, np.ones((11, 128), np.float32))
  elif what == "audio_width":
    np.save(audio, np.ones((8, 64), np.float32))
  elif what == "swapped_width":
    visual = xd.root / f"i3d-features/RGBTest/{name}__3.npy"
    np.save(visual, np.ones((8, 1088), np.float32))
    np.save(audio, np.ones((8, 64), np.float32))
  elif what == "class":
    layouts.save(
      xd.root / "i3d-features/RGB/v=x_label_B3-0-0__0.npy",
      layouts.features("x", 3, 1024),
    )
  elif what == "normal_span":
    xd.annotations.write_text(text + "v=d__#1_label_A 5 6\n")
  elif what == "no_row":
    xd.annotations.write_text(text.splitlines(True)[0])
  elif what == "late_end":
    xd.annotations.write_text(text.replace("100 128", "128 161"))


XD_FAULTS = {
  "no_audio": "missing-audio: 1 .*B2-0-0__vggish.npy: no such file; extract",
  "zero_row": "zero-rows: 1 .*B2-0-0__3.npy: 1 of 8 rows are all zero",
  "audio_length": "audio-length: 1 .*vggish.npy: 11 rows of audio for 8 snip",
  "audio_width": "wrong-width: 5 .* is 1088; this data set's is 1152",
  "swapped_width": "wrong-width: 5 .*: feature width is 1088, 1024 are needed",
  "class": "unknown-class: 1 .*B3-0-0__0.npy: classes 'B3-0-0'; allowed: A",
  "normal_span": "bad-span: 1 .*label_A: normal by its name",
  "no_row": "no-annotation: 1 .* Film No. 2.* without a row",
  "late_end": "bad-span: 1 .* span 128-161 does not fit .* 128 frames",
}


@pytest.mark.parametrize("what", XD_FAULTS)
def test_faults_of_xd_violence_are_found(xd, what):
  spoil_xd(xd, what)
  report = xd.report()
  assert re.search(XD_FAULTS[what], report), report
