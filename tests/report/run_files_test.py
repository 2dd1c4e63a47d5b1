"""The files of a run, and damaged ones."""

import numpy as np
import pytest

from adplg_jax.report import run_files
from tests.made_run import make_run


def test_all_that_a_run_wrote(tmp_path):
  found = run_files.read_files(make_run(tmp_path / "run", videos=[64, 80]))
  assert [line["step"] for line in found.steps] == list(range(1, 31))
  assert found.evaluations[0]["frame_auc"] is not None
  assert set(found.results) == {"last", "selected"}
  assert found.selection["selected_step"] == 30
  assert found.scores is not None
  assert found.scores["frames"].tolist() == [64, 80]
  assert found.data == {"fingerprint": "made"}


def test_a_run_that_has_just_begun(tmp_path):
  found = run_files.read_files(tmp_path)
  assert found.steps == found.evaluations == []
  assert found.results == {}
  assert found.scores is None


def test_a_line_that_is_being_written_is_left_out(tmp_path):
  run = make_run(tmp_path / "run", videos=[64, 80])
  with (run / "metrics.jsonl").open("a") as file:
    file.write('{"step": 31, "los')
  assert len(run_files.read_files(run).steps) == 30


def test_an_evaluation_stands_in_for_results(tmp_path):
  run = make_run(tmp_path / "run", videos=[64, 80])
  (run / "results").rename(run / "evaluation")
  assert run_files.read_files(run).results["last"]["step"] == 30


def damage_lines(run):
  (run / "metrics.jsonl").write_text('{"step": 1}\nnothing\n')


def damage_metrics(run):
  (run / "results/selected/metrics.json").write_text("[]")


def damage_archive(run):
  (run / "results/selected/scores.npz").write_bytes(b"PK not an archive")


def damage_pickle(run):
  np.savez(
    run / "results/selected/scores.npz",
    frames=np.array([1]),
    names=np.array([{}], dtype=object),
  )


def damage_lengths(run):
  file = run / "results/selected/scores.npz"
  with np.load(file) as stored:
    arrays = dict(stored)
  np.savez(file, **(arrays | {"scores": arrays["scores"][:-1]}))


def damage_fields(run):
  file = run / "results/selected/scores.npz"
  with np.load(file) as stored:
    arrays = dict(stored)
  del arrays["labels"]
  np.savez(file, **arrays)


@pytest.mark.parametrize(
  ("damage", "said"),
  [
    (damage_lines, r"metrics\.jsonl is damaged \(Expecting value"),
    (damage_metrics, r"metrics\.json is damaged \(it has no fields\)"),
    (damage_archive, r"scores\.npz is damaged \("),
    (damage_pickle, r"scores\.npz is damaged \(Object arrays cannot"),
    (damage_lengths, r"damaged \(scores has not one value for each frame\)"),
    (damage_fields, r"scores\.npz is damaged \('labels"),
  ],
)
def test_a_damaged_file_is_named(tmp_path, damage, said):
  run = make_run(tmp_path / "run", videos=[64, 80])
  damage(run)
  with pytest.raises(ValueError, match=said) as error:
    run_files.read_files(run)
  assert "continue the run with python -m adplg_jax.main" in str(error.value)
