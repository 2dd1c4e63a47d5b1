"""The layouts of the data sets as fixtures."""

import pytest

from tests import layouts
from tests.prepare.folder_layout import FolderLayout
from tests.prepare.official_layouts import OfficialLayout


@pytest.fixture
def ucf(tmp_path, capsys):
  annotations = layouts.ucf_crime(tmp_path)
  return OfficialLayout(
    tmp_path, capsys, "ucf_crime:i3d", tmp_path, annotations
  )


@pytest.fixture
def xd(tmp_path, capsys):
  annotations = layouts.xd_violence(tmp_path)
  return OfficialLayout(
    tmp_path, capsys, "xd_violence:i3d_vggish", tmp_path, annotations
  )


@pytest.fixture
def shanghai(tmp_path, capsys):
  masks, _ = layouts.shanghaitech(tmp_path)
  return OfficialLayout(tmp_path, capsys, "shanghaitech:i3d", tmp_path, masks)


@pytest.fixture
def clip(tmp_path, capsys):
  annotations, lists = layouts.ucf_clip(tmp_path)
  more = ("--list", lists["train"], "--list", lists["test"])
  return OfficialLayout(
    tmp_path, capsys, "ucf_crime:clip", tmp_path / "clip", annotations, *more
  )


@pytest.fixture
def mine(tmp_path, capsys):
  return FolderLayout(tmp_path, capsys)
