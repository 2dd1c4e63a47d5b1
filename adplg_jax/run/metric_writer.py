"""Metrics of a run: JSON lines, TensorBoard events, a progress bar."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from absl import logging
from tqdm import tqdm

from adplg_jax.run.files import as_json, write_atomically
from adplg_jax.run.workdir import WorkdirError


@contextlib.contextmanager
def _without(module: str) -> Iterator[None]:
  """Makes imports of a module fail, unless it is imported already."""
  if module in sys.modules:
    yield
    return
  sys.modules[module] = None  # pyright: ignore[reportArgumentType]
  try:
    yield
  finally:
    del sys.modules[module]


# Where PyTorch is installed tensorboardX imports it, to accept tensors:
# a second for nothing.
with _without("torch"):
  from tensorboardX.event_file_writer import EventsWriter
  from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore
  from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore

_SHOWN = {
  "loss/video_branch": "video",
  "loss/snippet_classification": "snippet",
  "labels/hard": "hard",
}
# Each flush of the events waits for the disk.
_FLUSH_SECONDS = 5.0
_THROUGHPUT_SECONDS = 10.0


class MetricWriter:
  """Writes a step's metrics once, even if the step is repeated.

  `metrics.jsonl` has one line per step, {"step": ..., "time": ..., metrics},
  and one per evaluation, with "evaluation": true. What a killed run wrote
  beyond its last checkpoint is removed when it continues, and TensorBoard drops
  it, too.
  """

  def __init__(
    self,
    workdir: str | Path,
    *,
    total_steps: int,
    first_step: int = 0,
    enabled: bool = True,
    bar: bool = True,
    name: str = "",
  ):
    """Opens the files and the bar.

    Args:
      workdir: The run's folder.
      total_steps: Steps of the whole run.
      first_step: Steps that are done.
      enabled: False in all processes of a job but the first.
      bar: Show a progress bar.
      name: Before each evaluation that is shown.

    Raises:
      WorkdirError: The files cannot be written.
    """
    self._enabled = enabled
    if not enabled:
      return
    self._name = name
    path = Path(workdir) / "metrics.jsonl"
    with self._refusals_named(path):
      steps, self._evaluated = _cut_after(path, first_step)
    if first_step and not steps:
      logging.warning(
        "%s holds no step up to %d, from which the run continues; earlier "
        "lines are lost.",
        path,
        first_step,
      )
    events = Path(workdir) / "tensorboard"
    with self._refusals_named(events):
      self._events = _Events(events, first_step)
    with self._refusals_named(path):
      self._lines = path.open("a", encoding="utf-8")
    self._told = time.monotonic(), first_step
    # Not a line every half second where the output is a log file.
    seconds = 0.5 if sys.stderr.isatty() else 30.0
    self._bar = tqdm(
      total=total_steps,
      initial=first_step,
      desc="training",
      unit="step",
      disable=not bar,
      dynamic_ncols=True,
      mininterval=seconds,
      maxinterval=max(seconds, 10.0),
    )

  def __enter__(self) -> "MetricWriter":
    return self

  def __exit__(self, *exception: object) -> None:
    self.close()

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes a training step's metrics.

    Raises:
      WorkdirError: The disk takes no more.
    """
    if not self._enabled:
      return
    now = time.time()
    self._write_line({"step": step, "time": now, **scalars})
    with self._refusals_named(self._events.folder):
      self._events.write(step, now, {**scalars, **self._throughput(step)})
    shown = {
      short: f"{scalars[name]:.3f}"
      for name, short in _SHOWN.items()
      if name in scalars
    }
    self._bar.set_postfix(shown, refresh=False)
    self.advance(step)

  def _throughput(self, step: int) -> dict[str, float]:
    """Steps a second since it was last told, some seconds ago; else nothing.

    Steps that were dispatched together are written together, so that the time
    from one line to the next says nothing.
    """
    then, before = self._told
    seconds = time.monotonic() - then
    if seconds < _THROUGHPUT_SECONDS:
      return {}
    self._told = time.monotonic(), step
    return {"steps_per_second": (step - before) / seconds}

  def advance(self, step: int) -> None:
    """Moves the bar to a step that is done."""
    if self._enabled:
      self._bar.update(step - self._bar.n)

  def write_evaluation(
    self,
    step: int,
    results: Mapping[str, Any],
    draw: Callable[[], bytes] | None = None,
  ) -> None:
    """Writes the metrics of an evaluation, and shows them above the bar.

    One that an interrupted run has written for this step stays as it is.

    Args:
      step: Steps that were done.
      results: The metrics.
      draw: Gives a picture of the evaluation, a PNG, for TensorBoard.

    Raises:
      WorkdirError: The disk takes no more.
    """
    if not self._enabled:
      return
    scalars = {k: v for k, v in results.items() if isinstance(v, float)}
    if step not in self._evaluated:
      self._evaluated.add(step)
      now = time.time()
      self._write_line(
        {"step": step, "time": now, "evaluation": True, **results}
      )
      with self._refusals_named(self._events.folder):
        self._events.write(step, now, dict(_numbers("test", results)))
        if draw is not None:
          self._events.write_picture(step, now, "test/timelines", draw())
        self._events.flush()
    shown = "  ".join(
      f"{name} {scalars[name]:.4f}"
      for name in ("frame_auc", "frame_ap", "video_auc")
      if name in scalars
    )
    self._bar.write(f"{self._name}step {step}  {shown}")

  def _write_line(self, line: Mapping[str, Any]) -> None:
    with self._refusals_named(Path(self._lines.name)):
      self._lines.write(json.dumps(as_json(line), allow_nan=False) + "\n")
      self._lines.flush()

  @contextlib.contextmanager
  def _refusals_named(self, path: Path) -> Iterator[None]:
    """Says what the operating system refused, and what to do."""
    try:
      yield
    except OSError as error:
      raise WorkdirError(
        f"{path} cannot be written: {error.strerror}. Make space or fix the "
        "permissions, then run the same command: it continues from the last "
        "checkpoint."
      ) from error

  def close(self) -> None:
    """Closes the files and the bar."""
    if not self._enabled:
      return
    # All lines were flushed when written; a refusal was reported then.
    with contextlib.suppress(OSError):
      self._lines.close()
    with contextlib.suppress(OSError):
      self._events.close()
    self._bar.close()


