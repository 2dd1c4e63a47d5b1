"""A run's folder: lock, configuration, data."""

import multiprocessing

import pytest

from adplg_jax.configs import synthetic
from adplg_jax.run import workdir
from adplg_jax.run.config import flatten
from adplg_jax.run.workdir import Workdir, WorkdirError


def test_another_configuration_is_refused_with_the_difference(tmp_path):
  config = synthetic.get_config()
  Workdir(tmp_path, config).close()
  config.video.optimizer.learning_rate = 0.5
  config.snippet.model.windows = (2, 4)
  with pytest.raises(WorkdirError) as error:
    Workdir(tmp_path, config)
  assert "video.optimizer.learning_rate: 0.001 there, 0.5 now" in str(
    error.value
  )
  assert "snippet.model.windows: [2, 4, 6, 8] there, [2, 4] now" in str(
    error.value
  )
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


@pytest.mark.parametrize("before", [{}, {"categories": []}])
def test_data_that_are_prepared_again_may_have_more_properties(
  tmp_path, before
):
  """As by a newer version; the fingerprint says that they are the same."""
  config = synthetic.get_config()
  facts = {"fingerprint": "a", "dtype": "float32"}
  Workdir(tmp_path, config, facts | before).close()
  more = facts | {"categories": ("Abuse",)}
  Workdir(tmp_path, config, more).close()
  # From now on they are compared.
  for changed in ({"categories": ("Arson",)}, {"dtype": "float16"}):
    with pytest.raises(
      WorkdirError, match=f"on other data.*\n  {next(iter(changed))}"
    ):
      Workdir(tmp_path, config, more | changed)
  with pytest.raises(WorkdirError, match="fingerprint: 'a' there, 'b' now"):
    Workdir(tmp_path, config, more | {"fingerprint": "b"})


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
    is_text = isinstance(part[last], str)
    part[last] = "elsewhere" if is_text else part[last] + 7
  Workdir(tmp_path, config).close()
  assert workdir.read_config(tmp_path).total_steps == config.total_steps


def test_no_other_field_may_change():
  fields = flatten(synthetic.get_config().to_dict())
  refused = {
    name
    for name in fields
    if workdir.differences(fields, {**fields, name: "x"})
  }
  assert set(fields) - refused == {
    "total_steps",
    "log_every_steps",
    "data_dir",
    "data.cache_gib",
    "data.read_threads",
    "data.resident",
    "steps_per_dispatch",
    "evaluation.every_steps",
    "evaluation.batch_snippets",
    "checkpoint.every_steps",
    "checkpoint.keep",
    "checkpoint.keep_every_steps",
  }


def test_each_seed_has_a_folder_and_a_configuration_of_its_own(tmp_path):
  config = synthetic.get_config()
  assert workdir.seed_folders(tmp_path, config) == {0: tmp_path}
  config.seed, config.seeds = 3, 2
  folders = workdir.seed_folders(tmp_path, config)
  assert folders == {3: tmp_path / "seed_3", 4: tmp_path / "seed_4"}
  configs = workdir.configs_by_seed(config)
  assert [(c.seed, c.seeds) for c in configs.values()] == [(3, 1), (4, 1)]
  assert (config.seed, config.seeds) == (3, 2)


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
    workdir.read_config(tmp_path)
