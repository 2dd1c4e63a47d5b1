"""The training loop: restore, step, log, evaluate, save. No mathematics."""

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from adplg_jax.dispatch import (
  Dispatched,
  make_dispatcher,
  stack_states,
  state_of,
)
from adplg_jax.experiment import Experiment, open_experiment, set_up_jax
from adplg_jax.optimizer import learning_rate_at
from adplg_jax.report import console
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
from adplg_jax.run.workdir import Workdir, configs_by_seed, seed_folders
from adplg_jax.scoring import metrics, scorer
from adplg_jax.scoring.results import (
  Outcome,
  Scored,
  selection_metric,
  write_outcome,
  write_seeds,
)
from adplg_jax.train_state import TrainState
from adplg_jax.train_step import PARTIAL_METRICS


class NotFiniteError(Exception):
  """A loss or gradient became NaN or infinite; says which and when."""


def train(
  config: Any, workdir: str | Path, preemption: Preemption
) -> dict[int, Outcome]:
  """Trains a configuration to its end, from its workdir's last checkpoint on.

  Args:
    config: The run's configuration.
    workdir: The run's folder.
    preemption: Says when to stop.

  Returns:
    The scored test split of each seed, for the last and for the selected
    parameters.

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
    runs = _open_runs(experiment, workdir, stack)
    states, step = _restore(experiment, runs)
    for place, run in enumerate(runs):
      run.start_writing(stack, step, bar=place == 0, named=len(runs) > 1)
    training = _Training(experiment, runs, preemption, step)
    # The step compiles while the initial state is made.
    states = states or [experiment.init_state(run.seed) for run in runs]
    state = training.train(stack_states(states), step)
    outcomes = training.outcomes(state)
    if jax.process_index() == 0:
      # Not at the start, as drawing takes long to import.
      from adplg_jax.report import picture

      for run in runs:
        outcome = outcomes[run.seed]
        write_outcome(run.folder / "results", outcome)
        picture.draw(run.folder / "report.png", outcome.selected)
      if len(runs) > 1:
        write_seeds(Path(workdir) / "results", outcomes)
      print(f"\n{console.report(outcomes)}")
    return outcomes


class _Run:
  """One seed's run: where it is, what it writes, what was found of it."""

  def __init__(self, experiment: Experiment, seed: int, folder: Path):
    """Opens its checkpoints.

    Args:
      experiment: What is trained.
      seed: Its seed.
      folder: Of its checkpoints, metrics and results.
    """
    config = experiment.config
    self.seed = seed
    self.folder = folder
    self.meta = experiment.meta(seed)
    self.checkpoints = Checkpointer(
      folder / "checkpoints",
      keep=config.checkpoint.keep,
      keep_every_steps=config.checkpoint.keep_every_steps,
    )
    self.watch = LearningWatch(config)
    self.scored: Scored | None = None
    self.selection: Selection | None = None
    self._total_steps = config.total_steps

  def start_writing(
    self, stack: contextlib.ExitStack, step: int, *, bar: bool, named: bool
  ) -> None:
    """Opens what metrics are written to."""
    self.writer = stack.enter_context(
      MetricWriter(
        self.folder,
        total_steps=self._total_steps,
        first_step=step,
        enabled=jax.process_index() == 0,
        bar=bar,
        name=f"seed {self.seed}  " if named else "",
      )
    )

  def save(self, step: int, state: TrainState) -> None:
    """Saves a step, or adds its evaluation to what is saved."""
    if self.selection and step in self.checkpoints.steps():
      # Saved when the run was asked to leave in this evaluation.
      self.checkpoints.add_selection(step, self.selection)
    else:
      self.checkpoints.save(step, state, self.meta, self.selection)
    self.selection = None


def _open_runs(
  experiment: Experiment, folder: str | Path, stack: contextlib.ExitStack
) -> list[_Run]:
  """The runs of all seeds, their folders locked, until the stack unwinds."""
  config = experiment.config
  configs = configs_by_seed(config)
  folders = seed_folders(folder, config)
  if jax.process_index() == 0:
    claims = {Path(folder): config}
    claims |= {own: configs[seed] for seed, own in folders.items()}
    for own, of_seed in claims.items():
      claimed = Workdir(own, of_seed, experiment.facts())
      stack.enter_context(contextlib.closing(claimed))
  stack.enter_context(jax.set_mesh(experiment.mesh))
  runs = []
  for seed, own in folders.items():
    runs.append(_Run(experiment, seed, own))
    stack.push(functools.partial(_close, runs[-1].checkpoints))
  return runs


def _close(
  checkpoints: Checkpointer, kind: type[BaseException] | None, *_: object
) -> None:
  """Ends the checkpoints, unless a process of a job leaves with an error.

  To end them is to wait for the others, who do not know of it.
  """
  if kind in (None, Preempted) or jax.process_count() == 1:
    checkpoints.close()


