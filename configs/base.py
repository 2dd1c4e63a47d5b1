"""Every field of a run, with the paper's sizes; data-set files change the rest.

Not run by itself. The presets are `official`, which reproduces every quirk of
the authors' program, and `fixed`, which corrects the quirks listed in
docs/method.md, section 8: `--config=ucf_crime:features=i3d,preset=fixed`.
"""

from typing import Any

from ml_collections import ConfigDict

PRESETS = ("official", "fixed")
# Features as the field publishes them, which are trained on as they are.
PUBLISHED = ("i3d", "i3d_vggish", "clip")
# What is done with features of any other kind; docs/own_features.md has the
# measurement that chose it.
OWN_NORMALIZE = "standardize"
OFFICIAL = {
  # Axis along which the attention's smoothness is taken: batch | time.
  "smooth_axis": "batch",
  # What shares a pseudo-label memory: video | crop. Set by each data set.
  "history_key": "video",
  # Mask the keys of zeros after a video's end in the local attention.
  "mask_padded_keys": False,
  # Rotate queries by one window more than their position.
  "rotary_query_shift": True,
  # Decay the rows of the position tables that training never reaches.
  "decay_unseen_positions": True,
  # Cross entropy on: probabilities | logits.
  "bce": "probabilities",
  # End of an annotated row's span, exact spans aside: exclusive | inclusive.
  "span_ends": "exclusive",
  # Keep the zero rows of short CLIP crops out of attention and losses.
  "mask_zero_rows": False,
  # Of CLIP test videos score the one crop that the csv files name.
  "single_clip_crop": True,
  # Average precision that selects checkpoints: trapezoid | step. Both are
  # always reported.
  "average_precision": "trapezoid",
  # Leave snippet losses of exactly 0 out of their mean.
  "drop_zero_losses": True,
}
FIXED = OFFICIAL | {
  "smooth_axis": "time",
  "history_key": "crop",
  "mask_padded_keys": True,
  "rotary_query_shift": False,
  "decay_unseen_positions": False,
  "bce": "logits",
  "mask_zero_rows": True,
  "single_clip_crop": False,
  "average_precision": "step",
  "drop_zero_losses": False,
}


def parse_argument(
  argument: str, variant_name: str, default: str
) -> tuple[str, str]:
  """Parses a configuration file's argument.

  Args:
    argument: "VARIANT", "PRESET" or "VARIANT,PRESET", or by name, as in
      "features=i3d,preset=fixed".
    variant_name: What the variant is called, as in "features".
    default: The variant if none is given.

  Returns:
    Variant and preset.

  Raises:
    ValueError: Another name, another preset, or one given twice.
  """
  found: dict[str, str] = {}
  for word in filter(None, argument.split(",")):
    name, equals, value = word.partition("=")
    if not equals:
      name, value = "preset" if word in PRESETS else variant_name, word
    if name in found or name not in (variant_name, "preset"):
      raise ValueError(
        f"configuration argument is {argument!r}; allowed: "
        f"{variant_name.upper()},PRESET or {variant_name}=...,preset=..., each "
        "at most once."
      )
    found[name] = value
  preset = found.get("preset", PRESETS[0])
  if preset not in PRESETS:
    raise ValueError(
      f"preset is {preset!r} in configuration argument {argument!r}; allowed: "
      f"{', '.join(PRESETS)}."
    )
  return found.get(variant_name, default), preset


def normalize(features: str) -> str:
  """`config.data.normalize` of a benchmark's features, by their name."""
  return "none" if features in PUBLISHED else OWN_NORMALIZE


