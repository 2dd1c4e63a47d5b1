"""The data sets by name; a new one is one file and one line."""

import importlib.util
import sys

import pytest

from adplg_jax.data import store
from adplg_jax.prepare import __main__ as prepare
from adplg_jax.prepare import registry
from tests import layouts

# What a file in `sources/` for another published data set would hold.
FOURTH = '''
"""Avenue: names, classes, totals, annotations."""

import re
from pathlib import Path, PurePath
from typing import ClassVar

from adplg_jax.prepare.annotation import SpanAnnotations
from adplg_jax.prepare.annotation_rows import Row, read_rows
from adplg_jax.prepare.findings import Findings
from adplg_jax.prepare.layout import Expected, Features
from adplg_jax.prepare.naming import FileName, FileNameError
from adplg_jax.prepare.official import OfficialSource

CLASSES = {"n": "Normal", "r": "Running", "t": "Throwing"}


class Avenue(OfficialSource):
  name = "avenue"
  expected = Expected((1, 2, 3), 99, 1584, 0.5)
  categories = ("Running", "Throwing")
  features: ClassVar = {
    "c3d": Features(
      expected,
      width=4,
      crops=2,
      visual_width=4,
      folders={"train": "a", "test": "b"},
    ),
  }

  def parse_name(self, path: PurePath) -> FileName:
    match = re.fullmatch(r"(([nrt])\\d+)-(\\d)", path.name)
    if match is None:
      raise FileNameError("unknown-name", "the name is not VIDEO-CROP.npy.")
    return FileName(match[1], int(match[3]), CLASSES[match[2]])

  def read_annotations(
    self, path: Path, findings: Findings, span_ends: str
  ) -> SpanAnnotations:
    rows = read_rows(path, parse_row, ["r5,16,48"], findings, span_ends)
    return SpanAnnotations(rows, normal_rows=False)


def parse_row(line: str) -> Row:
  name, *numbers = line.split(",")
  return Row(name, [int(number) for number in numbers])


SOURCE = Avenue()
'''
VIDEOS = {
  "a": {"n1": 5, "r2": 3, "t3": 6},
  "b": {"n4": 4, "r5": 8, "t6": 7},
}


@pytest.fixture
def fourth(tmp_path, monkeypatch):
  """Registers Avenue; returns the command line that prepares it."""
  file = tmp_path / "avenue.py"
  file.write_text(FOURTH)
  spec = importlib.util.spec_from_file_location("avenue", file)
  module = importlib.util.module_from_spec(spec)
  monkeypatch.setitem(sys.modules, "avenue", module)
  spec.loader.exec_module(module)
  source = module.SOURCE
  known = {**registry.SOURCES, source.name: source}
  monkeypatch.setattr(registry, "SOURCES", known)
  for folder, videos in VIDEOS.items():
    for name, snippets in videos.items():
      for crop in range(2):
        x = layouts.features(f"{name}{crop}", snippets)
        layouts.save(tmp_path / folder / f"{name}-{crop}.npy", x)
  annotations = tmp_path / "annotations.csv"
  annotations.write_text("r5,16,48,100,128\nt6,0,33\n")
  arguments = ["avenue:c3d", "--features", tmp_path, "--annotations"]
  arguments += [annotations, "--data_dir", tmp_path / "data", "--segments", 2]
  return [str(argument) for argument in arguments]


def test_a_fourth_data_set_is_prepared_and_opened(fourth, tmp_path, capsys):
  assert prepare.main(fourth) == 0
  printed = capsys.readouterr().out
  assert "training videos, anomalous             2           2" in printed
  assert "test frames                          304        1584" in printed
  data = store.open_dataset(str(tmp_path / "data"), "avenue", "c3d", 2)
  assert data.metadata.categories == ("Running", "Throwing")
  assert data.metadata.num_video_keys == 2
  assert data.metadata.num_crop_keys == 4
  found = {e["video"]: e for e in data.test if e["crop"] == 1}
  assert found["n4"]["spans"].tolist() == []
  assert found["r5"]["spans"].tolist() == [[16, 48], [100, 128]]
  assert found["t6"]["category"] == "Throwing"
  x = layouts.features("r51", 8)
  assert (found["r5"]["features"] == x).all()
  assert [e["video"] for e in data.train_normal] == ["n1", "n1"]


def test_its_faults_are_found(fourth, tmp_path, capsys):
  (tmp_path / "b/t6-0.npy").unlink()
  layouts.save(tmp_path / "a/x.npy", layouts.features("x", 3))
  assert prepare.main(fourth) == 1
  report = " ".join(capsys.readouterr().err.split())
  assert "t6: lacks crops 0" in report
  assert "x.npy: the name is not VIDEO-CROP.npy." in report


@pytest.mark.usefixtures("fourth")
def test_its_command_is_known():
  assert registry.command("avenue", "c3d", segments=2, data_dir="/d") == (
    "python -m adplg_jax.prepare avenue:c3d --features DIR --annotations FILE "
    "--segments 2 --data_dir /d"
  )


def test_names_are_those_of_the_sources():
  names = ["synthetic", "folder", "ucf_crime", "xd_violence", "shanghaitech"]
  assert list(registry.SOURCES) == names
  for name in names:
    assert registry.find(name).name == name
  assert registry.SYNTHETIC is registry.find("synthetic")


def test_an_unknown_name_is_refused(capsys):
  with pytest.raises(ValueError) as error:
    registry.find("avenue")
  assert str(error.value) == (
    "the data set is 'avenue'; allowed: synthetic, folder, ucf_crime, "
    "xd_violence, shanghaitech."
  )
  with pytest.raises(SystemExit):
    prepare.main(["avenue:c3d", "--features", "x"])
  assert "the data set is 'avenue'; allowed:" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("name", "variant", "command"),
  [
    ("synthetic", "tiny", "synthetic --variant tiny"),
    ("folder", "mine", "folder --name mine --manifest MANIFEST.csv"),
    (
      "xd_violence",
      "i3d_vggish",
      "xd_violence:i3d_vggish --features DIR --annotations FILE",
    ),
  ],
)
def test_commands(name, variant, command):
  found = registry.command(name, variant, segments=64, data_dir="")
  assert found == f"python -m adplg_jax.prepare {command} --segments 64"


@pytest.mark.parametrize(
  ("name", "variant", "message"),
  [
    ("synthetic", "huge", "'huge'; allowed: "),
    ("ucf_crime", "I3D", "'I3D'; write 'i3d'"),
    ("ucf_crime", "", "ucf_crime:i3d, ucf_crime:clip, or ucf_crime:NAME"),
    ("ucf_crime", "a/b", "'a/b'; allowed: letters"),
    ("ucf_crime", "fixed", "a preset's name"),
  ],
)
def test_variants_without_a_command(name, variant, message):
  with pytest.raises(ValueError, match=message):
    registry.command(name, variant, segments=64, data_dir="")
