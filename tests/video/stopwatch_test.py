"""How long something is worked on."""

import time

from adplg_jax.video.stopwatch import Stopwatch


def test_making_counts_and_using_does_not():
  def slow():
    for number in range(3):
      time.sleep(0.02)
      yield number

  watch = Stopwatch()
  for number, item in enumerate(watch.over(slow())):
    assert number == item
    time.sleep(0.1)
  assert 0.06 <= watch.seconds < 0.2
