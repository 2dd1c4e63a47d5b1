"""Where a run's numbers go: JSON lines, TensorBoard events, a progress bar."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorboardX
from tqdm import tqdm

from adplg_jax.files import write_atomically

_SHOWN = {
  "loss/video_branch": "video",
  "loss/snippet_classification": "snippet",
  "labels/hard": "hard",
}


class MetricWriter:
  """Writes a step's metrics once, even when the step is done again.

  `metrics.jsonl` has one line a step, {"step": ..., "time": ..., metrics}, and
  one an evaluation, with "evaluation": true. What a killed run wrote beyond its
  last checkpoint is cut off when it goes on.
  """

  def __init__(
    self,
    workdir: str | Path,
    *,
    total_steps: int,
    first_step: int = 0,
    enabled: bool = True,
  ):
    """Opens the files and the bar.

    Args:
      workdir: The run's folder.
      total_steps: Steps of the whole run.
      first_step: Steps that are done.
      enabled: False in all processes of a job but the first.
    """
    self._enabled = enabled
    if not enabled:
      return
    path = Path(workdir) / "metrics.jsonl"
    _cut_after(path, first_step)
    self._lines = path.open("a", encoding="utf-8")
    self._events = tensorboardX.SummaryWriter(
      str(Path(workdir) / "tensorboard"),
      purge_step=first_step + 1 if first_step else None,
    )
    self._bar = tqdm(
      total=total_steps,
      initial=first_step,
      desc="training",
      unit="step",
      dynamic_ncols=True,
      mininterval=0.5,
    )

  def __enter__(self) -> "MetricWriter":
    return self

  def __exit__(self, *exception: object) -> None:
    self.close()

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes a training step's metrics."""
    if not self._enabled:
      return
    self._write({"step": step, "time": time.time(), **scalars})
    for name, value in scalars.items():
      self._events.add_scalar(name, value, step)
    shown = {
      short: f"{scalars[name]:.3f}"
      for name, short in _SHOWN.items()
      if name in scalars
    }
    self._bar.set_postfix(shown, refresh=False)
    self._bar.update(step - self._bar.n)

  def write_evaluation(self, step: int, results: Mapping[str, Any]) -> None:
    """Writes the metrics of an evaluation, and shows them above the bar."""
    if not self._enabled:
      return
    line = {"step": step, "time": time.time(), "evaluation": True, **results}
    self._write(line)
    scalars = {k: v for k, v in results.items() if isinstance(v, float)}
    for name, value in scalars.items():
      self._events.add_scalar(f"test/{name}", value, step)
    self._events.flush()
    shown = "  ".join(
      f"{name} {scalars[name]:.4f}"
      for name in ("frame_auc", "frame_ap", "video_auc")
      if name in scalars
    )
    self._bar.write(f"step {step}  {shown}")

  def _write(self, line: Mapping[str, Any]) -> None:
    self._lines.write(json.dumps(as_json(line), allow_nan=False) + "\n")
    self._lines.flush()

  def close(self) -> None:
    """Closes the files and the bar."""
    if not self._enabled:
      return
    self._lines.close()
    self._events.close()
    self._bar.close()


def as_json(value: Any) -> Any:
  """Numbers and containers as JSON knows them; NaN and infinity are null."""
  if isinstance(value, Mapping):
    return {str(key): as_json(inner) for key, inner in value.items()}
  if isinstance(value, (list, tuple)):
    return [as_json(inner) for inner in value]
  if isinstance(value, float):
    return value if math.isfinite(value) else None
  return value


def _cut_after(path: Path, step: int) -> None:
  """Drops lines of later steps, and a last line that a kill cut short."""
  if not path.exists():
    return
  kept = []
  for line in path.read_text(encoding="utf-8").splitlines():
    try:
      known = json.loads(line)
    except json.JSONDecodeError:
      continue
    if known["step"] <= step:
      kept.append(line + "\n")
  write_atomically(path, "".join(kept))
