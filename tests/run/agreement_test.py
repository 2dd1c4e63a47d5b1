"""Processes of a job that were given different things say so."""

import pytest

from adplg_jax.run import agreement
from tests.jobs import finish, free_port, start
from tests.layouts import prepare_synthetic


def refusals(tmp_path, *flags, data_dirs):
  """What two processes say that were given different things."""
  port = free_port()
  jobs = [
    start(
      tmp_path,
      data_dirs[index],
      f"--distributed=localhost:{port},2,{index}",
      *own,
    )
    for index, own in enumerate(flags)
  ]
  return [finish(process, code=1) for process in jobs]


def test_processes_that_disagree_say_so(data_dir, tmp_path):
  """Even on the precision, which no array would show."""
  for error in refusals(
    tmp_path,
    ["--config.video.model.dropout=0.1"],
    ["--config.video.model.dropout=0.2", "--config.precision=float32"],
    data_dirs=(data_dir, data_dir),
  ):
    assert "config.video.model.dropout: [0.1, 0.2]" in error
    assert "config.precision: ['float64', 'float32']" in error


@pytest.mark.slow
def test_processes_with_other_data_say_so(data_dir, tmp_path):
  """Of the same name and counts; only the features differ."""
  other = tmp_path / "data"
  prepare_synthetic(str(other), "tiny", 8, dtype="float16")
  for error in refusals(tmp_path / "run", [], [], data_dirs=(data_dir, other)):
    assert "data.fingerprint: [" in error
    assert "data.dtype: ['float32', 'float16']" in error


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [0, 1])
def test_what_one_process_refuses_all_report(data_dir, tmp_path, wrong):
  flags = [[], []]
  flags[wrong] = ["--config.batch_size=0"]
  errors = refusals(tmp_path, *flags, data_dirs=(data_dir, data_dir))
  assert "config.batch_size is 0; allowed: 1 or more" in errors[wrong]
  said = f"process {wrong}: config.batch_size is 0; allowed"
  assert said in errors[1 - wrong]


def others(monkeypatch, *given):
  """Stands in for the exchange with processes that were given these."""
  monkeypatch.setattr(agreement, "_exchange", lambda mine: [dict(mine), *given])


def test_a_single_process_agrees_with_itself():
  agreement.check_agreement({"config": {"seed": 0}})


def test_fields_and_values_are_named_by_process(monkeypatch):
  others(monkeypatch, {"config.seed": 1, "config.b": 2, "data.width": 3})
  with pytest.raises(agreement.DisagreementError) as error:
    agreement.check_agreement({"config": {"seed": 0, "b": 2}})
  assert str(error.value).splitlines() == [
    "The processes of this job disagree (values by process):",
    "  config.seed: [0, 1]",
    "  data.width: [None, 3]",
    "Start all of them with the same configuration and data.",
  ]


def test_fields_of_the_host_may_differ(monkeypatch):
  others(monkeypatch, {"config.seed": 0})
  mine = {
    "seed": 0,
    "data_dir": "/a",
    "data": {"cache_gib": 1.0, "read_threads": 2},
  }
  agreement.check_agreement({"config": mine})


def test_what_another_process_refuses_is_reported(monkeypatch):
  others(monkeypatch, {"refusal": "config.seed is -1."})
  with pytest.raises(agreement.DisagreementError) as error:
    agreement.check_agreement({"config": {"seed": 0}})
  assert "\n  process 1: config.seed is -1." in str(error.value)


def test_a_refusal_is_raised_again_once_it_is_shared(monkeypatch):
  shared = []
  monkeypatch.setattr(agreement, "_exchange", shared.append)
  with pytest.raises(ValueError, match="no good"), agreement.shared_refusal():
    raise ValueError("no good")
  assert shared == [{"refusal": "no good"}]
  with agreement.shared_refusal():
    pass
  assert len(shared) == 1
