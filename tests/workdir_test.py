import multiprocessing

import pytest

from adplg_jax import workdir
from adplg_jax.config_checks import check_config
from adplg_jax.configs import (
  base,
  folder,
  shanghaitech,
  synthetic,
  ucf_crime,
  xd_violence,
)
from adplg_jax.workdir import Workdir, WorkdirError


def test_another_configuration_is_refused_with_the_difference(tmp_path):
  config = synthetic.get_config()
  Workdir(tmp_path, config).close()
  config.video.learning_rate = 0.5
  config.snippet.windows = (2, 4)
  with pytest.raises(WorkdirError) as error:
    Workdir(tmp_path, config)
  assert "video.learning_rate: 0.001 there, 0.5 now" in str(error.value)
  assert "snippet.windows: [2, 4, 6, 8] there, [2, 4] now" in str(error.value)
  assert "total_steps" not in str(error.value)


def test_other_data_of_the_same_name_is_refused(tmp_path):
  config = synthetic.get_config()
  # As a conversion makes it, before its data set is there.
  Workdir(tmp_path, config).close()
  Workdir(tmp_path, config, {"fingerprint": "a"}).close()
  Workdir(tmp_path, config, {"fingerprint": "a"}).close()
  with pytest.raises(
    WorkdirError,
    match=r"on other data.*\n  fingerprint: 'a' there, 'b' now\n.*data_dir",
  ):
    Workdir(tmp_path, config, {"fingerprint": "b"})


@pytest.mark.parametrize("file", ["config.json", "data.json"])
@pytest.mark.parametrize("text", ["", "[]", '{"seed": 0'])
def test_damaged_files_are_named(tmp_path, file, text):
  config = synthetic.get_config()
  Workdir(tmp_path, config, {"fingerprint": "a"}).close()
  (tmp_path / file).write_text(text)
  with pytest.raises(WorkdirError, match=f"{file} is damaged.*Remove it"):
    Workdir(tmp_path, config, {"fingerprint": "a"})


def test_fields_without_meaning_may_change(tmp_path):
  config = synthetic.get_config()
  Workdir(tmp_path, config).close()
  for name in workdir.FREE_FIELDS:
    *parents, last = name.split(".")
    part = config
    for parent in parents:
      part = part[parent]
    part[last] = "elsewhere" if last == "data_dir" else part[last] + 7
  Workdir(tmp_path, config).close()
  assert workdir.load_config(tmp_path).total_steps == config.total_steps


def hold(path, ready, release):
  held = Workdir(path, synthetic.get_config())
  ready.set()
  release.wait()
  held.close()


def test_two_runs_on_one_workdir(tmp_path):
  """The second is refused; a dead one's lock does not stay."""
  context = multiprocessing.get_context("spawn")
  ready, release = context.Event(), context.Event()
  other = context.Process(target=hold, args=(tmp_path, ready, release))
  other.start()
  assert ready.wait(60)
  with pytest.raises(WorkdirError, match="Another run is using"):
    Workdir(tmp_path, synthetic.get_config())
  other.kill()
  other.join()
  Workdir(tmp_path, synthetic.get_config()).close()


def test_a_workdir_that_cannot_be_made(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(WorkdirError, match="cannot be written"):
    Workdir(tmp_path / "file" / "run", synthetic.get_config())


def test_not_a_workdir(tmp_path):
  with pytest.raises(WorkdirError, match=r"no config\.json"):
    workdir.load_config(tmp_path)


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
  fields = workdir.flatten(config.to_dict())
  assert set(fields) == set(workdir.flatten(base.get_config().to_dict()))
  for name, value in base.FIXED.items():
    if preset == "fixed":
      assert config.switches[name] == value
    elif name != "history_key":
      assert config.switches[name] == base.OFFICIAL[name]
  if preset == "official":
    crop = module in (xd_violence, shanghaitech)
    assert config.switches.history_key == ("crop" if crop else "video")


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
  ("field", "value", "allowed"),
  [
    ("video.learning_rate", float("inf"), "a finite number"),
    ("loss_weights.sparsity", float("nan"), "a finite number"),
    ("precision", "float16", "float32 | bfloat16 | float64"),
    ("pseudo_labels.history_length", 1, "2 or more"),
    ("snippet.dropout", 1.0, "not including, 1"),
    ("switches.bce", "hinge", "probabilities | logits"),
    ("snippet.width", 1022, "multiples of the number of windows, 4"),
    ("snippet.windows", [2, 2], "different whole numbers"),
    ("snippet.local_head_width", 7, "even numbers"),
    ("batch_size", 0, "1 or more"),
    ("data.builder", "avenue", "synthetic | folder"),
    ("video.learning_rate", -1.0, "above 0"),
    ("selection.validation_share", 1.0, "below 1"),
  ],
)
def test_impossible_values_are_refused(field, value, allowed):
  config = base.get_config()
  config.data.builder, config.data.variant = "folder", "x"
  config.update_from_flattened_dict({field: value})
  with pytest.raises(ValueError) as error:
    check_config(config)
  assert f"config.{field} is {value!r}" in str(error.value)
  assert allowed in str(error.value)


def test_folder_without_a_name_is_refused():
  with pytest.raises(ValueError, match=r"configs/folder.py:NAME"):
    check_config(folder.get_config())


def test_config_argument_with_too_many_words():
  with pytest.raises(ValueError, match="VARIANT,PRESET"):
    ucf_crime.get_config("i3d,clip")
