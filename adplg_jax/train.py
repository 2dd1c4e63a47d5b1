"""The training loop: restore, step, log, evaluate, save. No mathematics."""

import contextlib
import functools
import math
from pathlib import Path
from typing import Any

import jax
from absl import logging

from adplg_jax.experiment import Experiment, open_experiment, set_up_jax
from adplg_jax.report import console, picture
from adplg_jax.report.learning import LearningWatch
from adplg_jax.run import sharding
from adplg_jax.run.agreement import check_agreement, shared_refusal
from adplg_jax.run.checkpoint import (
  Checkpointer,
  CheckpointError,
  Selection,
  versions,
)
from adplg_jax.run.load_model import from_checkpoint
from adplg_jax.run.metric_writer import MetricWriter
from adplg_jax.run.preemption import Preempted, Preemption
from adplg_jax.run.workdir import Workdir
from adplg_jax.scoring import metrics, scorer
from adplg_jax.scoring.results import (
  Outcome,
  Scored,
  selection_metric,
  write_outcome,
)
from adplg_jax.train_state import TrainState


class NotFiniteError(Exception):
  """A loss or gradient became NaN or infinite; says which and when."""


def train(config: Any, workdir: str | Path, preemption: Preemption) -> Outcome:
  """Trains a configuration to its end, from its workdir's last checkpoint on.

  Args:
    config: The run's configuration.
    workdir: The run's folder.
    preemption: Says when to stop.

  Returns:
    The scored test split, for the last and for the selected parameters.

  Raises:
    CheckpointError: A checkpoint cannot be written, or none is valid.
    DisagreementError: Other processes were given something else.
    NotFiniteError: Training diverged; the last checkpoint stays as it is.
    Preempted: Asked to stop; everything is saved.
    ValueError: The configuration or the data cannot be used.
    WorkdirError: The workdir cannot be used.
  """
  with shared_refusal():
    experiment = open_experiment(config)
  check_agreement({"config": config.to_dict(), "data": experiment.facts()})
  set_up_jax(config)
  # Before the workdir becomes this configuration's.
  experiment.check_batch_size()
  with contextlib.ExitStack() as stack:
    if jax.process_index() == 0:
      own = Workdir(workdir, config, experiment.facts())
      stack.enter_context(contextlib.closing(own))
    stack.enter_context(jax.set_mesh(experiment.mesh))
    checkpoints = Checkpointer(
      Path(workdir) / "checkpoints",
      keep=config.checkpoint.keep,
      keep_every_steps=config.checkpoint.keep_every_steps,
    )
    stack.push(functools.partial(_close, checkpoints))
    state, step = _restore_or_init(experiment, checkpoints)
    writer = stack.enter_context(
      MetricWriter(
        workdir,
        total_steps=config.total_steps,
        first_step=step,
        enabled=jax.process_index() == 0,
      )
    )
    run = _Run(experiment, checkpoints, writer, preemption)
    last = run.train(state, step)
    outcome = run.outcome(last)
    if jax.process_index() == 0:
      write_outcome(Path(workdir) / "results", outcome)
      picture.draw(Path(workdir) / "report.png", outcome.selected)
      print(f"\n{console.table(outcome)}")
    return outcome


def _close(
  checkpoints: Checkpointer, kind: type[BaseException] | None, *_: object
) -> None:
  """Ends the checkpoints, unless a process of a job leaves with an error.

  To end them is to wait for the others, who do not know of it.
  """
  if kind in (None, Preempted) or jax.process_count() == 1:
    checkpoints.close()


def _restore_or_init(
  experiment: Experiment, checkpoints: Checkpointer
) -> tuple[TrainState, int]:
  """The newest valid checkpoint, or the state before the first step."""
  restored = checkpoints.restore_latest(experiment.state_shapes)
  if restored is None:
    return experiment.init_state(), 0
  logging.warning("Going on from the checkpoint of step %d.", restored.step)
  _warn_of_versions(restored.meta["versions"])
  total = experiment.config.total_steps
  if restored.step > total:
    logging.warning(
      "config.total_steps is %d, but %d steps are done: nothing is trained, "
      "and the results are those of step %d.",
      total,
      restored.step,
      restored.step,
    )
  return restored.state, restored.step


def _warn_of_versions(saved: dict[str, str]) -> None:
  """Names libraries of another version than those of a checkpoint."""
  changed = [
    f"{name} {saved[name]} -> {version}"
    for name, version in versions().items()
    if saved.get(name, version) != version
  ]
  if changed:
    logging.warning(
      "Other library versions than before (%s): the run continues, but not to "
      "the same bits.",
      ", ".join(changed),
    )