class _Events:
  """TensorBoard events, written by the caller: a full disk raises there."""

  def __init__(self, folder: Path, first_step: int):
    """Starts a file; events after `first_step` in older ones are forgotten.

    Args:
      folder: Of the event files; made if missing.
      first_step: Steps that are done.
    """
    self.folder = folder
    folder.mkdir(parents=True, exist_ok=True)
    # Two starts within a second would otherwise write to one file.
    self._writer = EventsWriter(str(folder / "events"), f".{time.time_ns()}")
    self._writer.write_event(
      Event(
        wall_time=time.time(),
        step=first_step + 1,
        session_log=SessionLog(status=SessionLog.START),
      )
    )
    self._flushed = time.monotonic()

  def write(self, step: int, now: float, scalars: Mapping[str, float]) -> None:
    """One event with all scalars of a step; on disk in a few seconds."""
    values = [
      Summary.Value(tag=name, simple_value=float(value))
      for name, value in scalars.items()
    ]
    event = Event(wall_time=now, step=step, summary=Summary(value=values))
    self._writer.write_event(event)
    if time.monotonic() - self._flushed > _FLUSH_SECONDS:
      self.flush()

  def write_picture(self, step: int, now: float, tag: str, png: bytes) -> None:
    """One event with a picture."""
    image = Summary.Image(encoded_image_string=png, colorspace=3)
    value = Summary.Value(tag=tag, image=image)
    event = Event(wall_time=now, step=step, summary=Summary(value=[value]))
    self._writer.write_event(event)

  def flush(self) -> None:
    """Waits until everything is on disk."""
    self._writer.flush()
    self._flushed = time.monotonic()

  def close(self) -> None:
    """Flushes and closes the file."""
    self._writer.close()


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
  """The measures among nested results, by their paths."""
  if isinstance(value, Mapping):
    for key, inner in value.items():
      yield from _numbers(f"{name}/{key}", inner)
  elif isinstance(value, float):
    yield name, value


def _cut_after(path: Path, step: int) -> tuple[set[int], set[int]]:
  """Drops lines of later steps, and incomplete ones.

  Returns:
    The steps that are among the lines that stay, and those whose evaluation is.
  """
  kept, steps, evaluated = [], set(), set()
  if path.exists():
    for line in path.read_text("utf-8", errors="replace").splitlines():
      try:
        known = json.loads(line)
        number, evaluation = known["step"], known.get("evaluation")
      except (json.JSONDecodeError, TypeError, KeyError, AttributeError):
        continue
      if number <= step:
        kept.append(line + "\n")
        (evaluated if evaluation else steps).add(number)
    write_atomically(path, "".join(kept))
  return steps, evaluated
