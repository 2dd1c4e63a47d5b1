"""Names of feature files: videos, crops, kinds of features, splits."""

from pathlib import PurePath

import pytest

from adplg_jax.prepare.naming import (
  FileName,
  FileNameError,
  parse_ending,
  split_named,
)
from adplg_jax.prepare.sources import shanghaitech, ucf_crime, xd_violence


@pytest.mark.parametrize(
  ("ending", "crop", "audio"),
  [
    *[("", None, False), ("__3", 3, False), ("_3", 3, False)],
    *[("_i3d", None, False), ("_i3d__12", 12, False), ("__4_i3d", 4, False)],
    *[("_i3d_7", 7, False), ("_vit_b_32", None, False), (".mp4", None, False)],
    *[("_crop2", 2, False), ("-crop-2", 2, False), ("_c3d_crop_2", 2, False)],
    *[("__vggish", None, True), ("_vggish", None, True)],
  ],
)
def test_endings(ending, crop, audio):
  assert parse_ending(ending) == (crop, audio)


@pytest.mark.parametrize("ending", [" copy", "__1__2", "x264", ",A", "_"])
def test_endings_of_no_feature_file(ending):
  with pytest.raises(ValueError, match=r"ending|two crops"):
    parse_ending(ending)


@pytest.mark.parametrize(
  ("name", "split"),
  [
    *[("train", "train"), ("UCF_Train_ten_crop_i3d", "train")],
    *[("Training_Normal_Videos_Anomaly", "train"), ("RGBTest", "test")],
    *[("Testing_Normal_Videos_Anomaly", "test"), ("XDTestClip", "test")],
    *[("ucf_CLIP_rgbtest", "test"), ("audiotest", "test"), ("rgb", None)],
    *[("latest", None), ("pretrained", None), ("contest-2", None)],
    *[("list_latest_train", "train"), ("train_and_test", None)],
    *[("shanghai-i3d-test-10crop", "test"), ("trainings", None)],
  ],
)
def test_splits_are_told_by_whole_words(name, split):
  assert split_named(name) == split


@pytest.mark.parametrize(
  ("source", "path", "name"),
  [
    (ucf_crime, "Abuse001_x264_i3d", ("Abuse001_x264", None, "Abuse")),
    (ucf_crime, "Abuse001", ("Abuse001_x264", None, "Abuse")),
    (ucf_crime, "Abuse001_4", ("Abuse001_x264", 4, "Abuse")),
    (
      ucf_crime,
      "Training-Normal-Videos-Part-1/Normal_Videos308_3_x264__9",
      ("Normal_Videos308_3_x264", 9, "Normal"),
    ),
    (
      ucf_crime,
      "Normal_Videos_003_clip",
      ("Normal_Videos_003_x264", None, "Normal"),
    ),
    (
      ucf_crime,
      "Normal_Videos308_3",
      ("Normal_Videos308_3_x264", None, "Normal"),
    ),
    (
      xd_violence,
      "a.b__#1_label_B2-0-0_i3d",
      ("a.b__#1_label_B2-0-0", None, "Shooting"),
    ),
    (
      xd_violence,
      "a_label_A__vggish",
      ("a_label_A", None, "Normal", True),
    ),
    (shanghaitech, "01_0014_i3d", ("01_0014", None, "Anomalous")),
    (shanghaitech, "01_001", ("01_001", None, "Normal")),
    (shanghaitech, "any/01_001_7", ("01_001", 7, "Normal")),
  ],
)
def test_names_with_any_suffix(source, path, name):
  assert source.SOURCE.parse_name(PurePath(path)) == FileName(*name)


@pytest.mark.parametrize(
  ("source", "path", "kind", "message"),
  [
    (ucf_crime, "Abuse/Custom01", "unknown-class", "'Custom'.*prepare folder"),
    (ucf_crime, "Fun/Fun001_x264", "unknown-class", "'Fun'"),
    (ucf_crime, "abuse one", "unknown-name", "NAME_x264.*prepare folder"),
    (
      ucf_crime,
      "Arson/Abuse001_x264",
      "unknown-class",
      "class Abuse in folder 'Arson'",
    ),
    (
      ucf_crime,
      "Training_Normal_Videos_Anomaly/Abuse001_x264",
      "unknown-class",
      "class Abuse in folder 'Training_Normal",
    ),
    (xd_violence, "a_B1", "unknown-name", "NAME_label_CODES"),
    (xd_violence, "a_label_B3__0", "unknown-class", "'B3'"),
    (xd_violence, "a_label_0-0-0__0", "unknown-class", "allowed"),
    (xd_violence, "a_label_A-B1__0", "unknown-class", "'A-B1'"),
    (shanghaitech, "01_14_0", "unknown-name", "SCENE_VIDEO"),
    (shanghaitech, "01_00145", "unknown-name", "SCENE_VIDEO"),
  ],
)
def test_names_that_no_video_has(source, path, kind, message):
  with pytest.raises(FileNameError, match=message) as error:
    source.SOURCE.parse_name(PurePath(path))
  assert error.value.kind == kind
