"""What made the features travels to the data set, and kinds do not mix."""

import re

import pytest

from adplg_jax.data.sidecar import sidecar_path
from adplg_jax.prepare.feature_kinds import kind_of, known_sidecar
from adplg_jax.prepare.videos import FileCrop, Video
from tests.sidecars import SIDECAR, write_sidecar


def files(mine):
  return sorted(mine.root.glob("t*.npy"))


def test_the_kind_is_in_the_data_set(mine):
  for path in files(mine):
    write_sidecar(path)
  status, printed = mine.prepare()
  assert status == 0 and f"features of the kind {SIDECAR.kind}" in printed
  assert mine.open().metadata.kind == SIDECAR.kind


def test_without_sidecars_it_is_not_known(mine):
  # Other people's NAME.json beside NAME.npy is none.
  sidecar_path(files(mine)[0]).write_text('{"author": "someone"}')
  assert known_sidecar(files(mine)[0]) is None
  assert mine.prepare()[0] == 0
  assert mine.open().metadata.kind == ""


def test_kinds_that_mix_are_refused_by_name(mine):
  for path in files(mine):
    write_sidecar(path)
  write_sidecar(files(mine)[2], kind="urdmu:abababab")
  report = mine.report()
  assert re.search(r"mixed-kinds: 1 \(videos whose features were made", report)
  name = files(mine)[2].name
  assert re.search(
    rf"{name}: features are of the kind 'urdmu:abababab', but those of "
    r"\d+ videos are of 'rocng:abababab'", report
  )  # fmt: skip


def test_videos_without_a_sidecar_beside_others_are_noted(mine):
  for path in files(mine)[1:]:
    write_sidecar(path)
  status, printed = mine.prepare()
  assert status == 0
  assert f"no sidecar says that they are of {SIDECAR.kind}" in printed
  assert mine.open().metadata.kind == SIDECAR.kind


@pytest.mark.parametrize(
  ("kinds", "expected"),
  [((), ""), (("a", "a"), "a"), (("a", "b"), "a+b"), ((None, "b"), "b")],
)
def test_streams_have_the_kinds_of_all(tmp_path, kinds, expected):
  paths = [tmp_path / "rgb.npy", tmp_path / "flow.npy"]
  for path, kind in zip(paths, kinds, strict=False):
    if kind is not None:
      write_sidecar(path, kind=kind)
  crop = FileCrop(0, paths[0], joined=(FileCrop(0, paths[1]),))
  video = Video("v", "test", 0, "normal", (crop,), "v")
  assert kind_of(video) == expected
