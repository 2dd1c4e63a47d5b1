"""UCF-Crime: names, annotation rows, preparation, and every error."""

import re
import shutil

import numpy as np
import pytest

from adplg_jax.prepare.annotation_rows import Annotation
from adplg_jax.prepare.sources.ucf_crime import SOURCE
from tests import layouts
from tests.prepare.official_layouts import parse_rows, videos


def test_ucf_rows_in_both_forms(tmp_path):
  rows, findings = parse_rows(
    SOURCE,
    tmp_path,
    "Abuse028_x264.mp4  Abuse  165  240  -1  -1  \n"
    "Arson/Arson022_x264.mp4 8640 Arson 3500 4000 5000 5100\n"
    "\n"
    "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4  Normal"
    "  -1  -1  -1  -1\r\n",
  )
  assert not findings
  assert rows == {
    "Abuse028_x264": Annotation("Abuse028_x264", ((165, 240),), None, "Abuse"),
    "Arson022_x264": Annotation(
      "Arson022_x264", ((3500, 4000), (5000, 5100)), 8640, "Arson"
    ),
    "Normal_Videos_003_x264": Annotation(
      "Normal_Videos_003_x264", (), None, "Normal"
    ),
  }


@pytest.mark.parametrize(
  ("line", "spans", "frames", "category"),
  [
    ("x_x264.mp4\tArson\t15\t42\t-1\t-1\t90", ((15, 42),), 90, "Arson"),
    # An end may lie a frame past the count.
    ("x_x264.mp4\tArson\t5\t9\t68\t91\t90", ((5, 9), (68, 91)), 90, "Arson"),
    ("x_x264.mp4\tNormal\t-1\t-1\t-1\t-1\t90", (), 90, "Normal"),
    ("Arson/x_x264.mp4|90|[15, 42]", ((15, 42),), 90, None),
    ("Arson/x_x264.mp4|90|[15, 42, 60, 90]", ((15, 42), (60, 90)), 90, None),
    ("x.mp4 | 90 | [15, 42], [60, 90]", ((15, 42), (60, 90)), 90, None),
    ("Normal_Videos_event/x_x264.mp4 90 -1", (), 90, None),
    ("x Arson 15 42", ((15, 42),), None, "Arson"),
  ],
)
def test_rows_in_the_forms_of_others(tmp_path, line, spans, frames, category):
  rows, findings = parse_rows(SOURCE, tmp_path, line + "\n")
  assert not findings
  assert rows == {"x_x264": Annotation("x_x264", spans, frames, category)}


@pytest.mark.parametrize("left", [0, 1, 2])
def test_rows_of_anomalous_videos_alone(ucf, left):
  """Normal ones have no rows then; where one has, all must."""
  lines = ucf.annotations.read_text().splitlines()
  anomalous = [line for line in lines if line and "Normal" not in line]
  normal = [line for line in lines if "Normal" in line]
  ucf.annotations.write_text("\n".join(anomalous + normal[:left]))
  if left == 1:
    assert "no-annotation: 1 (test vid" in ucf.report()
  else:
    assert ucf.prepare()[0] == 0
    assert videos(ucf.open().test)["Normal_Videos_003_x264"][2] == []


@pytest.mark.parametrize("span_ends", ["exclusive", "inclusive"])
def test_a_span_of_one_frame(ucf, span_ends):
  text = ucf.annotations.read_text().replace("165  240", "165  165")
  ucf.annotations.write_text(text)
  if span_ends == "exclusive":
    report = ucf.report()
    assert "bad-span: 1 " in report
    assert "write 165-166" in report
    assert "without a" not in report
    return
  assert ucf.prepare("--span-ends", "inclusive")[0] == 0
  examples = {example["video"]: example for example in ucf.open().test}
  crash = examples["RoadAccidents001_x264"]
  assert examples["Abuse028_x264"]["spans"].tolist() == [[165, 166]]
  assert crash["spans"].tolist() == [[20, 31], [150, 162]]
  assert crash["exact_spans"]


@pytest.mark.parametrize(("end", "left"), [(288, [(165, 240)]), (289, None)])
def test_a_span_past_the_last_snippet_is_dropped(ucf, end, left):
  text = ucf.annotations.read_text()
  text = text.replace("165  240  -1  -1", f"165  240  256  {end}")
  ucf.annotations.write_text(text)
  if left is None:
    assert "bad-span: 1 " in ucf.report()
    return
  status, printed = ucf.prepare()
  assert status == 0
  assert "note: 1 spans past their video's last snippet, dropped" in printed
  assert videos(ucf.open().test)["Abuse028_x264"][2] == left


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
  "surplus_crop": "surplus-crops: 1 .* Abuse001_x264: also has crops 10 ",
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
  "zip": "unreadable: 1 .*001_x264.npy: a damaged zip archive",
  "negative": "unreadable: 1 .*001_x264.npy: a damaged .npy header",
  "header": "unreadable: 1 .*001_x264.npy: a damaged .npy header",
  "unreadable_video": "Found 10 errors.* truncated: 10 .*Abuse028",
  "object": "object-array: 1 .*001_x264.npy: an object array",
  "class": "unknown-class: 1 .*Dancing001_x264.npy: class 'Dancing'; allowed:",
  "name": "unknown-name: 1 .*abuse one.npy: the name is not NAME_x264, ",
  "both_splits": "both-splits: 10 .*crop 0 of Abuse028_x264 is at .*test",
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
  "row": "manifest: 1 .*annotations.txt:2: lines of a form .* Known are: Abuse",
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
  assert "Found 3 errors" in report
  assert "--skip-bad missing-crops,not-finite,unknown-class" in report
  # The report has the totals, too.
  assert "test frames 576 1109680" in report
  kinds = "missing-crops,not-finite,unknown-class"
  status, printed = ucf.prepare("--skip-bad", kinds)
  assert status == 0
  assert "not-finite: 1" in printed
  assert "Abuse028_x264" not in videos(ucf.open().test)
  assert list(videos(ucf.open().train_anomalous)) == ["Arson022_x264"]


def test_rows_of_anomalous_videos_alone_and_names_tell_the_split(ucf):
  rows = ucf.annotations.read_text().splitlines(True)
  ucf.annotations.write_text("".join(r for r in rows if "Normal" not in r))
  files = ucf.root / "files"
  for folder in sorted(ucf.root.glob("t*/RGB/*")):
    for path in folder.iterdir():
      # Without train or test in the folders' names.
      target = files / folder.name.replace("Training", "").replace(
        "Testing", ""
      )
      target.mkdir(parents=True, exist_ok=True)
      path.rename(target / path.name)
  ucf.features = files
  assert ucf.prepare()[0] == 0
  assert {name for name, _ in videos(ucf.open().test).items()} == {
    *("Abuse028_x264", "RoadAccidents001_x264"),
    *("Normal_Videos_003_x264", "Normal_Videos_010_x264"),
  }