def get_config(preset: str = "official", history_key: str = "video") -> Any:
  """All fields.

  Args:
    preset: official | fixed.
    history_key: What the data set's crops share a memory by, officially.
  """
  config: Any = ConfigDict()
  # Everything random is a function of this and of the step.
  config.seed = 0
  # Seeds that are trained at once, from `seed` on, each as in a run of its own.
  config.seeds = 1
  # Root of the prepared data sets; "" is TFDS' default ($TFDS_DATA_DIR or
  # ~/tensorflow_datasets).
  config.data_dir = ""
  config.data = ConfigDict()
  # Name of the data set, as `python -m adplg_jax.prepare` lists them.
  config.data.builder = ""
  # Which features, or the name of the folder data set.
  config.data.variant = ""
  # What is done with the features, by statistics of the training split: none |
  # rms (divided by their root mean square) | standardize (each channel to mean
  # 0 and deviation 1). Set by each data set: none for published features.
  config.data.normalize = "none"
  # Training features are kept in memory up to this size [GiB], otherwise read
  # when needed.
  config.data.cache_gib = 8.0
  # Threads that read training batches ahead.
  config.data.read_threads = 4
  # Training features, and test features once they were scored, stay on the
  # device: on | off | auto (on an accelerator where they fit).
  config.data.resident = "auto"

  # Videos of each class per step, over all devices (B).
  config.batch_size = 32
  # Segments a training video is averaged into (N).
  config.num_segments = 64
  # Training steps in total.
  config.total_steps = 20_000
  # Steps at the start in which the snippet branch is not trained.
  config.warm_up_steps = 1_000
  # Floating-point type of the computation: float32 | bfloat16 | float64.
  config.precision = "float32"
  # Precision of float32 matrix products: default (TF32 on GPUs) | high |
  # highest.
  config.matmul_precision = "default"
  # Steps that are dispatched at once where the data are resident; a run stops
  # and logs between dispatches.
  config.steps_per_dispatch = 100
  # Bitwise reproducible results on GPUs, too, at some cost in speed.
  config.deterministic = False

  config.video = ConfigDict()
  config.video.model = ConfigDict()
  # Model width; features of another width are projected to it.
  config.video.model.width = 1024
  # Width of queries, keys and values (A).
  config.video.model.attention_width = 512
  # Hidden width of the video classifier.
  config.video.model.classifier_width = 32
  # Dropout rate of the video classifier.
  config.video.model.dropout = 0.7
  # Attention of normal queries on anomalous keys; without it separation and
  # dissimilarity are 0.
  config.video.model.cross_attention = True
  config.video.optimizer = ConfigDict()
  # Adam's learning rate.
  config.video.optimizer.learning_rate = 1e-4
  # L2 added to the gradient.
  config.video.optimizer.weight_decay = 0.005

  config.snippet = ConfigDict()
  config.snippet.model = ConfigDict()
  # Model width; each window has an equal share of it.
  config.snippet.model.width = 1024
  # Snippets in each direction that each local block sees.
  config.snippet.model.windows = (2, 4, 6, 8)
  # Heads of a local block.
  config.snippet.model.local_heads = 8
  # Channels of each head of a local block.
  config.snippet.model.local_head_width = 64
  # Global transformer blocks; 0 leaves the windows alone.
  config.snippet.model.num_blocks = 2
  # Heads of a global block.
  config.snippet.model.global_heads = 4
  # Channels of each head of a global block.
  config.snippet.model.global_head_width = 256
  # Hidden width of a global block's feed-forward part.
  config.snippet.model.feed_forward_width = 1024
  # Hidden width of the snippet classifier.
  config.snippet.model.classifier_width = 32
  # Dropout rate of the snippet classifier.
  config.snippet.model.dropout = 0.7
  # Dropout rate of the global blocks.
  config.snippet.model.block_dropout = 0.5
  # Longest video [snippets], rows of the position tables.
  config.snippet.model.max_snippets = 6750
  config.snippet.optimizer = ConfigDict()
  # Adam's learning rate.
  config.snippet.optimizer.learning_rate = 1e-3
  # L2 added to the gradient.
  config.snippet.optimizer.weight_decay = 0.005
  # Factor by which the learning rate is multiplied every decay_every updates.
  config.snippet.optimizer.decay_factor = 0.9
  # Updates of this branch between two reductions of its learning rate.
  config.snippet.optimizer.decay_every = 4_000

  config.loss_weights = ConfigDict()
  # Weight of the video classifier's cross entropy.
  config.loss_weights.video_classification = 1.0
  # Weight of the compactness-separation loss.
  config.loss_weights.separation = 1.0
  # Weight of the distributional dissimilarity.
  config.loss_weights.dissimilarity = 1.0
  # Weight of the attention's smoothness.
  config.loss_weights.smoothness = 1.0
  # Weight of the attention's sparsity.
  config.loss_weights.sparsity = 1.0

  config.pseudo_labels = ConfigDict()
  # Raw pseudo-labels that the memory keeps per key (H); 1 is no history.
  config.pseudo_labels.history_length = 3
  # Normalised mean from which a snippet is labelled anomalous (tau_m).
  config.pseudo_labels.mean_threshold = 0.25
  # Normalised variance above which a snippet is hard (tau_v); with 1 none is,
  # and labels are not denoised.
  config.pseudo_labels.variance_threshold = 0.4
  # Labels follow the attention in every step; otherwise they stay what they
  # are at the end of the warm-up.
  config.pseudo_labels.synchronous = True

  switches = dict(OFFICIAL, history_key=history_key)
  config.switches = ConfigDict(FIXED if preset == "fixed" else switches)

  config.evaluation = ConfigDict()
  # Steps between evaluations after warm-up; there is one at the end, too.
  config.evaluation.every_steps = 1_000
  # Snippets, padding included, scored at once.
  config.evaluation.batch_snippets = 8192

  config.checkpoint = ConfigDict()
  # Steps between checkpoints; one follows each evaluation, too.
  config.checkpoint.every_steps = 1_000
  # Latest checkpoints that are kept; the selected one is kept, too.
  config.checkpoint.keep = 2
  # Steps between checkpoints that are kept for good; 0 keeps none.
  config.checkpoint.keep_every_steps = 0

  config.selection = ConfigDict()
  # Split that the selected checkpoint is best on: test (as the field does) |
  # validation (training videos held out).
  config.selection.split = "test"
  # Metric that selects: frame_auc | frame_ap | anomalous_auc | video_auc; on
  # validation videos always video_auc.
  config.selection.metric = "frame_auc"
  # Share of the training videos that validation holds out.
  config.selection.validation_share = 0.1

  # Steps between lines of metrics.
  config.log_every_steps = 1
  return config
