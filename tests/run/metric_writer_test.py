import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from adplg_jax.run import metric_writer
from adplg_jax.run.metric_writer import MetricWriter
from adplg_jax.run.workdir import WorkdirError


def refuse_constant(name):
  raise AssertionError(f"bare {name} in the file")


def lines(workdir):
  text = (workdir / "metrics.jsonl").read_text()
  assert text == "" or text.endswith("\n")
  return [
    json.loads(line, parse_constant=refuse_constant)
    for line in text.splitlines()
  ]


def events(path):
  """The events of a file: length, checksum, message, checksum, and again."""
  data, found, at = path.read_bytes(), [], 0
  while at < len(data):
    length = int.from_bytes(data[at : at + 8], "little")
    found.append(Event.FromString(data[at + 12 : at + 12 + length]))
    at += 12 + length + 4
  return found


def event_files(workdir):
  return sorted((workdir / "tensorboard").iterdir())


def train(workdir, first, last, total=10, evaluations=()):
  with MetricWriter(workdir, total_steps=total, first_step=first) as writer:
    for step in range(first + 1, last + 1):
      writer.write(step, {"loss/video_branch": step / 2, "labels/hard": 0.25})
      if step in evaluations:
        writer.write_evaluation(step, {"frame_auc": 0.5 + step / 100})


def test_writes_one_line_a_step(tmp_path):
  train(tmp_path, 0, 3)
  written = lines(tmp_path)
  assert [line["step"] for line in written] == [1, 2, 3]
  assert written[1]["loss/video_branch"] == 1.0
  assert all(line["time"] > 0 for line in written)


def test_each_line_is_on_disk_at_once(tmp_path):
  with MetricWriter(tmp_path, total_steps=2) as writer:
    writer.write(1, {"loss": 1.0})
    assert [line["step"] for line in lines(tmp_path)] == [1]
    writer.write_evaluation(1, {"frame_auc": 0.7})
    assert lines(tmp_path)[1]["evaluation"] is True


def test_repeated_steps_are_written_once(tmp_path):
  train(tmp_path, 0, 7, evaluations=(2, 4, 6))
  train(tmp_path, 4, 10, evaluations=(6, 8))
  written = lines(tmp_path)
  steps = [line["step"] for line in written if "evaluation" not in line]
  assert steps == list(range(1, 11))
  tested = [line["step"] for line in written if "evaluation" in line]
  assert tested == [2, 4, 6, 8]


def test_a_repeated_evaluation_of_the_same_step_is_written_once(tmp_path):
  train(tmp_path, 0, 4, evaluations=(4,))
  with MetricWriter(tmp_path, total_steps=10, first_step=4) as writer:
    writer.write_evaluation(4, {"frame_auc": 0.54})
  tested = [line for line in lines(tmp_path) if "evaluation" in line]
  assert len(tested) == 1


def test_starting_anew_without_a_checkpoint_forgets_everything(tmp_path):
  train(tmp_path, 0, 3)
  train(tmp_path, 0, 2)
  assert [line["step"] for line in lines(tmp_path)] == [1, 2]


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_line_cut_short_is_repaired(tmp_path, cut):
  train(tmp_path, 0, 4)
  path = tmp_path / "metrics.jsonl"
  path.write_bytes(path.read_bytes()[:-cut])
  train(tmp_path, 3, 5)
  assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5]


def test_a_tail_of_zeros_is_repaired(tmp_path):
  train(tmp_path, 0, 2)
  with (tmp_path / "metrics.jsonl").open("ab") as file:
    file.write(bytes(64) + b"\xff\xfe")
  train(tmp_path, 2, 3)
  assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3]


def test_nan_and_infinity_are_null(tmp_path):
  with MetricWriter(tmp_path, total_steps=1) as writer:
    writer.write(1, {"a": math.nan, "b": math.inf, "c": 1.0})
  (line,) = lines(tmp_path)
  assert line["a"] is None
  assert line["b"] is None
  assert line["c"] == 1.0


def test_tensorboard_gets_all_scalars(tmp_path):
  train(tmp_path, 0, 2, evaluations=(2,))
  (path,) = event_files(tmp_path)
  found = {
    (event.step, value.tag): value.simple_value
    for event in events(path)
    for value in event.summary.value
  }
  assert found == {
    (1, "loss/video_branch"): pytest.approx(0.5),
    (1, "labels/hard"): pytest.approx(0.25),
    (2, "loss/video_branch"): pytest.approx(1.0),
    (2, "labels/hard"): pytest.approx(0.25),
    (2, "test/frame_auc"): pytest.approx(0.52),
  }


