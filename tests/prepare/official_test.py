"""What the published data sets share."""

import pytest

from adplg_jax.prepare import registry
from adplg_jax.prepare.sources import shanghaitech, ucf_crime, xd_violence


def test_key_counts_follow_from_the_expected_totals():
  def keys(name, by_video):
    return registry.find(name).features["i3d"].num_keys(by_video=by_video)

  assert keys("ucf_crime", True) == 810
  assert keys("xd_violence", False) == 9525
  assert keys("shanghaitech", False) == 630


def test_annotations_or_an_array_are_needed(ucf):
  ucf.annotations = None
  assert "--annotations or --ground-truth is needed" in ucf.report()


@pytest.mark.parametrize("command", ["ucf", "xd", "clip"])
def test_annotations_are_parsed_once(command, request, monkeypatch):
  """Though a preparation needs them twice: for the split and for the spans."""
  layout = request.getfixturevalue(command)
  module = ucf_crime if layout.target.startswith("ucf") else xd_violence
  read_rows, calls = module.read_rows, []

  def counted(path, *others):
    calls.append(path)
    return read_rows(path, *others)

  monkeypatch.setattr(module, "read_rows", counted)
  assert layout.prepare()[0] == 0
  assert calls == [layout.annotations]


def test_masks_are_read_once(shanghai, monkeypatch):
  read_masks, calls = shanghaitech.read_masks, []

  def counted(folder, findings):
    calls.append(folder)
    return read_masks(folder, findings)

  monkeypatch.setattr(shanghaitech, "read_masks", counted)
  assert shanghai.prepare()[0] == 0
  assert calls == [shanghai.annotations]
