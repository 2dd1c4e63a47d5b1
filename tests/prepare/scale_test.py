"""The scale of features, against NumPy on all of them at once."""

import tracemalloc

import numpy as np
import pytest

from adplg_jax.prepare import scale as scale_lib
from adplg_jax.prepare.scale import Scale, measure


def crops(lengths=(1, 5, 64, 65, 200), width=6, dtype=np.float32):
  """Crops with a mean far above their spread; the last channel is constant."""
  rng = np.random.default_rng(0)
  made = []
  for length in lengths:
    own = 0.011 + 0.001 * rng.normal(size=width)
    x = own + 0.0015 * rng.normal(size=(length, width))
    x[:, -1] = 0.3
    made.append(x.astype(dtype))
  return made


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_statistics_are_those_of_all_snippets(dtype):
  scale, made = Scale(), crops(dtype=dtype)
  for crop in made:
    scale.add(measure(crop))
  found = scale.statistics(6)
  x = np.concatenate(made).astype(np.float64)
  centred = np.concatenate([c - c.mean(0, dtype=float) for c in made])
  expected = {
    "snippets": 335,
    "rms": np.sqrt((x**2).mean()),
    "norm": np.linalg.norm(x, axis=1).mean(),
    "spread": np.sqrt((centred**2).mean()),
    "mean": x.mean(0),
    "deviation": x.std(0),
  }
  assert list(found) == list(expected)
  for name, value in expected.items():
    np.testing.assert_allclose(found[name], value, rtol=1e-5)
  # To the last bit, whatever the number of crops.
  assert found["deviation"][-1] == 0


def test_the_order_of_the_crops_does_not_matter():
  forwards, backwards = Scale(), Scale()
  moments = [measure(crop) for crop in crops()]
  for one, other in zip(moments, moments[::-1], strict=True):
    forwards.add(one)
    backwards.add(other)
  one, other = forwards.statistics(6), backwards.statistics(6)
  for name in one:
    np.testing.assert_allclose(one[name], other[name], rtol=1e-12, atol=1e-15)


def test_widths_are_gathered_apart():
  scale = Scale()
  for width in (3, 4, 3):
    scale.add(measure(np.ones((2, width), np.float32)))
  assert scale.statistics(3)["snippets"] == 4
  assert scale.statistics(4)["snippets"] == 2
  assert scale.statistics(5) is None


def test_a_crop_is_measured_in_little_memory():
  crop = np.ones((20_000, 128), np.float16)
  tracemalloc.start()
  measure(crop)
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert peak < crop.nbytes / 10


def test_the_report_and_the_metadata_have_them(mine):
  """Of training crops alone, padding and segment means not yet made."""
  status, printed = mine.prepare()
  assert status == 0
  found = mine.open().statistics
  files = sorted(mine.root.glob("train*.npy"))
  x = np.concatenate([np.load(file) for file in files]).astype(np.float64)
  np.testing.assert_allclose(found["mean"], x.mean(0))
  np.testing.assert_allclose(found["rms"], np.sqrt((x**2).mean()))
  assert found["snippets"] == 30
  assert f"\n{scale_lib.describe(found)}\n" in printed
  assert f"root mean square {found['rms']:.3g}, norm of" in printed
