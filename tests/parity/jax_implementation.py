"""The package, as the replay drives it."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adplg_jax import method as method_lib
from adplg_jax import pseudo_labels, train_step
from adplg_jax.configs import base
from adplg_jax.interop import torch_names
from adplg_jax.method import Method
from adplg_jax.models.attention import valid_rows
from adplg_jax.train_state import BranchState, TrainState
from tests.parity import golden
from tests.parity.protocol import StepResult

_LOSSES = {
  "cost_v": "loss/video_branch",
  "loss_cls_s": "loss/snippet_classification",
  "triplet": "loss/separation",
  "loss_cls_v": "loss/video_classification",
  "cosine": "loss/dissimilarity",
}


def _config(precision: str):
  """Official settings without dropout."""
  config = base.get_config()
  config.precision = precision
  config.matmul_precision = "highest"
  config.video.model.dropout = 0.0
  config.snippet.model.dropout = 0.0
  config.snippet.model.block_dropout = 0.0
  return config


class JaxImplementation:
  """See `protocol.Implementation`."""

  def __init__(self, precision: str, seed: int):
    self._seed = seed
    self._config = _config(precision)
    self._type = np.dtype(precision)
    jax.config.update("jax_enable_x64", precision == "float64")
    jax.config.update("jax_default_matmul_precision", "highest")

  def _method(self, config, num_keys: int = 1) -> Method:
    return method_lib.from_config(
      config, feature_width=golden.WIDTH, num_keys=num_keys
    )

  def _params(self, entries: list[torch_names.Entry], init: Any) -> Any:
    """Our parameters, filled by the recipe under the authors' names."""
    shapes = jax.eval_shape(init, jax.random.key(0))["params"]
    theirs = {
      entry.theirs: golden.weight(
        entry.theirs,
        entry.to_torch(np.empty(_leaf(shapes, entry.ours).shape, bool)).shape,
        self._seed,
      )
      for entry in entries
    }
    params = torch_names.params_from_torch(entries, theirs)
    return jax.tree.map(lambda x: jnp.asarray(x, self._type), params)

  def _video_params(self, method: Method) -> Any:
    x, n = jnp.zeros((1, 2, golden.WIDTH)), jnp.array([2])
    return self._params(
      torch_names.video_entries(),
      lambda key: method.video_branch.init(key, x, x, n, n),
    )

  def _snippet_entries(self, config) -> list[torch_names.Entry]:
    return torch_names.snippet_entries(
      windows=config.snippet.model.windows,
      num_blocks=config.snippet.model.num_blocks,
    )

  def _snippet_params(self, method: Method, config) -> Any:
    x, n = jnp.zeros((1, 2, golden.WIDTH)), jnp.array([2])
    return self._params(
      self._snippet_entries(config),
      lambda key: method.snippet_branch.init(key, x, n),
    )

  def video_forward(
    self, normal: np.ndarray, anomalous: np.ndarray
  ) -> dict[str, np.ndarray]:
    method = self._method(self._config)
    lengths = jnp.full(len(normal), normal.shape[1])
    out = jax.jit(method.video_branch.apply)(
      {"params": self._video_params(method)},
      jnp.asarray(normal, self._type),
      jnp.asarray(anomalous, self._type),
      lengths,
      lengths,
    )
    logits = jnp.concatenate([out.normal_logits, out.anomalous_logits])
    found = {
      "scores_v": jax.nn.sigmoid(logits)[:, None],
      "a_att": out.anomalous_attention,
      "a_n_att": out.cross_attention,
      "a_att_norm": pseudo_labels.min_max(out.anomalous_attention),
      "a_n_att_norm": pseudo_labels.min_max(out.cross_attention),
      "fused": jnp.concatenate([out.normal_fused, out.anomalous_fused]),
      "a_feats": out.anomalous_fused,
      "a_n_feats": out.cross_fused,
      "n_feats": out.normal_fused,
    }
    return {name: np.asarray(value) for name, value in found.items()}

  @functools.cached_property
  def _scoring(self):
    method = self._method(self._config)
    params = self._snippet_params(method, self._config)
    apply = jax.jit(method.snippet_branch.apply)
    return lambda x, n: jax.nn.sigmoid(apply({"params": params}, x, n))

  def snippet_forward(self, x: np.ndarray) -> np.ndarray:
    lengths = jnp.full(len(x), x.shape[1])
    return np.asarray(self._scoring(jnp.asarray(x, self._type), lengths))

  def train(self, trajectory: golden.Trajectory) -> Iterator[StepResult]:
    options = trajectory.config
    config = self._training_config(options)
    num_keys = int(trajectory.arrays["abnormal_index"].max()) + 1
    method = self._method(config, num_keys)
    state = self._initial(method, config)
    step = jax.jit(
      functools.partial(train_step.train_step, method=method, seed=0),
      donate_argnames="state",
    )
    labels = jax.jit(functools.partial(_labels, method=method))
    for inputs in trajectory.steps(self._seed):
      batch = self._batch(inputs)
      used = labels(state, batch)
      state, metrics = step(state=state, batch=batch)
      yield self._result(state, metrics, used, config)

  def _training_config(self, options: Mapping[str, Any]):
    config = self._config.copy_and_resolve_references()
    config.num_segments = options["num_segments"]
    config.warm_up_steps = options["warm_up"]
    config.video.optimizer.learning_rate = options["lr_v"]
    config.video.optimizer.weight_decay = options["weight_decay"]
    config.snippet.optimizer.learning_rate = options["lr_s"]
    config.snippet.optimizer.weight_decay = options["weight_decay"]
    config.snippet.optimizer.decay_factor = options["sch_gamma_s"]
    config.snippet.optimizer.decay_every = options["sch_step_s"]
    config.snippet.model.num_blocks = options["layer_ts"]
    config.snippet.model.windows = tuple(
      options[f"law{i}"] for i in range(1, 5)
    )
    config.pseudo_labels.history_length = options["pl_his_num"]
    config.pseudo_labels.mean_threshold = options["thre_pesudo_a"]
    config.pseudo_labels.variance_threshold = options["thre_var_a"]
    for name, option in {
      "video_classification": "ls_v_w",
      "separation": "ls_tri_w",
      "dissimilarity": "ls_cos_w",
      "smoothness": "ls_sm_w",
      "sparsity": "ls_sp_w",
    }.items():
      config.loss_weights[name] = float(options[option])
    if options["ls_s_w"] != 1:
      raise ValueError("the package has no weight on the snippet loss")
    return config

  def _initial(self, method: Method, config) -> TrainState:
    video = self._video_params(method)
    snippet = self._snippet_params(method, config)
    return TrainState(
      step=jnp.zeros((), jnp.int32),
      video=BranchState(video, method.video_optimizer.init(video)),
      snippet=BranchState(snippet, method.snippet_optimizer.init(snippet)),
      memory=pseudo_labels.init_memory(
        method.num_keys,
        method.pseudo_labels.history_length,
        method.num_segments,
        self._type,
      ),
    )

  def _batch(self, inputs: golden.Step) -> train_step.Batch:
    lengths = jnp.full(len(inputs.keys), inputs.normal.shape[1], jnp.int32)
    normal, anomalous = (
      jnp.asarray(x, self._type) for x in (inputs.normal, inputs.anomalous)
    )
    return {
      "normal": {"features": normal, "length": lengths},
      "anomalous": {
        "features": anomalous,
        "length": lengths,
        "key": jnp.asarray(inputs.keys),
      },
    }

  def _result(self, state, metrics, used, config) -> StepResult:
    history, count = state.memory.history, np.asarray(state.memory.count)

    def weights() -> dict[str, dict[str, np.ndarray]]:
      return {
        "v": torch_names.params_to_torch(
          torch_names.video_entries(), state.video.params
        ),
        "s": torch_names.params_to_torch(
          self._snippet_entries(config), state.snippet.params
        ),
      }

    return StepResult(
      losses={name: float(metrics[own]) for name, own in _LOSSES.items()},
      smooth=float(metrics["loss/smoothness"]),
      sparsity=float(metrics["loss/sparsity"]),
      labels=np.asarray(used.labels),
      hard=np.asarray(used.hard),
      weights=weights,
      history=lambda: {
        key: np.asarray(history[key])[history.shape[1] - count[key] :]
        for key in np.flatnonzero(count)
      },
    )


def _leaf(tree: Any, path: str) -> Any:
  for part in path.split("/"):
    tree = tree[part]
  return tree


def _labels(
  state: TrainState, batch: train_step.Batch, *, method: Method
) -> pseudo_labels.PseudoLabels:
  """The labels a step uses: of the forward pass before its update."""
  normal, anomalous = batch["normal"], batch["anomalous"]
  output = method.video_branch.apply(
    {"params": state.video.params},
    normal["features"],
    anomalous["features"],
    normal["length"],
    anomalous["length"],
  )
  valid = valid_rows(anomalous["length"], method.num_segments)
  _, labels = pseudo_labels.update(
    state.memory,
    anomalous["key"],
    pseudo_labels.min_max(output.anomalous_attention, valid),
    valid,
    mean_threshold=method.pseudo_labels.mean_threshold,
    variance_threshold=method.pseudo_labels.variance_threshold,
  )
  return labels
