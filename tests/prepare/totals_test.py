"""Totals of a published data set next to those expected."""

from adplg_jax.prepare.layout import Expected, Features
from adplg_jax.prepare.totals import incomplete, totals
from adplg_jax.prepare.videos import ArrayCrop, Video
from tests import layouts

EXPECTED = Expected((7, 8, 9), 1000, 16_000, 0.25)


def video(name, split, label, crops, snippets, spans=()):
  x = layouts.features(name, snippets)
  rows = tuple(ArrayCrop(i, x, name) for i in range(crops))
  return Video(
    name, split, label, "x", rows, name, spans=spans, snippets=snippets
  )


VIDEOS = [
  video("a", "train", 0, 2, 3),
  video("b", "train", 0, 1, 3),
  video("c", "train", 1, 2, 3),
  video("d", "test", 0, 2, 4),
  video("e", "test", 1, 2, 6, ((0, 16), (92, 200))),
  video("f", "test", 1, 2, 1, None),
]


def table(features):
  """{what: (found, expected)}."""
  header, *lines = totals(VIDEOS, features)
  assert header.split() == ["found", "expected"]
  rows = {}
  for line in lines:
    if line.startswith("note:"):
      continue
    words = line.split()
    rows[" ".join(words[:-2])] = tuple(words[-2:])
  return rows


def test_all_is_counted():
  assert table(Features(EXPECTED, crops=10)) == {
    "training videos, normal": ("2", "7"),
    "training videos, anomalous": ("1", "8"),
    "training crops, normal": ("3", "70"),
    "training crops, anomalous": ("2", "80"),
    "test videos": ("3", "9"),
    "test crops": ("6", "90"),
    "test snippets": ("11", "1000"),
    "test frames": ("176", "16000"),
    # 16 frames, and 4 of the span that ends past its video.
    "anomalous share of them": ("11.36%", "25.00%"),
  }


def test_what_is_not_fixed_is_a_dash():
  features = Features(Expected((7, 8, 9)), crops=10, official_test_crop=5)
  rows = table(features)
  for what in ("test crops", "test snippets", "test frames"):
    assert rows[what][1] == "-"
  assert rows["anomalous share of them"] == ("11.36%", "-")


def test_a_far_share_is_pointed_out():
  def notes(share):
    expected = Expected((7, 8, 9), anomalous_share=share)
    lines = totals(VIDEOS, Features(expected))
    return [line for line in lines if line.startswith("note:")]

  # 11.36 % are found.
  assert notes(0.10) == notes(0.16) == []
  assert "11.36% of the test frames are anomalous, 25.00%" in notes(0.25)[0]
  assert len(notes(0.07)) == 1


def test_nothing_was_found():
  lines = totals([], Features(EXPECTED, crops=10))
  assert lines[-1].split()[-2:] == ["0.00%", "25.00%"]


def test_what_is_missing_is_put_in_words():
  expected = Expected((2, 2, 9))
  assert incomplete(VIDEOS, expected, ["x", "y", "z"]) == (
    "incomplete: 1 of 2 anomalous training videos; 3 of 9 test videos; no "
    "video of class y, z"
  )
  assert incomplete(VIDEOS, Expected((2, 1, 3)), ["x"]) == ""
