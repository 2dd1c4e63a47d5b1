"""The configuration files."""

import pytest

from adplg_jax.configs import (
  base,
  folder,
  shanghaitech,
  synthetic,
  ucf_crime,
  xd_violence,
)
from adplg_jax.run.config import flatten
from adplg_jax.run.config_checks import check_config


@pytest.mark.parametrize("preset", ["official", "fixed"])
@pytest.mark.parametrize(
  ("module", "variant"),
  [
    (synthetic, "small"),
    (folder, "mine"),
    (ucf_crime, "clip"),
    (xd_violence, "i3d"),
    (shanghaitech, "i3d"),
  ],
)
def test_every_config_is_valid_and_differs_only_where_it_says(
  module, variant, preset
):
  config = module.get_config(f"{variant},{preset}")
  check_config(config)
  assert config.data.variant == variant
  fields = flatten(config.to_dict())
  assert set(fields) == set(flatten(base.get_config().to_dict()))
  for name, value in base.FIXED.items():
    if preset == "fixed":
      assert config.switches[name] == value
    elif name != "history_key":
      assert config.switches[name] == base.OFFICIAL[name]
  if preset == "official":
    crop = module in (xd_violence, shanghaitech)
    assert config.switches.history_key == ("crop" if crop else "video")


def test_published_features_are_taken_as_they_are():
  for module in (ucf_crime, xd_violence, shanghaitech):
    for features in ("i3d", "i3d_vggish", "clip"):
      assert module.get_config(features).data.normalize == "none"
    assert module.get_config().data.normalize == "none"
    assert module.get_config("x3d").data.normalize == base.OWN_NORMALIZE
  assert folder.get_config("mine").data.normalize == base.OWN_NORMALIZE
  assert synthetic.get_config().data.normalize == "none"


def test_official_hyper_parameters():
  ucf, xd, sht = (
    module.get_config() for module in (ucf_crime, xd_violence, shanghaitech)
  )
  for config, warm_up, mean, variance, history, metric in (
    (ucf, 1000, 0.25, 0.4, 3, "frame_auc"),
    (xd, 1500, 0.15, 0.5, 5, "frame_ap"),
    (sht, 1000, 0.2, 0.4, 4, "frame_auc"),
  ):
    assert config.warm_up_steps == warm_up
    assert config.pseudo_labels.mean_threshold == mean
    assert config.pseudo_labels.variance_threshold == variance
    assert config.pseudo_labels.history_length == history
    assert config.selection.metric == metric
    assert (config.batch_size, config.num_segments) == (32, 64)
    assert config.total_steps == 20_000


@pytest.mark.parametrize(
  "argument",
  ["features=clip,preset=fixed", "preset=fixed,features=clip", "clip,fixed"],
)
def test_arguments_by_name_and_by_place(argument):
  config = ucf_crime.get_config(argument)
  assert config.data.variant == "clip"
  assert config.switches.smooth_axis == "time"


def test_each_configuration_has_its_own_word_for_the_variant():
  assert folder.get_config("name=mine").data.variant == "mine"
  assert synthetic.get_config("variant=tiny").data.variant == "tiny"
  assert xd_violence.get_config("preset=fixed").data.variant == "i3d_vggish"


@pytest.mark.parametrize(
  ("argument", "message"),
  [
    ("i3d,clip", "'i3d,clip'; allowed: FEATURES,PRESET or features=...,preset"),
    ("official,fixed", "each at most once"),
    ("name=i3d", "allowed: FEATURES,PRESET"),
    ("preset=mended", "preset is 'mended' .*allowed: official, fixed"),
  ],
)
def test_arguments_that_make_no_sense(argument, message):
  with pytest.raises(ValueError, match=message):
    ucf_crime.get_config(argument)
