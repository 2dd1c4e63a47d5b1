"""The console's table of scored videos."""

import dataclasses

from adplg_jax.report import summary
from tests.report.timeline_test import make


def test_a_line_a_video():
  text = summary.table([make("a"), make("folder/b", snippets=300)])
  heading, first, second = text.splitlines()
  assert heading.split() == [
    "video", "peak", "at", "min:s", "intervals", "anomalous", "length",
  ]  # fmt: skip
  assert first.split() == ["a", "0.9000", "0:40", "1", "16.7%", "4:00"]
  assert second.split()[-2:] == ["3.3%", "20:00"]
  assert len({len(line) for line in (heading, first, second)}) == 1


def test_many_videos_and_long_names():
  name = "folder/" + 60 * "x"
  lines = summary.table([make(name, fps=None)] * 25).splitlines()
  assert "at frame" in lines[0]
  assert lines[1].split()[0] == "…" + 39 * "x"
  assert lines[1].split()[2] == "160"
  assert lines[-1] == "  ... and 5 more in results.json"
  assert len(lines) == 22


def test_the_share_of_a_video():
  assert summary.share(make()) == 10 / 60


def test_what_peaks_look_like():
  looks = ((("yoga", 0.5), ("zumba", 0.25)),) * 60
  own = make("a")
  known = own._replace(video=dataclasses.replace(own.video, looks=looks))
  assert summary.looks([known, own]) == "  a      yoga 0.50, zumba 0.25"
  assert summary.looks([own]) == ""
