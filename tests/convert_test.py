"""The command line: the authors' weights as a run, and back."""

import json
import sys

import jax
import numpy as np
import pytest

from adplg_jax import convert, evaluate, main
from adplg_jax.data import store
from adplg_jax.run.config import load_config
from adplg_jax.run.load_model import load_model
from adplg_jax.run.workdir import read_config
from adplg_jax.video import i3d_names, i3d_weights
from tests import conversion, layouts
from tests.conversion import from_torch, to_torch
from tests.video import schemes


@pytest.fixture
def files(tmp_path):
  """A configuration, and state dicts that the reference saved."""
  pytest.importorskip("torch", reason="PyTorch is not installed")
  return conversion.write_files(tmp_path)


def test_round_trip_is_bit_exact_and_loads_strictly(files, tmp_path):
  torch = pytest.importorskip("torch")
  from tests.parity import torch_reference

  assert from_torch(tmp_path) == 0
  assert to_torch(tmp_path) == 0
  for name, module in (("v", files.video), ("s", files.snippet)):
    before = module.state_dict()
    back = torch.load(tmp_path / f"{name}2.pkl", weights_only=True)
    assert set(back) == set(before)
    for key, value in back.items():
      if not torch_reference.UNUSED.match(key):
        assert torch.equal(value, before[key]), key
    other = torch_reference.Reference(conversion.options())
    getattr(other, {"v": "video", "s": "snippet"}[name]).load_state_dict(
      back, strict=True
    )


def test_converted_checkpoint_scores_as_torch_does(files, tmp_path):
  layouts.prepare_synthetic(str(tmp_path / "data"), "tiny", 8)
  assert from_torch(tmp_path) == 0
  evaluate.evaluate_workdir(tmp_path / "run", "0", output=tmp_path / "out")
  with np.load(tmp_path / "out" / "scores.npz", allow_pickle=False) as file:
    starts = np.cumsum(file["frames"]) - file["frames"]
    found = {
      str(name): file["scores"][start : start + frames : 16]
      for name, start, frames in zip(
        file["names"], starts, file["frames"], strict=True
      )
    }
  import torch

  files.snippet.eval()
  crops = {}
  for example in store.open_dataset(
    str(tmp_path / "data"), "synthetic", "tiny", 8
  ).test:
    with torch.no_grad():
      scores = files.snippet(torch.tensor(example["features"])[None])[0]
    crops.setdefault(example["video"], []).append(scores.numpy())
  assert set(crops) == set(found)
  for name, scores in crops.items():
    np.testing.assert_allclose(
      found[name], np.mean(scores, axis=0), atol=1e-5, err_msg=name
    )


def test_converted_weights_can_be_trained_on(files, tmp_path):
  layouts.prepare_synthetic(str(tmp_path / "data"), "tiny", 8)
  assert from_torch(tmp_path) == 0
  config = load_config(str(tmp_path / "config.py"))
  config.data_dir = str(tmp_path / "data")
  assert main.run(config, str(tmp_path / "run")) == 0
  lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
  assert json.loads(lines[0])["step"] == 1


def test_the_step_to_convert_is_chosen(files, tmp_path, capsys):
  del files
  assert from_torch(tmp_path) == 0
  assert to_torch(tmp_path, "--step=0") == 0
  assert to_torch(tmp_path, "--step=5") == 1
  assert "allowed: best, last, or one of [0]" in capsys.readouterr().err


def test_other_weights_do_not_take_a_folders_place_in_silence(
  files, tmp_path, capsys
):
  import torch

  assert from_torch(tmp_path) == 0
  more = {k: v + 1 for k, v in files.video.state_dict().items()}
  torch.save(more, tmp_path / "more.pkl")
  assert from_torch(tmp_path, video="more.pkl") == 1
  assert "Choose another folder" in capsys.readouterr().err
  assert to_torch(tmp_path) == 0
  back = torch.load(tmp_path / "v2.pkl", weights_only=True)
  for key, value in files.video.state_dict().items():
    assert torch.equal(back[key], value)


def test_unwritable_files_are_reported_before_anything_is_written(
  files, tmp_path, capsys
):
  assert from_torch(tmp_path) == 0
  (tmp_path / "file").write_text("")
  for snippet, said in (
    ("file/s2.pkl", f"File exists: '{tmp_path / 'file'}'"),
    ("v2.pkl", "is named for both branches; name two files"),
  ):
    arguments = ["to-torch", f"--checkpoint={tmp_path / 'run'}"]
    arguments.append(f"--video={tmp_path / 'v2.pkl'}")
    arguments.append(f"--snippet={tmp_path / snippet}")
    assert convert.main(arguments) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "v2.pkl").exists()


