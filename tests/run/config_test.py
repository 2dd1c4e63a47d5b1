"""Configurations: files, arguments, overrides."""

import json

import pytest

from adplg_jax.configs import synthetic, ucf_crime
from adplg_jax.run import config


def load(argument, *overrides):
  return config.load_config(argument, overrides).to_dict()


def test_a_packaged_file_by_its_name(tmp_path, monkeypatch):
  """From any folder, as after `pip install`."""
  monkeypatch.chdir(tmp_path)
  assert load("ucf_crime") == ucf_crime.get_config().to_dict()
  clip = ucf_crime.get_config("clip,fixed").to_dict()
  assert load("ucf_crime:clip,fixed") == clip
  assert load("ucf_crime:features=clip,preset=fixed") == clip
  assert load("ucf_crime:preset=fixed,features=clip") == clip


def test_a_file_by_its_path(tmp_path, monkeypatch):
  text = "from adplg_jax.configs import synthetic\n\n\n"
  text += "def get_config(argument='tiny'):\n"
  text += "  config = synthetic.get_config(argument)\n"
  text += "  config.seed = 5\n"
  text += "  return config\n"
  (tmp_path / "own.py").write_text(text)
  monkeypatch.chdir(tmp_path)
  for path in ("own.py", f"{tmp_path}/own.py"):
    assert load(path)["data"]["variant"] == "tiny"
    assert load(f"{path}:small")["data"]["variant"] == "small"
    assert load(path)["seed"] == 5
  # A file that is there comes before the packaged one of its name.
  (tmp_path / "synthetic").write_text(text)
  assert load("synthetic")["seed"] == 5


@pytest.mark.parametrize(
  "name", ["nothing", "../configs/nothing.py", "base2", "long" * 99]
)
def test_a_missing_file_is_reported_in_one_line(name):
  with pytest.raises(ValueError) as error:
    load(f"{name}:i3d")
  assert str(error.value) == (
    f"--config names {name!r}, but there is no such file; allowed: the path of "
    "a configuration file, or one of ablations, folder, shanghaitech, "
    "synthetic, ucf_crime, xd_violence, with an argument after a colon."
  )


IMPORT = "from adplg_jax.configs import base\n"


@pytest.mark.parametrize(
  ("text", "argument", "said"),
  [
    ("seed = 0\n", "", "without get_config. A configuration file is"),
    ("# adplg_jax\n\nWeakly supervised", "", "fails (SyntaxError: invalid"),
    ("seed = '\0'\n", "", "fails ("),
    ("import nothing_of_that_name\n", "", "fails (ModuleNotFoundError: No mod"),
    (
      "def get_config(): return 1\n",
      ":i3d",
      "cannot be called with 'i3d' (",
    ),
    (
      "def get_config(name): return 1\n",
      "",
      "called without an argument (",
    ),
    ("def get_config(): return 1 / 0\n", "", "fails (ZeroDivisionError: "),
    ("def get_config(): return {}\n", "", "returns dict. A configuration"),
    (
      f"{IMPORT}def get_config():\n  c = base.get_config()\n"
      "  del c.data, c.seed\n  return c\n",
      "",
      "which lacks config.data.builder, config.data.cache_gib, config.data.",
    ),
    (
      f"{IMPORT}def get_config():\n  c = base.get_config()\n"
      "  c.seed = 'x'\n  return c\n",
      "",
      "whose get_config fails (TypeError: ",
    ),
  ],
)
def test_a_file_that_makes_no_configuration(tmp_path, text, argument, said):
  file = tmp_path / "own.py"
  file.write_text(text)
  with pytest.raises(ValueError) as error:
    load(f"{file}{argument}")
  assert said in str(error.value)
  assert "\n" not in str(error.value)


def test_a_field_that_only_a_file_has_is_refused(tmp_path):
  text = f"{IMPORT}def get_config():\n  c = base.get_config()\n"
  (tmp_path / "own.py").write_text(f"{text}  c.sede = 1\n  return c\n")
  with pytest.raises(
    ValueError, match=r"config.sede is not a field. Did you m"
  ):
    load(str(tmp_path / "own.py"))


