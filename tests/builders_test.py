"""The three benchmarks: official layouts in small, and every fault in them."""

import re
import shutil

import numpy as np
import pytest

from adplg_jax import prepare
from adplg_jax.data import ground_truth, store
from adplg_jax.data.builders import base
from tests import layouts


class Benchmark:
  """One layout on disk, and the command that prepares it."""

  def __init__(self, root, capsys, target, features, annotations, *more):
    self.root, self.capsys, self.target = root, capsys, target
    self.features, self.annotations, self.more = features, annotations, more

  def prepare(self, *more):
    """Prepares it; returns the status and all that was printed."""
    arguments = [self.target, "--features", self.features, "--data_dir"]
    arguments += [self.root / "data", "--segments", 8, *self.more, *more]
    if self.annotations:
      arguments += ["--annotations", self.annotations]
    status = prepare.main([str(argument) for argument in arguments])
    printed = self.capsys.readouterr()
    return status, printed.out

  def report(self, *more):
    """Prepares it, which must fail and leave nothing; see `report_of`."""
    report = self.report_of(*more)
    assert store.prepared(self.root / "data") == []
    return report

  def report_of(self, *more):
    """Prepares it, which must fail; returns the message in one line."""
    arguments = [self.target, "--features", self.features, "--data_dir"]
    arguments += [self.root / "data", "--segments", 8, *self.more, *more]
    if self.annotations:
      arguments += ["--annotations", self.annotations]
    status = prepare.main([str(argument) for argument in arguments])
    assert status == 1
    return " ".join(self.capsys.readouterr().err.split())

  def open(self):
    builder, variant = self.target.split(":")
    return store.open_dataset(str(self.root / "data"), builder, variant, 8)


@pytest.fixture
def ucf(tmp_path, capsys):
  annotations = layouts.ucf_crime(tmp_path)
  return Benchmark(tmp_path, capsys, "ucf_crime:i3d", tmp_path, annotations)


@pytest.fixture
def xd(tmp_path, capsys):
  annotations = layouts.xd_violence(tmp_path)
  return Benchmark(
    tmp_path, capsys, "xd_violence:i3d_vggish", tmp_path, annotations
  )


@pytest.fixture
def shanghai(tmp_path, capsys):
  masks, _ = layouts.shanghaitech(tmp_path)
  return Benchmark(tmp_path, capsys, "shanghaitech:i3d", tmp_path, masks)


@pytest.fixture
def clip(tmp_path, capsys):
  annotations, lists = layouts.ucf_clip(tmp_path)
  more = ("--list", lists["train"], "--list", lists["test"])
  return Benchmark(
    tmp_path, capsys, "ucf_crime:clip", tmp_path / "clip", annotations, *more
  )


def videos(split):
  """{video: (category, frames, spans, crops)} of a split."""
  found = {}
  for example in split:
    spans = [tuple(map(int, span)) for span in example["spans"]]
    facts = (example["category"], int(example["frames"]), spans)
    known = found.setdefault(example["video"], (*facts, []))
    assert known[:3] == facts
    known[3].append(int(example["crop"]))
  return found


