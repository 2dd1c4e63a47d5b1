"""What is drawn unless something else is asked for."""

from adplg_jax.score.drawn import LOOKS, Drawn, Plan


def test_a_few_videos_are_drawn_and_nothing_is_before():
  assert Plan() == Plan(videos=10, clips=3, overlay=True)
  assert Drawn() == Drawn((), None, (), (), 0.0)
  assert "not what the anomaly is" in LOOKS
