"""The command line: arguments, and what it needs."""

import subprocess
import sys

import pytest

from adplg_jax.prepare import __main__ as prepare


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["--skip-bad", "manifest"], "'manifest'; allowed: all, missing-file"),
    (["--dtype", "int8"], "invalid choice: 'int8'"),
  ],
)
def test_bad_arguments(mine, capsys, arguments, message):
  with pytest.raises(SystemExit):
    mine.prepare(*arguments)
  assert message in capsys.readouterr().err


def test_a_data_dir_that_cannot_be_is_named(mine, capsys):
  (mine.root / "file").write_text("")
  manifest = str(mine.root / "manifest.csv")
  below = str(mine.root / "file" / "below")
  own = ["folder", "--name", "own", "--manifest", manifest]
  assert prepare.main([*own, "--data_dir", below]) == 1
  said = capsys.readouterr().err
  assert str(mine.root / "file") in said
  assert "choose another --data_dir" in said


def test_preparing_needs_no_tensorflow(tmp_path):
  code = (
    "import sys; from adplg_jax.prepare import __main__ as prepare;"
    f"prepare.main(['synthetic', '--variant=tiny', '--data_dir={tmp_path}']);"
    "from adplg_jax.data import store;"
    f"store.open_dataset({str(tmp_path)!r}, 'synthetic', 'tiny', 32).test[0];"
    "print([m for m in ('tensorflow', 'jax') if m in sys.modules])"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert done.stdout.splitlines()[-1] == "[]"
  assert "writing: 100%" in done.stderr
  assert "file/s" in done.stderr


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["folder:one", "--name", "two", "--manifest", "m"], "one and two are two"),
    (["synthetic:tiny", "--variant", "small"], "tiny and small are two names"),
  ],
)
def test_two_names_are_refused(capsys, arguments, message):
  with pytest.raises(SystemExit):
    prepare.main(arguments)
  assert message in capsys.readouterr().err


def test_an_unknown_synthetic_variant_leaves_nothing(tmp_path, capsys):
  arguments = ["synthetic:nosuch", "--data_dir", str(tmp_path / "data")]
  assert prepare.main(arguments) == 1
  assert "'nosuch'; allowed: " in capsys.readouterr().err
  assert not (tmp_path / "data").exists()


def test_a_folder_data_set_is_named_as_others_are(mine):
  arguments = ["folder:mine", "--manifest", str(mine.root / "manifest.csv")]
  arguments += ["--data_dir", str(mine.root / "data"), "--segments", "4"]
  assert prepare.main(arguments) == 0
  assert len(mine.open().test) == 4
