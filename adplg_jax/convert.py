"""Brings the authors' trained weights over, and takes ours back.

  python -m adplg_jax.convert from-torch --video V.pkl --snippet S.pkl --to DIR
      [--config configs/ucf_crime.py]
  python -m adplg_jax.convert to-torch --checkpoint DIR --video V.pkl
      --snippet S.pkl [--step best|last|STEP]

A run's folder that `from-torch` makes is taken by evaluate, by main
(fine-tuning) and by to-torch. Needs the extra `torch`. Only weights are ever
unpickled. Source: docs/method.md, section 7.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adplg_jax import method as method_lib
from adplg_jax import torch_names, train_state
from adplg_jax.checkpoint import Checkpointer, CheckpointError
from adplg_jax.config_checks import check_config
from adplg_jax.data import store
from adplg_jax.data.benchmarks import BENCHMARKS
from adplg_jax.evaluate import find_step, load_config_file
from adplg_jax.files import write_atomically
from adplg_jax.torch_names import Entry
from adplg_jax.workdir import Workdir, WorkdirError, load_config

Shapes = Mapping[str, tuple[int, ...]]


class ConvertError(ValueError):
  """State dicts that do not fit; lists every entry that is off."""


def _torch() -> Any:
  """PyTorch, which only this module needs.

  Raises:
    ConvertError: It is not installed.
  """
  try:
    import torch
  except ImportError as error:
    raise ConvertError(
      "PyTorch is needed to read and write .pkl files: pip install "
      "adplg_jax[torch]."
    ) from error
  return torch


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
  """Weights of a file; anything else in it is refused and runs nothing.

  Raises:
    ConvertError: No such file, or not a state dict of arrays alone.
  """
  torch = _torch()
  try:
    loaded = torch.load(path, map_location="cpu", weights_only=True)
  except FileNotFoundError as error:
    raise ConvertError(f"{path} is not there.") from error
  except Exception as error:
    raise ConvertError(
      f"{path} is refused: it holds more than weights, or is damaged "
      f"({str(error).splitlines()[0][:200]}). Only a file that torch.save("
      "model.state_dict()) wrote is read."
    ) from error
  if not isinstance(loaded, Mapping):
    raise ConvertError(
      f"{path} holds no state dict, but {type(loaded).__name__}."
    )
  odd = [
    f"  {name}: {what}"
    for name, value in loaded.items()
    if (what := _oddity(torch, value))
  ]
  if odd:
    raise ConvertError(
      f"{path} holds entries that are no weights:\n" + "\n".join(odd)
    )
  # float32 is what the program saves, and what is kept here.
  return {k: v.detach().float().numpy() for k, v in loaded.items()}


def _oddity(torch: Any, value: Any) -> str:
  """Why an entry is no array of weights; "" when it is one."""
  if not isinstance(value, torch.Tensor):
    return f"{type(value).__name__}, not a tensor"
  if value.layout != torch.strided:
    return f"a tensor of layout {value.layout}; save it dense"
  if not value.is_floating_point():
    return f"of type {value.dtype}; floating point is expected"
  return ""


def entry_faults(found: Shapes, expected: Shapes) -> list[str]:
  """A line for each entry that is missing, surplus or of another shape."""
  lines = [f"  missing: {name}" for name in expected if name not in found]
  lines += [f"  surplus: {name}" for name in found if name not in expected]
  lines += [
    f"  shape of {name}: {shape} there, {expected[name]} expected"
    for name, shape in found.items()
    if name in expected and shape != expected[name]
  ]
  return lines


def _branches(config: Any, feature_width: int) -> dict[str, list[Entry]]:
  """Entries of both branches."""
  video, snippet = config.video, config.snippet
  return {
    "video": torch_names.video_entries(projected=feature_width != video.width),
    "snippet": torch_names.snippet_entries(
      windows=snippet.windows,
      num_blocks=snippet.num_blocks,
      projected=feature_width != snippet.width,
    ),
  }


def expected_shapes(
  config: Any, feature_width: int, state: train_state.TrainState
) -> dict[str, dict[str, tuple[int, ...]]]:
  """Names and shapes of both branches' state dicts, in torch's layout.

  Args:
    config: The configuration.
    feature_width: D.
    state: A train state, or its shapes.

  Returns:
    {"video": {name: shape}, "snippet": {name: shape}}.
  """
  expected = {}
  for name, entries in _branches(config, feature_width).items():
    params = getattr(state, name).params
    empty = jax.tree.map(lambda x: np.empty(x.shape, bool), params)
    state_dict = torch_names.params_to_torch(entries, empty)
    expected[name] = {key: value.shape for key, value in state_dict.items()}
  expected["snippet"] |= torch_names.unused_shapes(
    config.snippet.width, config.snippet.windows, config.snippet
  )
  return expected


def from_torch(
  video: str | Path, snippet: str | Path, to: str | Path, config: Any
) -> None:
  """Makes a run's folder, at step 0, of two state dicts.

  Args:
    video: The video branch's file.
    snippet: The snippet branch's file.
    to: The folder to make.
    config: Configuration they belong to.

  Raises:
    ConvertError: A file does not fit.
    WorkdirError: The folder cannot be used.
  """
  check_config(config)
  files = {"video": video, "snippet": snippet}
  loaded = _read_both(files)
  feature_width = _feature_width(loaded["snippet"], config)
  method = method_lib.from_config(
    config, feature_width=feature_width, num_keys=_num_keys(config)
  )
  state = jax.jit(lambda: train_state.init_state(method, config.seed))()
  expected = expected_shapes(config, feature_width, state)
  params, faults = {}, []
  for name, entries in _branches(config, feature_width).items():
    found = {key: value.shape for key, value in loaded[name].items()}
    off = entry_faults(found, expected[name])
    if off:
      faults.append(f"{files[name]} does not fit the configuration (--config):")
      faults += off
      continue
    converted = torch_names.params_from_torch(entries, loaded[name])
    params[name] = jax.tree.map(
      lambda x, like: jnp.asarray(x, like.dtype),
      converted,
      getattr(state, name).params,
    )
  if faults:
    raise ConvertError("\n".join(faults))
  state = state.replace(
    video=state.video.replace(params=params["video"]),
    snippet=state.snippet.replace(params=params["snippet"]),
  )
  workdir = Workdir(to, config)
  try:
    checkpoints = Checkpointer(Path(to) / "checkpoints")
    checkpoints.save(
      0, state, {"config": config.to_dict(), "data": {"next_index": 0}}
    )
    checkpoints.close()
  finally:
    workdir.close()


def _read_both(
  files: Mapping[str, str | Path],
) -> dict[str, dict[str, np.ndarray]]:
  """Both state dicts.

  Raises:
    ConvertError: What is wrong with either file.
  """
  loaded, faults = {}, []
  for name, path in files.items():
    try:
      loaded[name] = read_state_dict(path)
    except ConvertError as error:
      faults.append(str(error))
  if faults:
    raise ConvertError("\n".join(faults))
  return loaded


def _feature_width(state_dict: Mapping[str, np.ndarray], config: Any) -> int:
  """D, from the first map a feature passes; the model's where it is missing."""
  for name in ("modal_fusion.0.weight", "embedding.conv_1.0.weight"):
    if name in state_dict and state_dict[name].ndim > 1:
      return state_dict[name].shape[1]
  return config.snippet.width


