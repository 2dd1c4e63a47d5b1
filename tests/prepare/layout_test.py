"""What the official kinds of features hold."""

from adplg_jax.prepare.layout import Expected, Features

EXPECTED = Expected((7, 8, 9))


def test_memory_keys_follow_from_the_videos_and_their_crops():
  features = Features(EXPECTED, crops=10)
  assert features.num_keys(by_video=True) == 8
  assert features.num_keys(by_video=False) == 80


def test_keys_by_crop_are_not_known_without_the_crops():
  assert Features(EXPECTED).num_keys(by_video=True) == 8
  assert Features(EXPECTED).num_keys(by_video=False) is None
