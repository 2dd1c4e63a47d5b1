"""File names that no video of a data set has."""

from pathlib import PurePath

import pytest

from adplg_jax.prepare.layout import FileNameError
from adplg_jax.prepare.sources import shanghaitech, ucf_crime, xd_violence


@pytest.mark.parametrize(
  ("source", "path", "kind", "message"),
  [
    (ucf_crime, "Abuse/Abuse001.npy", "unknown-name", "NAME_x264"),
    (ucf_crime, "Fun/Fun001_x264.npy", "unknown-class", "'Fun'"),
    (
      ucf_crime,
      "Arson/Abuse001_x264.npy",
      "unknown-class",
      "class Abuse in folder 'Arson'",
    ),
    (xd_violence, "a_label_B1.npy", "unknown-name", "CODES__CROP"),
    (xd_violence, "a_label_B3__0.npy", "unknown-class", "'B3'"),
    (xd_violence, "a_label_0-0-0__0.npy", "unknown-class", "allowed"),
    (xd_violence, "a_label_A-B1__0.npy", "unknown-class", "'A-B1'"),
    (shanghaitech, "01_14_0.npy", "unknown-name", "SCENE_VIDEO"),
  ],
)
def test_names_that_no_video_has(source, path, kind, message):
  with pytest.raises(FileNameError, match=message) as error:
    source.SOURCE.parse_name(PurePath(path))
  assert error.value.kind == kind