@pytest.mark.parametrize(
  ("argument", "said"),
  [
    ("i3d,c3d", "argument is 'i3d,c3d'; allowed: FEATURES,PRESET or features="),
    ("widths=i3d", "'widths=i3d'; allowed"),
    ("preset=exact", "preset is 'exact' in configuration argument"),
  ],
)
def test_a_bad_argument_is_refused(argument, said):
  with pytest.raises(ValueError, match=said) as error:
    load(f"ucf_crime:{argument}")
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  ("word", "field", "value"),
  [
    ("seed=7", "seed", 7),
    ("data_dir=/some/place", "data_dir", "/some/place"),
    ("deterministic=true", "deterministic", True),
    (
      "video.optimizer.learning_rate=2e-3",
      "video.optimizer.learning_rate",
      2e-3,
    ),
    ("data.cache_gib=2", "data.cache_gib", 2.0),
    ("snippet.model.windows=(2,4)", "snippet.model.windows", [2, 4]),
    ("snippet.model.windows=3", "snippet.model.windows", [3]),
    ("switches.span_ends=inclusive", "switches.span_ends", "inclusive"),
  ],
)
def test_fields_are_changed_to_values_of_their_type(word, field, value):
  before = synthetic.get_config()
  changed = config.override(before, [f"--config.{word}"])
  found = config.flatten(changed.to_dict())
  assert found[field] == value
  assert type(found[field]) is type(value)
  # All others, and what was given, are as they were.
  unchanged = config.flatten(synthetic.get_config().to_dict())
  assert found | {field: unchanged[field]} == unchanged
  assert config.flatten(before.to_dict()) == unchanged
  assert config.flatten(load("synthetic", f"--config.{word}"))[field] == value


@pytest.mark.parametrize(
  ("word", "allowed"),
  [
    ("seed=one", "a whole number"),
    ("seed=1.5", "a whole number"),
    ("batch_size=", "a whole number"),
    ("video.optimizer.learning_rate=fast", "a number"),
    ("deterministic=perhaps", "true or false"),
    ("snippet.model.windows=(2,", "values in brackets, as in (2,4)"),
    ("data_dir", "text"),
  ],
)
def test_values_of_another_type_are_refused_in_one_line(word, allowed):
  name, equals, value = word.partition("=")
  what = f"is {value!r}" if equals else "has no value"
  words = ["--config.data.variant=x", f"--config.{word}"]
  with pytest.raises(ValueError) as error:
    config.override(synthetic.get_config(), words)
  assert str(error.value) == f"config.{name} {what}; allowed: {allowed}."


def test_no_field_can_be_added_to_what_was_loaded():
  loaded = config.load_config("synthetic")
  with pytest.raises(AttributeError):
    loaded.sead = 3
  with pytest.raises(ValueError, match=r"config\.sead is not a field"):
    config.override(loaded, ["--config.sead=3"])


def test_an_override_leaves_no_trace_in_the_next():
  first = config.load_config("synthetic", ["--config.seed=3"])
  assert (first.seed, config.load_config("synthetic").seed) == (3, 0)


@pytest.mark.parametrize(
  ("words", "overrides", "rest"),
  [
    ("", "", ""),
    (
      "--config=a --config.seed=1 --workdir=w",
      "--config.seed=1",
      "--config=a --workdir=w",
    ),
    ("--config.seed 1 -w", "--config.seed=1", "-w"),
    ("--config.seed -1 -w", "--config.seed=-1", "-w"),
    ("-config.seed=1 x", "-config.seed=1", "x"),
    ("--config a --config.seed 1", "--config.seed=1", "--config a"),
    (
      "--config.deterministic --config.seed 1",
      "--config.deterministic --config.seed=1",
      "",
    ),
    ("--config.data_dir=a=b", "--config.data_dir=a=b", ""),
    ("--configs.seed=1 config.seed=2", "", "--configs.seed=1 config.seed=2"),
  ],
)
def test_a_command_line_is_split(words, overrides, rest):
  found = config.split_overrides(words.split())
  assert found == (overrides.split(), rest.split())


def test_json_holds_a_configuration():
  """But for tuples, which are lists there."""
  before = synthetic.get_config()
  stored = json.loads(json.dumps(before.to_dict()))
  assert isinstance(stored["snippet"]["model"]["windows"], list)
  after = config.from_json(stored)
  assert after == before
  assert after.snippet.model.windows == before.snippet.model.windows
  assert isinstance(after.snippet.model.windows, tuple)


def test_fields_by_their_dotted_names():
  fields = {"a": 1, "b": {"c": (2, 3), "d": {"e": None}}, "f": {}}
  assert config.flatten(fields) == {"a": 1, "b.c": [2, 3], "b.d.e": None}
  assert config.flatten({"a": 1}, "x") == {"x.a": 1}


@pytest.mark.parametrize(
  ("name", "nearest"),
  [
    (
      "lr",
      "config.video.optimizer.learning_rate, "
      "config.snippet.optimizer.learning_rate",
    ),
    ("video.lr", "config.video.optimizer.learning_rate"),
    ("switches.ap", "config.switches.average_precision"),
    ("snippet.heads", "config.snippet.model.local_heads"),
    ("batchsize", "config.batch_size"),
  ],
)
def test_nearest_fields(name, nearest):
  with pytest.raises(ValueError, match=rf"Did you mean {nearest}"):
    config.check_fields([name], synthetic.get_config())


def test_every_unknown_field_is_named():
  with pytest.raises(ValueError) as error:
    config.check_fields(["lr", "seed", "sed"], synthetic.get_config())
  first, second, last = str(error.value).splitlines()
  assert first.startswith("config.lr is not a field.")
  assert second.startswith(
    "config.sed is not a field. Did you mean config.seed"
  )
  assert last == "docs/configuration.md lists all fields."