class _Run:
  """The loop, and what it uses in every step."""

  def __init__(
    self,
    experiment: Experiment,
    checkpoints: Checkpointer,
    writer: MetricWriter,
    preemption: Preemption,
  ):
    self.experiment = experiment
    self.config = experiment.config
    self.checkpoints = checkpoints
    self.writer = writer
    self.preemption = preemption
    self.score = scorer.make_scorer(experiment.method)
    self.watch = LearningWatch(self.config)
    self.scored: Scored | None = None
    self.selection: Selection | None = None
    self._waiting: list[tuple[int, dict[str, jax.Array]]] = []

  def train(self, state: TrainState, step: int) -> TrainState:
    """Steps until the end: evaluate, save, next batch, step."""
    total = self.config.total_steps
    if step < total:
      batches = self.experiment.training_iterator(step)
      train_step = self.experiment.jit_train_step()
    while True:
      if self._evaluation_is_due(step):
        self._evaluate(state, step)
      if self._save_is_due(step):
        self._save(state, step)
      if step >= total:
        break
      if self.preemption.agreed(step):
        self._leave(state, step)
      batch = sharding.put_batch(next(batches), self.experiment.mesh)
      state, step_metrics = train_step(state=state, batch=batch)
      step += 1
      self.preemption.unsaved = True
      self._log(keep=1)
      self._waiting.append((step, step_metrics))
    self.checkpoints.wait()
    self.preemption.unsaved = False
    return state

  def _evaluation_is_due(self, step: int) -> bool:
    """At regular steps after warm-up, and at the end; once a step."""
    config = self.config
    regular = (
      step > config.warm_up_steps and step % config.evaluation.every_steps == 0
    )
    due = regular or step >= config.total_steps
    return due and self.checkpoints.selection(step) is None

  def _save_is_due(self, step: int) -> bool:
    """After an evaluation, at regular steps, and at the end."""
    if self.selection is not None:
      return True
    regular = step > 0 and step % self.config.checkpoint.every_steps == 0
    due = regular or step >= self.config.total_steps
    return due and step not in self.checkpoints.steps()

  def _evaluate(self, state: TrainState, step: int) -> None:
    """Scores the test split, and the split that checkpoints are selected on."""
    self._log()
    config, params = self.config, state.snippet.params
    try:
      self.scored = self._score_test(params, step)
      if jax.process_index() == 0:
        self.watch.see_scores(step, self.scored.videos)
      results = self.scored.results
      if config.selection.split == "validation":
        examples = self.experiment.validation_examples()
        results = metrics.evaluate_videos(self._score(params, examples))
    except scorer.StoppedError:
      self._leave(state, step)
      raise
    metric = selection_metric(config, results)
    # Not defined for one class only: no checkpoint is better than another.
    value = -1.0 if results[metric] is None else results[metric]
    self.writer.write_evaluation(
      step, self.scored.results | {"selection": value}
    )
    self.selection = Selection(
      value, f"{metric} on the {config.selection.split} split"
    )

  def _score(self, params: Any, examples: Any) -> list[metrics.VideoScore]:
    """Scores a split unless asked to stop."""
    return scorer.score_split(
      self.config,
      self.experiment.mesh,
      self.score,
      params,
      examples,
      self.preemption.agreed,
    )

  def _score_test(self, params: Any, step: int) -> Scored:
    """Scores and measures the test split unless asked to stop."""
    videos = self._score(params, scorer.with_progress(self.experiment.test))
    return Scored(step, videos, metrics.evaluate_videos(videos))

  def _save(self, state: TrainState, step: int) -> None:
    """Saves, once all metrics up to here are known to be finite."""
    self._log()
    if self.selection and step in self.checkpoints.steps():
      # Saved when the run was asked to leave in this evaluation.
      self.checkpoints.add_selection(step, self.selection)
    else:
      meta = self.experiment.meta()
      self.checkpoints.save(step, state, meta, self.selection)
    self.selection = None

  def _leave(self, state: TrainState, step: int) -> None:
    """Saves what is not saved yet and stops."""
    if step not in self.checkpoints.steps():
      self._save(state, step)
    self.checkpoints.wait()
    raise Preempted(f"Saved at step {step}; run the same command to continue.")

  def _log(self, keep: int = 0) -> None:
    """Writes the metrics of all steps but the latest `keep`.

    They are fetched a step late, so that the next step is dispatched first.
    """
    while len(self._waiting) > keep:
      step, step_metrics = self._waiting.pop(0)
      values = {k: float(v) for k, v in jax.device_get(step_metrics).items()}
      bad = [name for name, value in values.items() if not math.isfinite(value)]
      if bad:
        raise NotFiniteError(
          f"Step {step}: {', '.join(bad)} not finite. Training stopped; the "
          f"checkpoints ({self.checkpoints.steps() or 'none'}) have finite "
          "states. Try a lower config.snippet.optimizer.learning_rate or "
          "config.video.optimizer.learning_rate in a new workdir."
        )
      if jax.process_index() == 0:
        self.watch.see_step(step, values)
      if step % self.config.log_every_steps == 0:
        self.writer.write(step, values)
      else:
        self.writer.advance(step)

  def outcome(self, state: TrainState) -> Outcome:
    """Scores the last and the selected parameters."""
    step = int(state.step)
    best = self.checkpoints.best_step()
    try:
      last = self.scored
      if last is None or last.step != step:
        last = self._score_test(state.snippet.params, step)
      selection = None if best is None else self.checkpoints.selection(best)
      chosen_by = selection.chosen_by if selection else ""
      if best is None or best == step:
        return Outcome(last, last, chosen_by)
      try:
        model = from_checkpoint(
          self.checkpoints,
          best,
          sharding=sharding.replicated(self.experiment.mesh),
        )
      except CheckpointError as error:
        logging.error(
          "%s The results are those of the last checkpoint alone.", error
        )
        return Outcome(last, last)
      selected = self._score_test(model.params["snippet"], best)
      return Outcome(last, selected, chosen_by)
    except scorer.StoppedError as error:
      raise Preempted(
        "Training is complete; run the same command for its results."
      ) from error
