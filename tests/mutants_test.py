"""The tool that puts faults in, on a tiny project; and all of its faults."""

import subprocess
import sys

import pytest

from tests import mutants
from tests.faults import FAULTS, Fault

SOURCE = """
def area(width, height):
  return width * height


def edge(width, height):
  return 2 * (width + height)
"""
TESTS = """
import pytest

from shape.shape import area, edge


def test_area():
  assert area(2, 3) == 6


def test_edge():
  assert edge(0, 0) == 0


@pytest.mark.slow
def test_edge_of_a_square():
  assert edge(1, 1) == 4
"""
SETUP = """
[tool:pytest]
markers = slow
addopts = -q
"""


@pytest.fixture
def project(tmp_path):
  """A package with a linked folder, and a test that misses `edge`."""
  root = tmp_path / "project"
  (root / "real").mkdir(parents=True)
  (root / "real" / "shape.py").write_text(SOURCE)
  (root / "shape").symlink_to("real")
  (root / "area_test.py").write_text(TESTS)
  (root / "setup.cfg").write_text(SETUP)
  (root / ".gitignore").write_text("ignored\n__pycache__/\n")
  (root / "ignored").write_text("")
  subprocess.run(["git", "init", "-q", root], check=True)
  return root


def fault(text, replacement, test="area_test.py", name="wrong"):
  return Fault(name, "real/shape.py", text, replacement, (test,))


AREA = fault("width * height", "width + height", name="area")
EDGE = fault("2 * (width", "3 * (width", name="edge")


def run(project, *faults, only=()):
  options = [word for name in only for word in ("--only", name)]
  return mutants.main(options, faults=faults, root=project)


def test_a_fault_that_a_test_notices_is_killed(project, capsys):
  assert run(project, AREA) == 0
  printed = capsys.readouterr().out
  assert "area_test.py::test_area" in printed
  assert "1 faults: 1 killed, 0 survived, 0 not judged" in printed
  assert (project / "real" / "shape.py").read_text() == SOURCE


def test_a_fault_that_survives_makes_the_exit_status_1(project, capsys):
  """Slow tests, which would notice it, are not run."""
  assert run(project, AREA, EDGE) == 1
  printed = capsys.readouterr().out
  rows = {line.split()[0]: line.split()[2] for line in printed.splitlines()}
  assert (rows["area"], rows["edge"]) == ("killed", "SURVIVED")
  assert run(project, AREA, EDGE, only=["area"]) == 0


@pytest.mark.parametrize(("text", "count"), [("width", 4), ("depth", 0)])
def test_a_text_that_is_not_there_once_is_an_error(
  project, capsys, text, count
):
  assert run(project, fault(text, "x")) == 2
  said = capsys.readouterr().err
  assert f"wrong: its text occurs {count} times in real/shape.py" in said


def test_tests_that_fail_without_a_fault_are_an_error(project, capsys):
  (project / "real" / "shape.py").write_text(SOURCE.replace("* h", "- h"))
  assert run(project, EDGE) == 2
  said = capsys.readouterr().err
  assert "The tests fail without a fault (exit status 1)" in said
  assert "test_area" in said


@pytest.mark.parametrize(
  ("broken", "said"),
  [
    (fault("def area(width", "def area(:"), "exit status 2"),
    (fault("def edge", "raise SystemExit(7)\n\n\ndef edge"), "ERROR"),
    (fault("return 2", "return 3", "none_test.py"), "exit status 4"),
  ],
)
def test_a_fault_that_no_test_could_judge_is_an_error(
  project, capsys, broken, said
):
  """Neither killed nor survived: a file that is no Python, a missing test."""
  assert run(project, broken) == 2
  printed = capsys.readouterr()
  assert said in printed.out + printed.err


def test_tests_that_take_too_long_are_an_error(project, capsys, monkeypatch):
  monkeypatch.setattr(mutants, "TIMEOUT", 2)
  endless = fault("return width * height", "while True: pass")
  assert run(project, endless) == 2
  assert "took more than 2 s" in capsys.readouterr().out


def test_copies_have_links_and_new_files_but_none_that_are_ignored(
  project, tmp_path
):
  (project / "gone.py").write_text("")
  subprocess.run(["git", "add", "gone.py"], cwd=project, check=True)
  (project / "gone.py").unlink()
  mutants.copy_project(project, tmp_path / "copy")
  copied = {path.name for path in (tmp_path / "copy").iterdir()}
  assert copied == {".gitignore", "area_test.py", "real", "setup.cfg", "shape"}
  assert (tmp_path / "copy" / "shape").is_symlink()


def test_unknown_names_are_refused(project, capsys):
  assert run(project, AREA, only=["aera"]) == 2
  assert "No fault is called aera" in capsys.readouterr().err
  assert run(project, AREA, AREA) == 2
  assert "more than one fault: area" in capsys.readouterr().err


def test_the_list_can_be_applied_to_this_project(capsys):
  assert len(FAULTS) >= 30
  mutants.check(FAULTS, mutants.ROOT)
  assert mutants.main(["--list"]) == 0
  assert len(capsys.readouterr().out.splitlines()) == len(FAULTS)


@pytest.mark.slow
def test_no_fault_survives():
  done = subprocess.run(
    [sys.executable, "-m", "tests.mutants"],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stdout + done.stderr
