"""An experiment: a configuration's data set, method and devices, opened."""

import dataclasses
import functools
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grain
import jax
import numpy as np
from absl import logging

from adplg_jax import method as method_lib
from adplg_jax import train_state
from adplg_jax.data import normalize, pipeline, store
from adplg_jax.data.normalize import Normalization
from adplg_jax.method import Method
from adplg_jax.prepare import registry, segments, staging
from adplg_jax.prepare.source import Options
from adplg_jax.run import load_model, sharding, workdir
from adplg_jax.run.compilation_cache import keep_programs
from adplg_jax.run.config_checks import check_batch_size, check_config
from adplg_jax.train_state import TrainState


def set_up_jax(config: Any) -> None:
  """Process-wide switches of a checked configuration, before devices are used.

  Args:
    config: As `open_experiment` accepts it.
  """
  keep_programs()
  jax.config.update("jax_enable_x64", config.precision == "float64")
  if config.deterministic:
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true"
  if config.matmul_precision != "default":
    jax.config.update("jax_default_matmul_precision", config.matmul_precision)


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A configuration's data set, method and devices.

  Attributes:
    config: The configuration.
    dataset: The prepared data set, its features normalised.
    method: Models, optimisers, thresholds.
    normalization: That of the features.
  """

  config: Any
  dataset: store.Dataset
  method: Method
  normalization: Normalization = normalize.NONE

  @functools.cached_property
  def mesh(self) -> jax.sharding.Mesh:
    """The devices of the job.

    Raises:
      ValueError: Its processes have different numbers of them.
    """
    return sharding.make_mesh()

  def meta(self, seed: int) -> dict[str, Any]:
    """What `load_model` needs from a checkpoint of a seed."""
    metadata = self.dataset.metadata
    return load_model.model_meta(
      workdir.configs_by_seed(self.config)[seed],
      metadata.feature_width,
      metadata.categories,
      self.normalization,
      frames_per_snippet=metadata.frames_per_snippet,
      window=metadata.window,
      kind=metadata.kind,
    )

  def normalized(self, normalization: Normalization) -> "Experiment":
    """The same experiment, with features normalised in another way."""
    return dataclasses.replace(
      self,
      dataset=self.dataset.normalized(normalization),
      normalization=normalization,
    )

  def facts(self) -> dict[str, Any]:
    """Properties of the data set, the same in all processes of a job."""
    return dataclasses.asdict(self.dataset.metadata) | {
      "train_normal": len(self.dataset.train_normal),
      "train_anomalous": len(self.dataset.train_anomalous),
      "test": len(self.dataset.test),
    }

  @functools.cached_property
  def state_shapes(self) -> TrainState:
    """The train state's shapes, types and shardings."""
    shapes = jax.eval_shape(self._init, 0)
    place = sharding.replicated(self.mesh)
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), shapes
    )

  def init_state(self, seed: int | None = None) -> TrainState:
    """The state before the first step, made on its devices.

    Args:
      seed: By default that of the configuration.
    """
    place = sharding.replicated(self.mesh)
    return jax.jit(self._init, out_shardings=place)(
      self.config.seed if seed is None else seed
    )

  def _init(self, seed: Any) -> TrainState:
    return train_state.init_state(self.method, seed)

  @property
  def seeds(self) -> tuple[int, ...]:
    """The seeds that are trained."""
    return tuple(workdir.configs_by_seed(self.config))

  def check_batch_size(self) -> None:
    """Refuses a batch that the data cannot fill or the devices cannot share.

    Raises:
      ValueError: Naming the size and sizes that are allowed.
    """
    check_batch_size(
      self.config.batch_size,
      devices=self.mesh.size,
      **{name: len(rows) for name, rows in self._training_split().items()},
    )

  def training_iterator(self, first_step: int) -> Iterator[dict[str, Any]]:
    """This process's rows of the batches from `first_step` on.

    Their size must be one that `check_batch_size` accepts.
    """
    config = self.config
    share = config.batch_size // jax.process_count()
    first = jax.process_index() * share
    crops = self.training_crops(in_memory=self._fits_in_memory())
    return pipeline.iterate(
      pipeline.training_batches(
        self.batch_places(), crops, slice(first, first + share)
      ),
      first_step=first_step,
      threads=config.data.read_threads,
    )

  def batch_places(self) -> grain.MapDataset:
    """Which training crops each batch has; see `pipeline.batch_places`."""
    return pipeline.batch_places(
      {name: len(rows) for name, rows in self._training_split().items()},
      batch_size=self.config.batch_size,
      seeds=self.seeds,
    )

  def training_crops(
    self, *, in_memory: bool
  ) -> dict[str, pipeline.TrainingSet]:
    """The training crops of each class.

    Args:
      in_memory: Read all of them now.
    """
    columns = {"features": "features", "length": "length"}
    switches = self.config.switches
    own: dict[str, Any] = {"key": f"{switches.history_key}_key"}
    if self.dataset.metadata.training_truth:
      own["truth"] = functools.partial(
        segments.segment_truth, span_ends=switches.span_ends
      )
    return {
      name: pipeline.TrainingSet(
        getattr(self.dataset, f"train_{name}"),
        rows,
        columns if name == "normal" else columns | own,
        in_memory=in_memory,
        name=name,
      )
      for name, rows in self._training_split().items()
    }

  def _training_split(self) -> dict[str, np.ndarray]:
    """Rows of each class that are trained on."""
    return {
      name: self._training_rows(getattr(self.dataset, f"train_{name}"))
      for name in ("normal", "anomalous")
    }

  @property
  def training_numbers(self) -> int:
    """How many numbers the features of all training crops are."""
    crops = sum(map(len, self._training_split().values()))
    return crops * self.config.num_segments * self.method.feature_width

  def _fits_in_memory(self) -> bool:
    """Whether the training features stay within config.data.cache_gib."""
    gib = self.training_numbers * 4 / 2**30
    fits = gib <= self.config.data.cache_gib
    logging.info(
      "Training features: %.2f GiB as float32, %s.",
      gib,
      "kept in memory" if fits else "read when needed",
    )
    return fits

  def _training_rows(self, source: store.Split) -> np.ndarray:
    """Rows of a training split that are not held out for validation."""
    if self.config.selection.split == "test":
      return np.arange(len(source))
    return np.flatnonzero(~self._held_out(source))

  def _held_out(self, source: store.Split) -> np.ndarray:
    """Crops of held-out videos: those whose names' hashes are lowest."""
    names = source.videos
    ranked = sorted(
      set(names), key=lambda name: (zlib.crc32(name.encode()), name)
    )
    count = round(len(ranked) * self.config.selection.validation_share)
    chosen = set(ranked[: max(count, 1)])
    return np.array([name in chosen for name in names])

  @property
  def test(self) -> Sequence[Mapping[str, Any]]:
    """Test crops that are scored, at full length."""
    if self.config.switches.single_clip_crop:
      return self.dataset.official_test
    return self.dataset.test

  def validation_examples(self) -> Iterator[dict[str, Any]]:
    """Segment means of the training videos held out, as test examples."""
    splits = (self.dataset.train_normal, self.dataset.train_anomalous)
    for label, source in enumerate(splits):
      for row in np.flatnonzero(self._held_out(source)):
        example = source[int(row)]
        rows = int(example["length"]) or len(example["features"])
        yield {
          "features": example["features"][:rows],
          "video": example["video"],
          "crop": example["crop"],
          "category": example["category"],
          "label": label,
          "frames": rows,
          "frames_per_snippet": 1,
          "window": 1,
          "spans": np.zeros((0, 2), np.int64),
          "has_spans": False,
          "exact_spans": False,
        }