def _num_keys(config: Any) -> int:
  """K of the data set: where it is not prepared, of the complete benchmark."""
  data, by_video = config.data, config.switches.history_key == "video"
  if store.is_prepared(
    config.data_dir, data.builder, data.variant, config.num_segments
  ):
    metadata = store.open_dataset(
      config.data_dir, data.builder, data.variant, config.num_segments
    ).metadata
    return metadata.num_video_keys if by_video else metadata.num_crop_keys
  name = f"{data.builder}/{data.variant} is not prepared here"
  benchmark = BENCHMARKS.get(data.builder)
  if benchmark is None or data.variant not in benchmark.features:
    print(f"{name}: the weights can be scored with, but not trained on from.")
    return 1
  keys = benchmark.features[data.variant].num_keys(by_video=by_video)
  print(f"{name}: to train on, it must have all its {keys} memory keys.")
  return keys


def to_torch(
  checkpoint: str | Path,
  video: str | Path,
  snippet: str | Path,
  which: str = "best",
) -> int:
  """Writes state dicts that the authors' modules load strictly.

  Args:
    checkpoint: A run's folder.
    video: File to write for the video branch.
    snippet: File to write for the snippet branch.
    which: "best", "last" or a step.

  Returns:
    The step.

  Raises:
    CheckpointError: No such checkpoint, or a damaged one.
    ConvertError: One file is named for both branches.
    OSError: A file cannot be written.
    WorkdirError: The folder is not a run's.
  """
  torch = _torch()
  files = {"video": Path(video), "snippet": Path(snippet)}
  if files["video"].resolve() == files["snippet"].resolve():
    raise ConvertError(f"{video} is named for both branches; name two files.")
  for path in files.values():
    # What cannot be written is said before anything is.
    path.parent.mkdir(parents=True, exist_ok=True)
  config = load_config(checkpoint)
  checkpoints = Checkpointer(Path(checkpoint) / "checkpoints", read_only=True)
  step = find_step(checkpoints, which)
  place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  shapes = checkpoints.saved_shapes(step, place)
  state = checkpoints.restore(step, shapes).state
  params = {name: state[name]["params"] for name in ("video", "snippet")}
  first = "input" if "input" in params["snippet"] else "embedding"
  feature_width = params["snippet"][first]["kernel"].shape[-2]
  branches = _branches(config, feature_width)
  state_dicts = {
    name: torch_names.params_to_torch(entries, params[name])
    for name, entries in branches.items()
  }
  unused = torch_names.unused_weights(
    config.snippet.width, config.snippet.windows, config.snippet
  )
  state_dicts["snippet"] |= unused
  state_dicts["snippet"] |= torch_names.aliases(state_dicts["snippet"])
  print(
    f"{len(unused)} entries that training never uses were started as the "
    "program starts them."
  )
  for name, path in files.items():
    _write(torch, path, state_dicts[name])
  return step


