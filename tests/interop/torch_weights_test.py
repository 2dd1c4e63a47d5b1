"""State dicts are read with care: hostile, damaged and odd files refused."""

import os
import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip(
  "torch", reason="the extra `torch` is not installed: conversion untested"
)

import jax  # noqa: E402

from adplg_jax import method as method_lib  # noqa: E402
from adplg_jax import train_state  # noqa: E402
from adplg_jax.configs import ucf_crime, xd_violence  # noqa: E402
from adplg_jax.interop import torch_weights  # noqa: E402
from tests import conversion  # noqa: E402
from tests.conversion import from_torch, to_torch  # noqa: E402
from tests.parity import torch_reference  # noqa: E402


@pytest.fixture
def files(tmp_path):
  """A configuration, and state dicts that the reference saved."""
  return conversion.write_files(tmp_path)


class Hostile:
  """Would write a file when it is unpickled."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("branch", ["v", "s"])
def test_a_hostile_pickle_is_refused_and_runs_nothing(
  files, tmp_path, branch, capsys
):
  victim = tmp_path / "victim"
  with (tmp_path / f"{branch}.pkl").open("wb") as file:
    pickle.dump({"x": Hostile(victim)}, file)
  torch.save({"x": Hostile(victim)}, tmp_path / "zip.pkl")
  assert from_torch(tmp_path) == 1
  assert "more than weights" in capsys.readouterr().err
  assert from_torch(tmp_path, video="zip.pkl") == 1
  assert not victim.exists()
  assert not (tmp_path / "run" / "checkpoints").exists()


def test_all_wrong_entries_are_listed_in_one_error(files, tmp_path, capsys):
  state_dict = files.snippet.state_dict()
  del state_dict["LSA2.to_logits.1.weight"]
  del state_dict["norm.bias"]
  state_dict["selfatt.layers.0.0.norm.weight"] = torch.zeros(3)
  state_dict["more"] = torch.zeros(1)
  torch.save(state_dict, tmp_path / "s.pkl")
  assert from_torch(tmp_path) == 1
  error = capsys.readouterr().err
  assert "missing: LSA2.to_logits.1.weight" in error
  assert "missing: norm.bias" in error
  assert "not expected: more" in error
  assert "selfatt.layers.0.0.norm.weight: (3,) there, (16,) expected" in error


def test_weights_that_are_not_finite_are_refused(files, tmp_path, capsys):
  bad = files.video.state_dict() | {
    "classifier_v.3.bias": torch.full((1,), torch.nan)
  }
  torch.save(bad, tmp_path / "nan.pkl")
  assert from_torch(tmp_path, video="nan.pkl") == 1
  assert (
    "the first is video/params/classifier/score/bias" in capsys.readouterr().err
  )


def test_missing_and_damaged_files(files, tmp_path, capsys):
  assert from_torch(tmp_path, video="none.pkl") == 1
  assert "does not exist" in capsys.readouterr().err
  data = (tmp_path / "v.pkl").read_bytes()
  (tmp_path / "half.pkl").write_bytes(data[: len(data) // 2])
  assert from_torch(tmp_path, video="half.pkl") == 1
  assert "damaged" in capsys.readouterr().err
  torch.save([1, 2], tmp_path / "list.pkl")
  assert from_torch(tmp_path, video="list.pkl") == 1
  assert "is not a state dict" in capsys.readouterr().err
  assert not Path(tmp_path / "run").exists()


def test_entries_have_the_programs_names_and_shapes():
  """At full width, as the authors' modules have them."""
  config = ucf_crime.get_config()
  method = method_lib.from_config(config, feature_width=1024, num_keys=1)
  state = jax.eval_shape(lambda: train_state.init_state(method, 0))
  expected = torch_weights.expected_shapes(config, 1024, state)
  with torch.device("meta"):
    theirs = {
      "video": torch_reference.VideoBranch(torch_reference.Options()),
      "snippet": torch_reference.SnippetBranch(torch_reference.Options()),
    }
  for name, module in theirs.items():
    shapes = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    assert expected[name] == shapes


def test_odd_entries_are_named_in_both_files(files, tmp_path, capsys):
  video, snippet = files.video.state_dict(), files.snippet.state_dict()
  video["classifier_v.0.bias"] = torch.zeros(4, dtype=torch.int64)
  video["Snippts_Fuse.q.bias"] = torch.zeros(8).to_sparse()
  snippet["LSA1.pos_emb.weight"] = 3
  torch.save(video, tmp_path / "v.pkl")
  torch.save(snippet, tmp_path / "s.pkl")
  assert from_torch(tmp_path) == 1
  error = capsys.readouterr().err
  assert "classifier_v.0.bias: of type torch.int64" in error
  assert "Snippts_Fuse.q.bias: a tensor of layout torch.sparse_coo" in error
  assert "LSA1.pos_emb.weight: int, not a tensor" in error


def test_entries_that_are_off_in_either_file_are_listed(
  files, tmp_path, capsys
):
  """Even those that the feature width is read from."""
  video, snippet = files.video.state_dict(), files.snippet.state_dict()
  del video["classifier_v.3.bias"]
  del snippet["embedding.conv_1.0.weight"]
  snippet["surplus"] = torch.zeros(1)
  torch.save(video, tmp_path / "v.pkl")
  torch.save(snippet, tmp_path / "s.pkl")
  assert from_torch(tmp_path) == 1
  error = capsys.readouterr().err
  for said in (
    "missing: classifier_v.3.bias",
    "missing: embedding.conv_1.0.weight",
    "not expected: surplus",
  ):
    assert said in error


def test_parameters_and_half_precision_are_read(files, tmp_path):
  video = {
    k: torch.nn.Parameter(v.bfloat16())
    for k, v in files.video.state_dict().items()
  }
  torch.save(video, tmp_path / "v.pkl")
  assert from_torch(tmp_path) == 0
  assert to_torch(tmp_path) == 0
  back = torch.load(tmp_path / "v2.pkl", weights_only=True)
  for key, value in video.items():
    assert torch.equal(back[key], value.detach().float())


def test_weights_of_a_data_set_that_is_not_prepared_here(capsys):
  config = xd_violence.get_config("i3d")
  config.data_dir = "/nowhere"
  assert torch_weights._num_keys(config) == 9525
  assert "is not prepared here: to train further" in capsys.readouterr().out
