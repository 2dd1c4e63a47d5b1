"""File names of the three data sets."""

from pathlib import PurePath

import pytest

from adplg_jax.data import benchmarks as lib


def test_ucf_names():
  assert lib.parse_ucf_crime(PurePath("Abuse/Abuse001_x264.npy")) == (
    lib.FileName("Abuse001_x264", 0, "Abuse")
  )
  name = lib.parse_ucf_crime(
    PurePath("Training_Normal_Videos_Anomaly/Normal_Videos308_3_x264__9.npy")
  )
  assert name == lib.FileName("Normal_Videos308_3_x264", 9, "Normal")
  assert name.label == 0


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
  path = PurePath(f"A Film__#1_label_x__#00_label_{codes}__4.npy")
  name = lib.parse_xd_violence(path)
  assert name == lib.FileName(
    f"A Film__#1_label_x__#00_label_{codes}", 4, category
  )


def test_shanghaitech_names():
  assert lib.parse_shanghaitech(PurePath("01_0014_0.npy")) == lib.FileName(
    "01_0014", 0, "Anomalous"
  )
  assert lib.parse_shanghaitech(PurePath("01_014_9.npy")).label == 0


@pytest.mark.parametrize(
  ("parse", "path", "kind", "message"),
  [
    (lib.parse_ucf_crime, "Abuse/Abuse001.npy", "unknown-name", "NAME_x264"),
    (lib.parse_ucf_crime, "Fun/Fun001_x264.npy", "unknown-class", "'Fun'"),
    (
      lib.parse_ucf_crime,
      "Arson/Abuse001_x264.npy",
      "unknown-class",
      "class Abuse in folder 'Arson'",
    ),
    (lib.parse_xd_violence, "a_label_B1.npy", "unknown-name", "CODES__CROP"),
    (lib.parse_xd_violence, "a_label_B3__0.npy", "unknown-class", "'B3'"),
    (lib.parse_xd_violence, "a_label_0-0-0__0.npy", "unknown-class", "allowed"),
    (lib.parse_xd_violence, "a_label_A-B1__0.npy", "unknown-class", "'A-B1'"),
    (lib.parse_shanghaitech, "01_14_0.npy", "unknown-name", "SCENE_VIDEO"),
  ],
)
def test_names_that_no_video_has(parse, path, kind, message):
  with pytest.raises(lib.FileNameError, match=message) as error:
    parse(PurePath(path))
  assert error.value.kind == kind


def test_key_counts_follow_from_the_expected_totals():
  def keys(name, by_video):
    return lib.BENCHMARKS[name].features["i3d"].num_keys(by_video=by_video)

  assert keys("ucf_crime", True) == 810
  assert keys("xd_violence", False) == 9525
  assert keys("shanghaitech", False) == 630