def test_ucf_crime(ucf):
  status, printed = ucf.prepare()
  assert status == 0
  assert re.search(r"training videos, normal +2 +800\n", printed)
  assert re.search(r"training crops, normal +20 +8000\n", printed)
  assert re.search(r"training crops, anomalous +20 +8100\n", printed)
  assert re.search(r"test crops +40 +2900\n", printed)
  assert re.search(r"test snippets +36 +69355\n", printed)
  assert re.search(r"test frames +576 +1109680\n", printed)
  data = ucf.open()
  ten = list(range(10))
  assert videos(data.test) == {
    "Abuse028_x264": ("Abuse", 256, [(165, 240)], ten),
    "RoadAccidents001_x264": (
      "RoadAccidents",
      160,
      [(20, 30), (150, 161)],
      ten,
    ),
    "Normal_Videos_003_x264": ("Normal", 64, [], ten),
    "Normal_Videos_010_x264": ("Normal", 96, [], ten),
  }
  # 75 + 10 + 10 of 576 frames, the last of a span past its video clipped.
  assert "anomalous share of them           16.49%" in printed
  assert "note: 1 spans that end past their video, clipped" in printed
  metadata = data.metadata
  assert (metadata.num_video_keys, metadata.num_crop_keys) == (2, 20)
  assert metadata.official_test_crop is None
  assert len(data.official_test) == len(data.test) == 40
  assert list(videos(data.train_normal)) == [
    "Normal_Videos001_x264",
    "Normal_Videos308_3_x264",
  ]
  crop = data.train_anomalous[13]
  assert (crop["video"], crop["crop"]) == ("Arson022_x264", 3)
  x = layouts.features("Arson022_x2643", 70, 1024)
  want = [x[70 * i // 8 : 70 * (i + 1) // 8].mean(axis=0) for i in range(8)]
  np.testing.assert_allclose(crop["features"], want, rtol=1e-5)


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
  """A float16 video beside float32 audio that float16 cannot hold."""
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
    "07_008": (
      "Anomalous",
      80,
      [(10, 20), (30, 40), (50, 60), (70, 80)],
      ten,
    ),
    "12_0149": ("Normal", 96, [], ten),
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


def test_clip(clip):
  assert clip.prepare()[0] == 0
  data = clip.open()
  assert data.metadata.feature_width == 512
  assert data.metadata.official_test_crop == 5
  assert {name: v[3] for name, v in videos(data.test).items()} == {
    "Abuse028_x264": list(range(10)),
    "Normal_Videos_003_x264": list(range(10)),
  }
  official = [(e["video"], int(e["crop"])) for e in data.official_test]
  assert official == [("Abuse028_x264", 5), ("Normal_Videos_003_x264", 5)]
  short, long = data.train_anomalous[0], data.train_normal[0]
  assert (short["length"], long["length"]) == (3, 8)
  x = layouts.features("Abuse001_x2640", 3, 512)
  np.testing.assert_array_equal(short["features"][:3], x)
  assert not short["features"][3:].any()
  assert data.test[0]["length"] == 16


def test_clip_needs_its_official_test_crop_alone(clip):
  for path in (clip.features / "Abuse").glob("Abuse028_x264__*.npy"):
    if not path.stem.endswith("__5"):
      path.unlink()
  assert clip.prepare()[0] == 0
  assert videos(clip.open().test)["Abuse028_x264"][3] == [5]


def test_clip_lacks_its_official_test_crop(clip):
  (clip.features / "Abuse/Abuse028_x264__5.npy").unlink()
  assert "Abuse028_x264__5.npy is not among the features" in clip.report()


def test_clip_without_csv_takes_test_videos_from_the_annotations(clip):
  clip.more = ()
  assert clip.prepare()[0] == 0
  assert len(clip.open().test) == 20


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


@pytest.mark.parametrize(
  ("label", "fits"),
  [
    *[("Abuse", True), ("abuse", True), ("1.0", True), ("1", True)],
    *[("Arson", False), ("Dancing", False), ("Normal", False), ("0", False)],
    *[("2.0", False), ("B1", False)],
  ],
)
def test_labels_of_a_list_must_agree(clip, label, fits):
  listing = clip.root / "ucf_CLIP_rgb.csv"
  text = listing.read_text()
  listing.write_text(text.replace("x264__0.npy,Abuse", f"x264__0.npy,{label}"))
  if fits:
    assert clip.prepare()[0] == 0
  else:
    assert f"label '{label}', but Abuse001_x264__0.npy" in clip.report()


def test_folders_tell_the_split_of_a_lists_lines(xd):
  names = [*list(layouts.XD_TRAIN)[::-1], *list(layouts.XD_TEST)[::-1]]
  listing = xd.root / "everything.csv"
  listing.write_text(
    "".join(f"{n}__{c}.npy\n" for n in names for c in range(5))
  )
  assert xd.prepare("--list", listing)[0] == 0
  assert list(videos(xd.open().test)) == names[4:]
  assert list(videos(xd.open().train_anomalous)) == names[:2]


def test_lists_choose_and_order_whatever_their_prefix(xd):
  names = list(layouts.XD_TEST)[::-1]
  listing = xd.root / "the test.list"
  listing.write_text(
    "".join(f"C:\\old disk\\{n}__{c}.npy\n" for n in names for c in range(5))
  )
  assert xd.prepare("--list", listing)[0] == 0
  assert list(videos(xd.open().test)) == names
  assert len(xd.open().train_normal) == 10


@pytest.mark.parametrize(
  ("line", "message"),
  [
    ("Abuse028_x264__10.npy", "Abuse028_x264__10.npy is not among"),
    ("a video", "'a video' names no .npy file"),
    ("x/Abuse028_x264.npy", "Abuse028_x264.npy stands at"),
  ],
)
def test_bad_lines_of_a_list(ucf, line, message):
  files = sorted((ucf.root / "test").rglob("*.npy"))
  listing = ucf.root / "test.list"
  listing.write_text("".join(f"{path}\n" for path in files) + line + "\n")
  assert message in ucf.report("--list", listing)


def test_an_edited_list_lacks_crops(ucf):
  files = sorted((ucf.root / "test").rglob("*.npy"))
  listing = ucf.root / "test.list"
  listing.write_text("".join(f"{path}\n" for path in files[:-1]))
  report = ucf.report("--list", listing)
  assert "missing-crops: 1" in report
  assert "lacks crops 9 (test); a video has crops 0 to 9" in report


def spoil_ucf(ucf, what):
  """Makes one thing of a good UCF-Crime folder bad."""
  train = ucf.root / "train/RGB/Abuse/Abuse001_x264.npy"
  test = ucf.root / "test/RGB/Abuse/Abuse028_x264__4.npy"
  text = ucf.annotations.read_text()
  x = np.load(train)
  if what == "missing_crop":
    test.unlink()
  elif what == "surplus_crop":
    np.save(train.with_name("Abuse001_x264__10.npy"), x)
  elif what == "crop_length":
    np.save(train, x[:-1])
  elif what == "width":
    np.save(train, x[:, :1000])
  elif what == "nan":
    x[3, 7] = np.nan
    np.save(train, x)
  elif what == "infinity":
    x[3, 7] = -np.inf
    np.save(train, x)
  elif what == "zero_row":
    x[2] = 0
    np.save(train, x)
  elif what == "empty":
    np.save(train, x[:0])
  elif what == "no_bytes":
    train.write_bytes(b"")
  elif what == "truncated":
    train.write_bytes(train.read_bytes()[:-1])
  elif what == "zip":
    train.write_bytes(b"PK\x03\x04 cut off")
  elif what == "negative":
    header = train.read_bytes()
    train.write_bytes(header.replace(b"(6, 1024)", b"(-6,1024)"))
  elif what == "header":
    train.write_bytes(train.read_bytes().replace(b"(6, 1024)", b"((6,1024 "))
  elif what == "unreadable_video":
    for path in test.parent.glob("*.npy"):
      path.write_bytes(path.read_bytes()[:-1])
  elif what == "object":
    np.save(train, np.array([x, None], object), allow_pickle=True)
  elif what == "class":
    layouts.save(ucf.root / "train/RGB/Dancing/Dancing001_x264.npy", x)
  elif what == "name":
    np.save(train.with_name("abuse one.npy"), x)
  elif what == "both_splits":
    for path in (ucf.root / "test/RGB/Abuse").glob("*.npy"):
      shutil.copy(path, train.parent)
  elif what == "no_annotation":
    ucf.annotations.write_text("".join(text.splitlines(True)[:-2]))
  elif what == "no_span":
    ucf.annotations.write_text(text.replace("165  240", "-1  -1"))
  elif what == "no_video":
    ucf.annotations.write_text(text + "Fighting003_x264.mp4 Fighting 1 2\n")
  elif what == "training_video":
    ucf.annotations.write_text(text + "Abuse001_x264.mp4 Abuse 1 2 -1 -1\n")
  elif what == "normal_span":
    ucf.annotations.write_text(text.replace("-1  -1  -1", "3  9  -1", 1))
  elif what == "class_of_row":
    ucf.annotations.write_text(text.replace("  Abuse ", "  Arson "))
  elif what == "unknown_class_of_row":
    ucf.annotations.write_text(text.replace("  Abuse ", "  Dancing "))
  elif what == "normal_class_of_row":
    ucf.annotations.write_text(text.replace("  Abuse ", "  Normal "))
  elif what == "half_span":
    ucf.annotations.write_text(text.replace("240  -1  -1", "240  300  -1"))
  elif what == "frames":
    ucf.annotations.write_text(text.replace(" 161 Road", " 193 Road"))
  elif what == "late_end":
    ucf.annotations.write_text(text.replace("165  240", "165  289"))
  elif what == "row":
    ucf.annotations.write_text(text.replace("165  240", "165"))


UCF_FAULTS = {
  "missing_crop": "missing-crops: 1 .* Abuse028_x264: lacks crops 4 ",
  "surplus_crop": "surplus-crops: 1 .* Abuse001_x264: has besides crops 10 ",
  "crop_length": (
    r"crop-length: 1 .* most crops have 6 snippets, .*001_x264.npy has 5"
  ),
  "width": "wrong-width: 1 .*: feature width is 1000; this data set's is 1024",
  "nan": "not-finite: 1 .*001_x264.npy: NaN or infinity, first in snippet 3",
  "infinity": "not-finite: 1 .*001_x264.npy: NaN or infinity",
  "zero_row": "zero-rows: 1 .*001_x264.npy: 1 of 6 rows are all zero",
  "empty": "empty: 1 .*001_x264.npy: shape is",
  "no_bytes": "empty: 1 .*001_x264.npy: the file has 0 bytes",
  "truncated": "truncated: 1 .*001_x264.npy: truncated: 24703 bytes, .* 24704",
  "zip": "unreadable: 1 .*001_x264.npy: not an .npy file",
  "negative": "unreadable: 1 .*001_x264.npy: cannot be read",
  "header": "unreadable: 1 .*001_x264.npy: not an .npy file",
  "unreadable_video": "Found 10 faults.* truncated: 10 .*Abuse028",
  "object": "object-array: 1 .*001_x264.npy: an object array",
  "class": "unknown-class: 1 .*Dancing001_x264.npy: class 'Dancing'; allowed:",
  "name": "unknown-name: 1 .*abuse one.npy: the name is not NAME_x264.npy",
  "both_splits": "both-splits: 10 .*028_x264.npy: is at .*train/RGB/Abuse",
  "no_annotation": "no-annotation: 1 .* without a row in the annotations",
  "no_span": "no-annotation: 1 .* Abuse028_x264: .* without a span",
  "no_video": "no-video: 1 .* Fighting003_x264: .* has no feature file",
  "training_video": "no-video: 1 .* Abuse001_x264: .* is a training video here",
  "normal_span": "bad-span: 1 .* Normal_Videos_010_x264: normal by its name",
  "class_of_row": "list-label: 1 .* class Arson in the annotations, Abuse by",
  "unknown_class_of_row": "list-label: 1 .* class Dancing in the annotations",
  "normal_class_of_row": "list-label: 1 .* class Normal in the annotations",
  "half_span": "bad-span: 1 .* span 300--1",
  "frames": "frame-count: 1 .*: 193 frames annotated, but 10 snippets of 16",
  "late_end": "bad-span: 1 .* span 165-289 does not fit the video's 256 frames",
  "row": "manifest: 1 .*annotations.txt:2: .* is neither",
}


@pytest.mark.parametrize("what", UCF_FAULTS)
def test_faults_of_ucf_crime_are_found(ucf, what):
  spoil_ucf(ucf, what)
  report = ucf.report()
  assert re.search(UCF_FAULTS[what], report), report
  assert "nothing was written" in report
  assert "test snippets" not in report or "69355" in report


@pytest.mark.parametrize("what", ["frames", "late_end"])
def test_two_snippets_too_many_are_let_pass(ucf, what):
  text = ucf.annotations.read_text()
  text = text.replace(" 161 Road", " 192 Road").replace("165  240", "165  288")
  ucf.annotations.write_text(text)
  assert ucf.prepare()[0] == 0


def test_all_faults_are_gathered_and_may_be_left_out(ucf):
  spoil_ucf(ucf, "nan")
  spoil_ucf(ucf, "missing_crop")
  spoil_ucf(ucf, "class")
  report = ucf.report()
  assert "Found 3 faults" in report
  assert "--skip-bad missing-crops,not-finite,unknown-class" in report
  # The totals stand in the report too.
  assert "test frames 576 1109680" in report
  kinds = "missing-crops,not-finite,unknown-class"
  status, printed = ucf.prepare("--skip-bad", kinds)
  assert status == 0
  assert "not-finite: 1" in printed
  assert "Abuse028_x264" not in videos(ucf.open().test)
  assert list(videos(ucf.open().train_anomalous)) == ["Arson022_x264"]


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
  elif what == "late_start":
    xd.annotations.write_text(text.replace("100 128", "128 130"))


XD_FAULTS = {
  "no_audio": "missing-audio: 1 .*B2-0-0__vggish.npy: no such file; extract",
  "zero_row": "zero-rows: 1 .*B2-0-0__3.npy: 1 of 8 rows are all zero",
  "audio_length": "audio-length: 1 .*vggish.npy: 11 rows of audio for 8 snip",
  "audio_width": "wrong-width: 5 .* is 1088; this data set's is 1152",
  "swapped_width": "wrong-width: 5 .*: feature width is 1088, 1024 are needed",
  "class": "unknown-class: 1 .*B3-0-0__0.npy: classes 'B3-0-0'; allowed: A",
  "normal_span": "bad-span: 1 .*label_A: normal by its name",
  "no_row": "no-annotation: 1 .* Film No. 2.* without a row",
  "late_start": "bad-span: 1 .* span 128-130 does not fit .* 128 frames",
}


@pytest.mark.parametrize("what", XD_FAULTS)
def test_faults_of_xd_violence_are_found(xd, what):
  spoil_xd(xd, what)
  report = xd.report()
  assert re.search(XD_FAULTS[what], report), report


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
  "values": r"unreadable: 1 .*03_0031.npy: shape \(64,\): not one 0 or 1",
  "object": "unreadable: 1 .*03_0031.npy: .*allow_pickle",
  "no_masks": "masks: no mask found; --annotations must name the folder",
  "folder": "test: no such folder; --features must name the folder that train",
  "annotations": "masks: no such file or folder",
}


@pytest.mark.parametrize("what", SHANGHAI_FAULTS)
def test_faults_of_shanghaitech_are_found(shanghai, what):
  spoil_shanghai(shanghai, what)
  report = shanghai.report()
  assert re.search(SHANGHAI_FAULTS[what], report), report


def field_array(benchmark, order):
  """Frame labels of the whole test split, videos as `order` has them."""
  known = videos(benchmark.open().test)
  return np.concatenate(
    [
      ground_truth.frame_labels(known[name][2], known[name][1])
      for name in order
    ]
  )


def test_the_fields_array_agrees(ucf):
  ucf.prepare()
  order = list(videos(ucf.open().test))
  array = field_array(ucf, order)
  path = layouts.save(ucf.root / "gt.npy", array.astype(np.float64))
  status, printed = ucf.prepare("--ground-truth", path, "--overwrite")
  assert status == 0
  assert "note: 0 of 576 frames (0.0000%) differ between gt.npy" in printed
  array[3] = True
  layouts.save(ucf.root / "gt.npy", array)
  _, printed = ucf.prepare("--ground-truth", path, "--overwrite")
  assert "note: 1 of 576 frames (0.1736%) differ" in printed
  spans = videos(ucf.open().test)["Abuse028_x264"][2]
  assert spans == [(3, 4), (165, 240)]


def test_the_fields_array_in_place_of_annotations(shanghai):
  shanghai.prepare()
  want = videos(shanghai.open().test)
  path = layouts.save(shanghai.root / "gt.npy", field_array(shanghai, want))
  shanghai.annotations = None
  status, printed = shanghai.prepare("--ground-truth", path, "--overwrite")
  assert status == 0
  assert "differ" not in printed
  assert videos(shanghai.open().test) == want


def test_the_fields_array_in_the_order_of_the_list(ucf):
  ucf.prepare()
  want = videos(ucf.open().test)
  order = list(want)[::-1]
  path = layouts.save(ucf.root / "gt.npy", field_array(ucf, order))
  files = sorted((ucf.root / "test").rglob("*.npy"), reverse=True)
  listing = ucf.root / "test.list"
  listing.write_text("".join(f"{file}\n" for file in files))
  ucf.annotations = None
  arguments = ("--ground-truth", path, "--list", listing, "--overwrite")
  assert ucf.prepare(*arguments)[0] == 0
  found = videos(ucf.open().test)
  assert list(found) == order
  # The array cannot hold the frame that the annotation has past the video.
  assert found.pop("RoadAccidents001_x264")[2] == [(20, 30), (150, 160)]
  assert found == {name: want[name] for name in found}


@pytest.mark.parametrize(
  ("array", "message"),
  [
    (np.zeros(575), "575 frames, but the 4 test videos have 36 snippets of 16"),
    (np.zeros((2, 288)), "not one 0 or 1 for each frame"),
    (np.full(576, 2.0), "not one 0 or 1 for each frame"),
    (
      np.zeros(576),
      "0 anomalous frames in .* but class Abuse; .* another order",
    ),
  ],
)
def test_arrays_that_do_not_fit_are_refused(ucf, array, message):
  path = layouts.save(ucf.root / "gt.npy", array)
  report = ucf.report("--ground-truth", path)
  assert re.search(message, report), report
  assert "ground-truth: " in report


@pytest.mark.parametrize("annotated", [True, False])
def test_an_array_needs_every_test_video(ucf, annotated):
  """Else nobody knows which frames are whose."""
  path = layouts.save(ucf.root / "gt.npy", np.zeros(3))
  for file in (ucf.root / "test/RGB/Abuse").glob("*.npy"):
    np.save(file, np.full((16, 1024), np.nan, np.float32))
  if not annotated:
    ucf.annotations = None
  kinds = "not-finite,no-video,no-annotation"
  report = ucf.report("--ground-truth", path, "--skip-bad", kinds)
  assert "1 of the 4 test videos cannot be read" in report


def test_a_damaged_array_is_named(ucf):
  path = ucf.root / "gt.npy"
  path.write_bytes(b"PK\x03\x04 cut off")
  assert f"{path}: cannot be read" in ucf.report("--ground-truth", path)


@pytest.mark.parametrize("what", ["bytes", "folder"])
def test_annotations_that_are_no_text_are_named(ucf, what):
  ucf.annotations = ucf.root / "odd"
  if what == "folder":
    ucf.annotations.mkdir()
  else:
    ucf.annotations.write_bytes(b"caf\xe9 165 240")
  assert re.match(rf"{ucf.annotations}: cannot be read as text", ucf.report())


def test_linked_folders_are_read(ucf):
  folder = ucf.root / "train/RGB/Abuse"
  folder.rename(ucf.root / "elsewhere")
  folder.symlink_to(ucf.root / "elsewhere")
  (ucf.root / "elsewhere" / "circle").symlink_to(folder)
  assert ucf.prepare()[0] == 0
  assert set(videos(ucf.open().train_anomalous)) == {
    "Abuse001_x264",
    "Arson022_x264",
  }


def test_predicted_size_is_what_is_written(ucf, monkeypatch):
  predicted = []
  monkeypatch.setattr(
    base, "check_disk", lambda folder, needed: predicted.append(needed)
  )
  assert ucf.prepare()[0] == 0
  records = (ucf.root / "data").rglob("*array_record*")
  written = sum(path.stat().st_size for path in records)
  assert written <= predicted[0] <= 1.2 * written + 2**17


def test_annotations_or_an_array_are_needed(ucf):
  ucf.annotations = None
  assert "--annotations or --ground-truth is needed" in ucf.report()
