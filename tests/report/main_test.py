"""The command line of the report."""

import json
import re
import sys

import pytest

from adplg_jax.report import __main__ as command
from tests.made_run import make_run
from tests.runs import run_command


def embedded(path):
  text = path.read_text("utf-8")
  (found,) = re.findall(r'id="contents">(.*?)</script>', text, re.DOTALL)
  return json.loads(found)


def test_one_page_for_two_runs(tmp_path, capsys):
  for number, name in enumerate(("first", "second")):
    make_run(tmp_path / name, videos=[64, 80], seed=number)
  out = tmp_path / "pages" / "both.html"
  workdirs = [f"--workdir={tmp_path / name}" for name in ("first", "second")]
  assert command.main([*workdirs, f"--out={out}"]) == 0
  assert str(out) in capsys.readouterr().out
  found = embedded(out)
  assert [run["name"] for run in found["runs"]] == ["first", "second"]
  assert "<title>Report: first, second</title>" in out.read_text("utf-8")
  assert found["about"].startswith("2 runs · adplg_jax ")
  one, other = found["runs"]
  assert one["videos"][0]["peak"] != other["videos"][0]["peak"]


def test_the_page_is_in_the_run_by_default(tmp_path):
  run = make_run(tmp_path / "run", videos=[64, 80])
  assert command.main(["--workdir", str(run)]) == 0
  assert len(embedded(run / "report.html")["runs"]) == 1


@pytest.mark.parametrize(
  ("spoil", "said"),
  [
    (lambda run: (run / "config.json").unlink(), "WorkdirError: "),
    (
      lambda run: (run / "metrics.jsonl").write_text("{\n"),
      "ValueError: .*metrics.jsonl is damaged",
    ),
    (lambda run: (run / "report.html").mkdir(), "IsADirectoryError: "),
  ],
)
def test_refusals(tmp_path, capsys, spoil, said):
  run = make_run(tmp_path / "run", videos=[64, 80])
  spoil(run)
  assert command.main(["--workdir", str(run)]) == 1
  assert re.match(said, capsys.readouterr().err)


def test_help_needs_no_jax():
  code = (
    "import sys; from adplg_jax.report.__main__ import main\n"
    "try: main(['--help'])\n"
    "except SystemExit: assert 'jax' not in sys.modules"
  )
  shown = run_command(sys.executable, "-c", code)
  assert "python -m adplg_jax.report --workdir=RUN" in shown
  assert len(shown.splitlines()) <= 24
