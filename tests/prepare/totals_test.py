"""Totals of a published data set next to those expected."""

from adplg_jax.prepare.layout import Expected, Features
from adplg_jax.prepare.totals import totals
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
    words = line.split()
    rows[" ".join(words[:-2])] = tuple(words[-2:])
  return rows


def test_all_is_counted():
  assert table(Features(4, 4, 10, EXPECTED)) == {
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
  features = Features(4, 4, 10, Expected((7, 8, 9)), official_test_crop=5)
  rows = table(features)
  for what in ("test crops", "test snippets", "test frames"):
    assert rows[what][1] == "-"
  assert rows["anomalous share of them"] == ("11.36%", "-")


def test_nothing_was_found():
  lines = totals([], Features(4, 4, 10, EXPECTED))
  assert lines[-1].split()[-2:] == ["0.00%", "25.00%"]
