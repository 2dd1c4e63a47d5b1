"""What the published data sets share."""

from adplg_jax.prepare import registry


def test_key_counts_follow_from_the_expected_totals():
  def keys(name, by_video):
    return registry.find(name).features["i3d"].num_keys(by_video=by_video)

  assert keys("ucf_crime", True) == 810
  assert keys("xd_violence", False) == 9525
  assert keys("shanghaitech", False) == 630


def test_annotations_or_an_array_are_needed(ucf):
  ucf.annotations = None
  assert "--annotations or --ground-truth is needed" in ucf.report()
