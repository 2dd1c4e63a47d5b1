"""The classes of Kinetics-400."""

from adplg_jax.video.kinetics import CLASSES


def test_there_are_as_many_classes_as_logits():
  assert len(CLASSES) == len(set(CLASSES)) == 400
  assert not any(name != name.strip() or not name for name in CLASSES)


def test_places_of_some_classes():
  """As the original's output on its cricket sample names them."""
  assert CLASSES[0] == "abseiling"
  assert CLASSES[227] == "playing cricket"
  assert CLASSES[399] == "zumba"