def open_experiment(config: Any) -> Experiment:
  """Checks a configuration and opens its data set; touches no device.

  The synthetic data set is prepared if it is missing.

  Raises:
    ValueError: A field's value, or the data set, cannot be used.
  """
  check_config(config)
  dataset = _open_dataset(config)
  metadata = dataset.metadata
  if metadata.incomplete:
    logging.warning(
      "The data set %s:%s is %s.",
      config.data.builder,
      config.data.variant,
      metadata.incomplete,
    )
  longest = config.snippet.model.max_snippets
  if metadata.longest_test_snippets > longest:
    raise ValueError(
      f"config.snippet.model.max_snippets is {longest}, but test video "
      f"{metadata.longest_test_video} has "
      f"{metadata.longest_test_snippets} snippets; raise it to at least that "
      "(a model is trained for one value), or cut the video."
    )
  by_video = config.switches.history_key == "video"
  method = method_lib.from_config(
    config,
    feature_width=metadata.feature_width,
    num_keys=metadata.num_video_keys if by_video else metadata.num_crop_keys,
  )
  normalization = _normalization(config, dataset)
  return Experiment(config, dataset, method).normalized(normalization)


def _normalization(config: Any, dataset: store.Dataset) -> Normalization:
  """That of a configuration, with the data set's statistics.

  Raises:
    ValueError: It has none; with the command that prepares it again.
  """
  data = config.data
  try:
    return normalize.from_statistics(
      data.normalize, dataset.statistics, f"{data.builder}/{data.variant}"
    )
  except ValueError as error:
    raise ValueError(
      f"{error}\n  {_prepare_command(config)} --overwrite"
    ) from error


def _prepare_command(config: Any) -> str:
  return registry.command(
    config.data.builder,
    config.data.variant,
    segments=config.num_segments,
    data_dir=config.data_dir,
  )


def _open_dataset(config: Any) -> store.Dataset:
  """The prepared data set of a configuration.

  Raises:
    NotPreparedError: With the command that prepares it.
    ValueError: No such data set.
  """
  data, segments = config.data, config.num_segments
  source = registry.find(data.builder)
  if source is registry.SYNTHETIC and not store.is_prepared(
    config.data_dir, data.builder, data.variant, segments
  ):
    staging.prepare(
      source,
      Options(variant=data.variant, num_segments=segments),
      store.data_root(config.data_dir),
      exist_ok=True,
    )
  try:
    return store.open_dataset(
      config.data_dir, data.builder, data.variant, segments
    )
  except store.NotPreparedError as error:
    raise store.NotPreparedError(
      f"{error} Prepare it with\n  {_prepare_command(config)}"
    ) from error
