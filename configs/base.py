"""Every field of a run, with the paper's sizes; data-set files change the rest.

Not run by itself. The presets are `official`, the program's behaviour in every
quirk, and `fixed`, which mends what is listed in docs/method.md, section 8:
`--config=configs/ucf_crime.py:i3d,fixed`.
"""

from typing import Any

from ml_collections import ConfigDict

OFFICIAL = {
  # Axis along which the attention's smoothness is taken: batch | time.
  "smooth_axis": "batch",
  # What shares a pseudo-label memory: video | crop. Set by each data set.
  "history_key": "video",
  # Mask the keys of zeros behind a video's end in the local attention.
  "mask_padded_keys": False,
  # Rotate queries one window further on than they are.
  "rotary_query_shift": True,
  # Decay the rows of the position tables that training never reaches.
  "decay_unseen_positions": True,
  # Cross entropy on: probabilities | logits.
  "bce": "probabilities",
  # Last frame of an annotated span: exclusive | inclusive.
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


def split_argument(argument: str, default: str) -> tuple[str, str]:
  """Splits a config file's argument "VARIANT,PRESET"; either may be left out.

  Raises:
    ValueError: More than one variant is named.
  """
  words = [word for word in argument.split(",") if word]
  presets = [word for word in words if word in ("official", "fixed")]
  variants = [word for word in words if word not in ("official", "fixed")]
  if len(variants) > 1 or len(presets) > 1:
    raise ValueError(
      f"config argument {argument!r} must be VARIANT, PRESET or "
      "VARIANT,PRESET with PRESET official or fixed."
    )
  return (variants or [default])[0], (presets or ["official"])[0]


def get_config(preset: str = "official", history_key: str = "video") -> Any:
  """All fields.

  Args:
    preset: official | fixed.
    history_key: What the data set's crops share a memory by, officially.
  """
  config: Any = ConfigDict()
  # Everything random is a function of this and of the step.
  config.seed = 0
  # Where prepared data sets lie; "" is tfds' own ($TFDS_DATA_DIR or
  # ~/tensorflow_datasets).
  config.data_dir = ""
  config.data = ConfigDict()
  # synthetic | folder | ucf_crime | xd_violence | shanghaitech.
  config.data.builder = ""
  # Which features, or the name of the folder data set.
  config.data.variant = ""
  # Training features are held in memory up to this size [GiB], otherwise read
  # when needed.
  config.data.cache_gib = 8.0
  # Threads that read ahead.
  config.data.read_threads = 4

  # Videos of each class in a step, over all devices (B).
  config.batch_size = 32
  # Segments a training video is averaged into (N).
  config.num_segments = 64
  # Steps in all, and steps in which the snippet branch rests.
  config.total_steps = 20_000
  config.warm_up_steps = 1_000
  # Type of the computation: float32 | bfloat16 | float64.
  config.precision = "float32"
  # Products of float32: default (TF32 on GPUs) | high | highest.
  config.matmul_precision = "default"
  # The same bits every time on GPUs too, at a price.
  config.deterministic = False

  config.video = ConfigDict()
  # Width features are brought to, of the attention, of the classifier.
  config.video.width = 1024
  config.video.attention_width = 512
  config.video.classifier_width = 32
  # Dropout rate of the classifier.
  config.video.dropout = 0.7
  # Adam's learning rate, and L2 added to the gradient.
  config.video.learning_rate = 1e-4
  config.video.weight_decay = 0.005

  config.snippet = ConfigDict()
  # Model width; a multiple of the number of windows.
  config.snippet.width = 1024
  # Snippets each way that each local block sees.
  config.snippet.windows = (2, 4, 6, 8)
  # Heads and channels a head of the local blocks.
  config.snippet.local_heads = 8
  config.snippet.local_head_width = 64
  # Global transformer blocks, their heads, channels a head, hidden width.
  config.snippet.num_blocks = 2
  config.snippet.global_heads = 4
  config.snippet.global_head_width = 256
  config.snippet.feed_forward_width = 1024
  config.snippet.classifier_width = 32
  # Dropout rates of the classifier and of the global blocks.
  config.snippet.dropout = 0.7
  config.snippet.block_dropout = 0.5
  # Longest video [snippets].
  config.snippet.max_snippets = 6750
  # Adam's learning rate, multiplied by the factor after so many updates of this
  # branch; L2 added to the gradient.
  config.snippet.learning_rate = 1e-3
  config.snippet.decay_factor = 0.9
  config.snippet.decay_every = 4_000
  config.snippet.weight_decay = 0.005

  config.loss_weights = ConfigDict()
  config.loss_weights.video_classification = 1.0
  config.loss_weights.separation = 1.0
  config.loss_weights.dissimilarity = 1.0
  config.loss_weights.smoothness = 1.0
  config.loss_weights.sparsity = 1.0
  config.loss_weights.snippet_classification = 1.0

  config.pseudo_labels = ConfigDict()
  # Entries a key of the memory holds (H), at least 2.
  config.pseudo_labels.history_length = 3
  # Normalised mean from which a snippet is labelled anomalous (tau_m).
  config.pseudo_labels.mean_threshold = 0.25
  # Normalised variance beyond which a snippet is hard (tau_v).
  config.pseudo_labels.variance_threshold = 0.4

  switches = dict(OFFICIAL, history_key=history_key)
  config.switches = ConfigDict(FIXED if preset == "fixed" else switches)

  config.evaluation = ConfigDict()
  # Evaluated every so many steps after warm-up, and at the end.
  config.evaluation.every_steps = 1_000
  # Snippets, padding included, scored at once.
  config.evaluation.batch_snippets = 8192

  config.checkpoint = ConfigDict()
  # Saved every so many steps, after each evaluation, and at the end.
  config.checkpoint.every_steps = 1_000
  # Latest ones kept; the best by selection is kept besides.
  config.checkpoint.keep = 2
  # Every so many steps one is kept for good; 0 keeps none.
  config.checkpoint.keep_every_steps = 0

  config.selection = ConfigDict()
  # What the best checkpoint is chosen on: test (as the field does) |
  # validation (training videos held out).
  config.selection.split = "test"
  # frame_auc | frame_ap | anomalous_auc | video_auc; on validation videos
  # always video_auc.
  config.selection.metric = "frame_auc"
  # Share of the training videos that validation holds out.
  config.selection.validation_share = 0.1

  # Losses are logged every so many steps.
  config.log_every_steps = 1
  return config