def _write(torch: Any, path: str | Path, state_dict: Mapping[str, Any]) -> None:
  """torch.save, whole or not at all."""
  import io

  buffer = io.BytesIO()
  tensors = {
    name: torch.from_numpy(np.array(value, order="C"))
    for name, value in state_dict.items()
  }
  torch.save(tensors, buffer)
  write_atomically(path, buffer.getvalue())


def _parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser(prog="python -m adplg_jax.convert")
  commands = parser.add_subparsers(dest="command", required=True)
  there = commands.add_parser(
    "from-torch", help="state dicts to a run's folder"
  )
  there.add_argument("--to", required=True, help="folder to make")
  there.add_argument("--config", help="configuration file [UCF-Crime, I3D]")
  there.add_argument("--data_dir", default="", help="where data sets lie")
  back = commands.add_parser("to-torch", help="a run's folder to state dicts")
  back.add_argument("--checkpoint", required=True, help="the run's folder")
  back.add_argument("--step", default="best", help="best, last or a step")
  for command in (there, back):
    command.add_argument("--video", required=True, help=".pkl, video branch")
    command.add_argument(
      "--snippet", required=True, help=".pkl, snippet branch"
    )
  return parser


def main(argv: list[str] | None = None) -> int:
  """The command line."""
  arguments = _parser().parse_args(argv)
  try:
    if arguments.command == "to-torch":
      step = to_torch(
        arguments.checkpoint,
        arguments.video,
        arguments.snippet,
        arguments.step,
      )
      print(f"step {step}: {arguments.video}, {arguments.snippet}")
      return 0
    default = Path(__file__).parent / "configs" / "ucf_crime.py"
    config = load_config_file(arguments.config or str(default))
    config.data_dir = arguments.data_dir or config.data_dir
    from_torch(arguments.video, arguments.snippet, arguments.to, config)
    print(f"{arguments.to}: step 0")
  except (CheckpointError, OSError, WorkdirError, ValueError) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1
  return 0


if __name__ == "__main__":
  sys.exit(main())
