"""Converts the authors' trained weights to a run of this package, and back.

Needs the extra `torch`. Only weights are ever unpickled. Source:
docs/method.md, section 7.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adplg_jax import method as method_lib
from adplg_jax import train_state
from adplg_jax.data import normalize, store
from adplg_jax.data.normalize import Normalization
from adplg_jax.interop import torch_names
from adplg_jax.interop.torch_names import Entry
from adplg_jax.prepare import registry
from adplg_jax.prepare.official import OfficialSource
from adplg_jax.run import load_model
from adplg_jax.run.checkpoint import Checkpointer
from adplg_jax.run.config_checks import check_config
from adplg_jax.run.files import write_atomically
from adplg_jax.run.workdir import Workdir

Shapes = Mapping[str, tuple[int, ...]]


class ConvertError(ValueError):
  """State dicts that do not fit; lists every entry that is off."""


def _torch() -> Any:
  """PyTorch, which the package needs nowhere else.

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
    raise ConvertError(f"{path} does not exist.") from error
  except Exception as error:
    raise ConvertError(
      f"{path} is refused: it has more than weights in it, or is damaged "
      f"({str(error).splitlines()[0][:200]}). Only a file that torch.save("
      "model.state_dict()) wrote is read."
    ) from error
  if not isinstance(loaded, Mapping):
    raise ConvertError(
      f"{path} is not a state dict, but {type(loaded).__name__}."
    )
  odd = [
    f"  {name}: {what}"
    for name, value in loaded.items()
    if (what := _oddity(torch, value))
  ]
  if odd:
    raise ConvertError(
      f"{path} has entries that are not weights:\n" + "\n".join(odd)
    )
  # The authors' program saves float32, which is kept here.
  return {k: v.detach().float().numpy() for k, v in loaded.items()}


def _oddity(torch: Any, value: Any) -> str:
  """Why an entry is not an array of weights; "" if it is one."""
  if not isinstance(value, torch.Tensor):
    return f"{type(value).__name__}, not a tensor"
  if value.layout != torch.strided:
    return f"a tensor of layout {value.layout}; save it dense"
  if not value.is_floating_point():
    return f"of type {value.dtype}; floating point is expected"
  return ""


def entry_faults(found: Shapes, expected: Shapes) -> list[str]:
  """A line for each entry that is missing, not expected or of another shape."""
  lines = [f"  missing: {name}" for name in expected if name not in found]
  lines += [f"  not expected: {name}" for name in found if name not in expected]
  lines += [
    f"  shape of {name}: {shape} there, {expected[name]} expected"
    for name, shape in found.items()
    if name in expected and shape != expected[name]
  ]
  return lines


def _branches(config: Any, feature_width: int) -> dict[str, list[Entry]]:
  """Entries of both branches."""
  video, snippet = config.video.model, config.snippet.model
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
  expected["snippet"] |= torch_names.unused_shapes(config.snippet.model)
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
  normalization = _normalization(config)
  with jax.enable_x64(config.precision == "float64"):
    state, feature_width = _converted(video, snippet, config)
  workdir = Workdir(to, config)
  try:
    checkpoints = Checkpointer(Path(to) / "checkpoints")
    meta = load_model.model_meta(config, feature_width, (), normalization)
    checkpoints.save(0, state, meta)
    checkpoints.close()
  finally:
    workdir.close()


def _converted(
  video: str | Path, snippet: str | Path, config: Any
) -> tuple[train_state.TrainState, int]:
  """The state of two state dicts at step 0, and D.

  Raises:
    ConvertError: A file does not fit.
  """
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
  return state, feature_width


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
  return config.snippet.model.width


def _dataset(config: Any) -> store.Dataset | None:
  """The data set of a configuration, None where it is not prepared."""
  name = (config.data_dir, config.data.builder, config.data.variant)
  if not store.is_prepared(*name, config.num_segments):
    return None
  return store.open_dataset(*name, config.num_segments)


def _normalization(config: Any) -> Normalization:
  """That of a configuration, with its data set's statistics.

  Raises:
    ConvertError: The data set is not prepared, or has none.
  """
  kind = config.data.normalize
  name = f"{config.data.builder}/{config.data.variant}"
  dataset = _dataset(config)
  if kind != "none" and dataset is None:
    raise ConvertError(
      f"config.data.normalize is {kind!r}, but {name} is not prepared here, so "
      "its statistics are not known. Prepare it first, or give "
      "--config.data.normalize=none if the weights take features as they are."
    )
  statistics = dataset.statistics if dataset else None
  try:
    return normalize.from_statistics(kind, statistics, name)
  except ValueError as error:
    raise ConvertError(str(error)) from error


def _num_keys(config: Any) -> int:
  """K of the data set: where it is not prepared, of the complete data set."""
  data, by_video = config.data, config.switches.history_key == "video"
  dataset = _dataset(config)
  if dataset is not None:
    metadata = dataset.metadata
    return metadata.num_video_keys if by_video else metadata.num_crop_keys
  name = f"{data.builder}/{data.variant} is not prepared here"
  source = registry.find(data.builder)
  keys = None
  if isinstance(source, OfficialSource):
    keys = source.layout(data.variant).num_keys(by_video=by_video)
  if keys is None:
    print(
      f"{name}: the weights can be used for scoring, but not trained further."
    )
    return 1
  print(f"{name}: to train further, it must have all its {keys} memory keys.")
  return keys


def to_torch(
  checkpoint: str | Path,
  video: str | Path,
  snippet: str | Path,
  which: str | int = "best",
) -> int:
  """Writes state dicts that the authors' modules load strictly.

  Args:
    checkpoint: A run's folder, or one of its checkpoints.
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
    # Reported before anything is written.
    path.parent.mkdir(parents=True, exist_ok=True)
  model = load_model.load_model(checkpoint, which)
  branches = _branches(model.config, model.feature_width)
  state_dicts = {
    name: torch_names.params_to_torch(entries, model.params[name])
    for name, entries in branches.items()
  }
  if model.normalization.kind != "none":
    print(
      f"The weights expect normalised features ({model.normalization.kind}): "
      "load_model(...).normalization.apply(features)."
    )
  unused = torch_names.unused_weights(model.config.snippet.model)
  state_dicts["snippet"] |= unused
  state_dicts["snippet"] |= torch_names.aliases(state_dicts["snippet"])
  print(
    f"{len(unused)} entries that training never uses have initial values, as "
    "in the authors' program."
  )
  for name, path in files.items():
    _write(torch, path, state_dicts[name])
  return model.step


def _write(torch: Any, path: str | Path, state_dict: Mapping[str, Any]) -> None:
  """torch.save, whole or not at all."""
  buffer = io.BytesIO()
  tensors = {
    name: torch.from_numpy(np.array(value, order="C"))
    for name, value in state_dict.items()
  }
  torch.save(tensors, buffer)
  write_atomically(path, buffer.getvalue())