def _restore(
  experiment: Experiment, runs: Sequence[_Run]
) -> tuple[list[TrainState], int]:
  """The states of the newest step that is valid in all runs; none at step 0.

  Later checkpoints of some seeds alone are set aside: their steps are done
  again.
  """
  while True:
    found = [
      run.checkpoints.restore_latest(experiment.state_shapes) for run in runs
    ]
    steps = [0 if restored is None else restored.step for restored in found]
    step = min(steps)
    if step == max(steps):
      break
    for run in runs:
      run.checkpoints.set_aside_after(step)
  restored = [one for one in found if one is not None]
  if not restored:
    return [], 0
  logging.warning("Going on from the checkpoint of step %d.", step)
  _warn_of_versions(restored[0].meta["versions"])
  total = experiment.config.total_steps
  if step > total:
    logging.warning(
      "config.total_steps is %d, but %d steps are done: nothing is trained, "
      "and the results are those of step %d.",
      total,
      step,
      step,
    )
  return [one.state for one in restored], step


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


class _Training:
  """The loop, and what it uses in every step."""

  def __init__(
    self,
    experiment: Experiment,
    runs: Sequence[_Run],
    preemption: Preemption,
    first_step: int,
  ):
    self.experiment = experiment
    self.config = experiment.config
    self.runs = runs
    self.preemption = preemption
    self.score = scorer.make_scorer(experiment.method)
    limit = 0
    if first_step < self.config.total_steps:
      self._dispatcher = make_dispatcher(experiment, first_step)
      limit = self._dispatcher.room()
    self._test = scorer.KeptBatches(self._test_batches, limit)
    self._waiting: list[tuple[int, Dispatched]] = []
    self._wait = 0.0

  def train(self, state: TrainState, step: int) -> TrainState:
    """Steps until the end: evaluate, save, dispatch the next steps."""
    total = self.config.total_steps
    dispatches = 0
    while True:
      if self._evaluation_is_due(step):
        self._evaluate(state, step)
      if self._save_is_due(step):
        self._save(state, step)
      if step >= total:
        break
      if self.preemption.agreed(dispatches):
        self._leave(state, step)
      state, done = self._dispatcher.advance(state, self._until_due(step))
      dispatches += 1
      self.preemption.unsaved = True
      self._log(keep=1)
      self._waiting.append((step, done))
      step += done.steps
    for run in self.runs:
      run.checkpoints.wait()
    self.preemption.unsaved = False
    return state

  def _until_due(self, step: int) -> int:
    """Steps until something is to be done between two of them."""
    config = self.config
    rhythms = (config.evaluation.every_steps, config.checkpoint.every_steps)
    stops = [config.total_steps, *(step - step % n + n for n in rhythms)]
    return min(stops) - step

  def _evaluation_is_due(self, step: int) -> bool:
    """At regular steps after warm-up, and at the end; once a step."""
    config = self.config
    regular = (
      step > config.warm_up_steps and step % config.evaluation.every_steps == 0
    )
    return regular or step >= config.total_steps

  def _save_is_due(self, step: int) -> bool:
    """After an evaluation, at regular steps, and at the end."""
    if any(run.selection is not None for run in self.runs):
      return True
    regular = step > 0 and step % self.config.checkpoint.every_steps == 0
    return regular or step >= self.config.total_steps

  def _evaluate(self, state: TrainState, step: int) -> None:
    """Evaluates every seed that was not evaluated at this step."""
    self._log()
    try:
      for place, run in enumerate(self.runs):
        if run.checkpoints.selection(step) is None:
          own = state_of(state, place, len(self.runs))
          self._evaluate_run(run, own.snippet.params, step)
    except scorer.StoppedError:
      self._leave(state, step)

  def _evaluate_run(self, run: _Run, params: Any, step: int) -> None:
    """Scores the test split, and the split that checkpoints are selected on."""
    from adplg_jax.report import picture

    config = self.config
    run.scored = self._score_test(params, step)
    if jax.process_index() == 0:
      run.watch.see_scores(step, run.scored.videos)
    results = run.scored.results
    if config.selection.split == "validation":
      examples = self.experiment.validation_examples()
      videos = self._score(params, self._batches(examples))
      results = metrics.evaluate_videos(videos)
    metric = selection_metric(config, results)
    # Not defined for one class only: no checkpoint is better than another.
    value = -1.0 if results[metric] is None else results[metric]
    run.writer.write_evaluation(
      step,
      run.scored.results | {"selection": value},
      functools.partial(picture.draw_timelines, run.scored),
    )
    run.selection = Selection(
      value, f"{metric} on the {config.selection.split} split"
    )

  def _score(self, params: Any, batches: Any) -> list[metrics.VideoScore]:
    """Scores a split unless asked to stop."""
    return scorer.score_videos(
      self.score,
      params,
      batches,
      span_ends=self.config.switches.span_ends,
      stop=self.preemption.agreed,
    )

  def _batches(self, examples: Any) -> Iterator[scorer.Batch]:
    return scorer.split_batches(self.config, self.experiment.mesh, examples)

  def _test_batches(self) -> Iterator[scorer.Batch]:
    return self._batches(scorer.with_progress(self.experiment.test))

  def _score_test(self, params: Any, step: int) -> Scored:
    """Scores and measures the test split unless asked to stop."""
    videos = self._score(params, self._test)
    return Scored(step, videos, metrics.evaluate_videos(videos))

  def _save(self, state: TrainState, step: int) -> None:
    """Saves, once all metrics up to here are known to be finite."""
    self._log()
    for place, run in enumerate(self.runs):
      if run.selection or step not in run.checkpoints.steps():
        run.save(step, state_of(state, place, len(self.runs)))

  def _leave(self, state: TrainState, step: int) -> None:
    """Saves what is not saved yet and stops."""
    self._save(state, step)
    for run in self.runs:
      run.checkpoints.wait()
    raise Preempted(f"Saved at step {step}; run the same command to continue.")

  def _log(self, keep: int = 0) -> None:
    """Writes the metrics of all dispatches but the latest `keep`.

    They are fetched late, so that the next steps are dispatched first.
    """
    while len(self._waiting) > keep:
      before, done = self._waiting.pop(0)
      shape = (-1, len(self.runs))
      found = {
        name: np.reshape(value, shape).astype(float)
        for name, value in jax.device_get(done.metrics).items()
      }
      self._wait += done.wait
      for number in range(done.steps):
        self._log_step(
          before + number + 1, {k: v[number] for k, v in found.items()}
        )

  def _log_step(self, step: int, found: dict[str, np.ndarray]) -> None:
    """Writes the metrics [seeds] of a step, if they are finite."""
    wait = {}
    if step % self.config.log_every_steps == 0:
      wait, self._wait = {"input_wait": self._wait}, 0.0
    for place, run in enumerate(self.runs):
      values = {
        name: float(value[place])
        for name, value in found.items()
        if name not in PARTIAL_METRICS or np.isfinite(value[place])
      }
      self._check_finite(run, step, values)
      if jax.process_index() == 0:
        run.watch.see_step(step, values)
      if wait:
        run.writer.write(step, values | self._learning_rates(step) | wait)
      else:
        run.writer.advance(step)

  def _learning_rates(self, step: int) -> dict[str, float]:
    """Those of a step's updates; 0 where there is none, in the warm-up."""
    rates = {"video": 0.0, "snippet": 0.0}
    for branch, first in (
      ("video", 1),
      ("snippet", 1 + self.config.warm_up_steps),
    ):
      settings = dict(self.config[branch].optimizer)
      del settings["weight_decay"]
      if step >= first:
        rates[branch] = learning_rate_at(step - first, **settings)
    return {f"learning_rate/{k}_branch": rate for k, rate in rates.items()}

  def _check_finite(
    self, run: _Run, step: int, values: dict[str, float]
  ) -> None:
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
      seed = f"Seed {run.seed}, step" if len(self.runs) > 1 else "Step"
      raise NotFiniteError(
        f"{seed} {step}: {', '.join(bad)} not finite. Training stopped; the "
        f"checkpoints ({run.checkpoints.steps() or 'none'}) have finite "
        "states. Try a lower config.snippet.optimizer.learning_rate or "
        "config.video.optimizer.learning_rate in a new workdir."
      )

  def outcomes(self, state: TrainState) -> dict[int, Outcome]:
    """Scores the last and the selected parameters of every seed."""
    try:
      return {
        run.seed: self._outcome(run, state_of(state, place, len(self.runs)))
        for place, run in enumerate(self.runs)
      }
    except scorer.StoppedError as error:
      raise Preempted(
        "Training is complete; run the same command for its results."
      ) from error

  def _outcome(self, run: _Run, state: TrainState) -> Outcome:
    step = int(state.step)
    last = run.scored
    if last is None or last.step != step:
      last = self._score_test(state.snippet.params, step)
    best = run.checkpoints.best_step()
    selection = None if best is None else run.checkpoints.selection(best)
    if best is None or best == step:
      return Outcome(last, last, selection)
    try:
      model = from_checkpoint(
        run.checkpoints,
        best,
        sharding=sharding.replicated(self.experiment.mesh),
      )
    except CheckpointError as error:
      logging.error(
        "%s The results are those of the last checkpoint alone.", error
      )
      return Outcome(last, last)
    selected = self._score_test(model.params["snippet"], best)
    return Outcome(last, selected, selection)