def test_tensorboard_gets_nested_measures_and_a_picture(tmp_path):
  results = {"best_f1": {"f1": 0.5}, "undefined": {"a": "why"}, "videos": 3}
  drawn = []

  def draw():
    drawn.append(1)
    return b"PNG"

  for _ in range(2):
    # The second run repeats the evaluation: it is there already.
    with MetricWriter(tmp_path, total_steps=2, first_step=2) as writer:
      writer.write_evaluation(2, results, draw)
  (value, picture) = [
    value
    for path in event_files(tmp_path)
    for event in events(path)
    for value in event.summary.value
  ]
  assert (value.tag, value.simple_value) == ("test/best_f1/f1", 0.5)
  assert picture.tag == "test/timelines"
  assert picture.image.encoded_image_string == b"PNG"
  assert drawn == [1]


def test_throughput_is_told_now_and_then(tmp_path, monkeypatch):
  clock = [100.0]
  monkeypatch.setattr(metric_writer.time, "monotonic", lambda: clock[0])
  with MetricWriter(tmp_path, total_steps=60) as writer:
    for step in range(1, 61):
      # All of twenty steps at once.
      clock[0] += 15.0 * (step % 20 == 1)
      writer.write(step, {"loss": 1.0})
  (path,) = event_files(tmp_path)
  found = {
    event.step: value.simple_value
    for event in events(path)
    for value in event.summary.value
    if value.tag == "steps_per_second"
  }
  assert found == pytest.approx({1: 1 / 15, 21: 20 / 15, 41: 20 / 15})
  assert "steps_per_second" not in lines(tmp_path)[0]


@pytest.mark.parametrize("first_step", [0, 4])
def test_tensorboard_is_told_to_forget_redone_steps(tmp_path, first_step):
  train(tmp_path, 0, 6)
  train(tmp_path, first_step, 8)
  assert len(event_files(tmp_path)) == 2
  starts = [
    event.step
    for event in events(event_files(tmp_path)[-1])
    if event.session_log.status == SessionLog.START
  ]
  assert starts == [first_step + 1]


def test_the_bar_shows_step_losses_rate_and_time_left(tmp_path, capsys):
  with MetricWriter(tmp_path, total_steps=10, first_step=4) as writer:
    assert "4/10" in capsys.readouterr().err
    for step in range(5, 8):
      writer.write(step, {"loss/video_branch": 1.25, "labels/hard": 0.5})
    writer._bar.refresh()
  shown = capsys.readouterr().err
  assert "7/10" in shown
  assert "video=1.250" in shown
  assert "hard=0.500" in shown
  assert "step/s" in shown
  # Elapsed, then what is left.
  assert "[00:00<00:00" in shown


def test_an_evaluation_is_shown_above_the_bar(tmp_path, capsys):
  train(tmp_path, 0, 1, evaluations=(1,))
  assert "step 1  frame_auc 0.5100" in capsys.readouterr().out


def test_only_the_first_process_writes(tmp_path):
  with MetricWriter(tmp_path, total_steps=2, enabled=False) as writer:
    writer.write(1, {"loss": 1.0})
    writer.write_evaluation(1, {"frame_auc": 0.5})
  assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
  not Path("/dev/full").exists(), reason="only Linux has a full device"
)
def test_a_full_disk_is_named_and_closing_still_works(tmp_path):
  writer = MetricWriter(tmp_path, total_steps=1)
  writer._lines.close()
  # Every write to this device says that no space is left.
  writer._lines = Path("/dev/full").open("a")  # noqa: SIM115
  with pytest.raises(WorkdirError, match=r"No space left.*last checkpoint"):
    writer.write(1, {"loss": 1.0})
  writer.close()
  assert writer._lines.closed


def test_a_path_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "tensorboard").write_text("a file where a folder must be")
  with pytest.raises(WorkdirError, match=r"tensorboard cannot be written"):
    MetricWriter(tmp_path, total_steps=1)
  (tmp_path / "tensorboard").unlink()
  (tmp_path / "metrics.jsonl").mkdir()
  with pytest.raises(WorkdirError, match=r"metrics\.jsonl cannot be written"):
    MetricWriter(tmp_path, total_steps=1)


def test_steps_that_are_not_logged_move_the_bar(tmp_path, capsys):
  with MetricWriter(tmp_path, total_steps=10) as writer:
    writer.write(4, {"loss": 1.0})
    writer.advance(10)
  assert "10/10" in capsys.readouterr().err
  assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "[1]\n7\n{}\nnull\n"])
def test_lost_lines_are_reported(tmp_path, text, caplog):
  train(tmp_path, 0, 4)
  (tmp_path / "metrics.jsonl").write_text(text)
  train(tmp_path, 4, 6)
  assert [line["step"] for line in lines(tmp_path)] == [5, 6]
  assert "holds no step up to 4" in caplog.text


def test_pytorch_is_not_imported():
  code = (
    "import sys; from adplg_jax.run import metric_writer;"
    "print('torch' in sys.modules)"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert done.stdout == "False\n"