def test_without_torch_the_extra_is_named(tmp_path, monkeypatch, capsys):
  monkeypatch.setitem(sys.modules, "torch", None)
  (tmp_path / "config.py").write_text(conversion.CONFIG)
  assert from_torch(tmp_path) == 1
  assert "adplg_jax[torch]" in capsys.readouterr().err
  assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
  ("words", "said"),
  [
    ([], "the following arguments are required: command"),
    (["to-torch"], "required: --checkpoint, --video, --snippet"),
    (["from-torch"], "required: --to, --video, --snippet"),
    (["video-weights"], "required: --to"),
    (["from-jax"], "invalid choice: 'from-jax'"),
  ],
)
def test_a_command_line_that_lacks_something(words, said, capsys):
  with pytest.raises(SystemExit):
    convert.main(words)
  assert said in capsys.readouterr().err


FILES = ["--video=v.pkl", "--snippet=s.pkl"]


@pytest.mark.parametrize(
  ("words", "said"),
  [
    (["--config=nothing"], "--config names 'nothing', but there is no such"),
    (["--config.batch=3"], "config.batch is not a field. Did you mean"),
  ],
)
def test_a_configuration_that_cannot_be_loaded(words, said, tmp_path, capsys):
  to = tmp_path / "run"
  assert convert.main(["from-torch", *FILES, f"--to={to}", *words]) == 1
  assert capsys.readouterr().err.startswith(f"ValueError: {said}")
  assert not to.exists()


def test_what_is_no_run_cannot_be_converted(tmp_path, capsys):
  pytest.importorskip("torch")
  names = [f"--video={tmp_path / 'v'}", f"--snippet={tmp_path / 's'}"]
  command = ["to-torch", f"--checkpoint={tmp_path}", *names]
  assert convert.main(command) == 1
  assert "WorkdirError:" in capsys.readouterr().err


def test_fields_are_not_changed_on_the_way_back(tmp_path, capsys):
  command = ["to-torch", f"--checkpoint={tmp_path}", *FILES, "--config.seed=3"]
  assert convert.main(command) == 1
  said = "ValueError: --config.seed=3: to-torch changes no fields; leave this"
  assert capsys.readouterr().err.startswith(said)


def test_weights_of_a_video_backbone_are_converted(tmp_path, capsys):
  pytest.importorskip("safetensors")
  tensors = schemes.renamed(i3d_names.TENSORFLOW)
  np.savez(tmp_path / "w.npz", **tensors)
  out = tmp_path / "w.safetensors"
  command = ["video-weights", f"--from={tmp_path / 'w.npz'}", f"--to={out}"]
  assert convert.main(command) == 0
  sha256 = i3d_weights.load_weights(tmp_path / "w.npz").sha256
  assert capsys.readouterr().out == f"{out}: w.npz, {sha256}\n"
  weights = i3d_weights.load_weights(out)
  assert (weights.sha256, weights.source) == (sha256, "w.npz")
  assert convert.main([*command, "--config.seed=3"]) == 1
  del tensors["RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w"]
  np.savez(tmp_path / "w.npz", **tensors)
  assert convert.main(command) == 1
  said = capsys.readouterr().err
  assert "video-weights changes no fields" in said
  assert "missing: RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w" in said


def test_a_run_of_float64_is_made_and_converted_back(files, tmp_path):
  import torch

  assert from_torch(tmp_path, "--config.precision=float64") == 0
  for leaf in jax.tree.leaves(load_model(tmp_path / "run").params):
    assert leaf.dtype == np.float64
  assert to_torch(tmp_path) == 0
  back = torch.load(tmp_path / "v2.pkl", weights_only=True)
  for key, value in files.video.state_dict().items():
    assert torch.equal(back[key].float(), value), key


def test_fields_are_changed_and_kept(files, tmp_path, capsys):
  del files
  assert from_torch(tmp_path, "--config.seed=3") == 0
  assert capsys.readouterr().out.endswith(f"{tmp_path / 'run'}: step 0\n")
  assert read_config(tmp_path / "run").seed == 3
  assert to_torch(tmp_path) == 0
  said = capsys.readouterr().out.splitlines()[-1]
  assert said == f"step 0: {tmp_path / 'v2.pkl'}, {tmp_path / 's2.pkl'}"


def test_normalisation_goes_with_the_weights(files, tmp_path, capsys):
  """The data set's, if the configuration names a kind."""
  kind = ["--config.data.normalize=standardize"]
  assert from_torch(tmp_path, *kind) == 1
  assert "not prepared here, so its statistics are not known" in (
    capsys.readouterr().err
  )
  layouts.prepare_synthetic(str(tmp_path / "data"), "tiny", 8)
  assert from_torch(tmp_path, *kind) == 0
  found = load_model(tmp_path / "run").normalization
  data = store.open_dataset(str(tmp_path / "data"), "synthetic", "tiny", 8)
  mean = data.statistics["mean"]
  assert found.kind == "standardize"
  np.testing.assert_allclose(found.offset, mean, rtol=1e-6)
  assert to_torch(tmp_path) == 0
  assert "The weights expect normalised features (standardize)" in (
    capsys.readouterr().out
  )
