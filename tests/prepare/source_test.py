"""The options that every preparation takes."""

import argparse

import pytest

from adplg_jax.prepare.findings import PreparationError
from adplg_jax.prepare.source import Options, add_span_ends, common_options


def test_one_segment_is_not_enough(mine):
  status, printed = mine.prepare(segments=1)
  assert status == 1
  assert "--segments is 1; allowed: 2 or more" in printed


def test_types_that_are_not_stored_are_refused():
  with pytest.raises(PreparationError, match="--dtype is 'int8'; allowed: fl"):
    Options(variant="x", dtype="int8")


def test_options_are_those_of_the_command_line():
  """What a data set adds to it is left to the data set."""
  given = {"variant": "x", "num_segments": 4, "dtype": "float16"}
  arguments = argparse.Namespace(**given, skip_bad=("empty",), manifest="m")
  options = Options(**common_options(arguments))
  assert options == Options(**given, skip_bad=("empty",))


def test_ends_of_spans_are_an_option():
  parser = argparse.ArgumentParser()
  add_span_ends(parser)
  assert parser.parse_args([]).span_ends == "exclusive"
  words = ["--span-ends", "inclusive"]
  assert parser.parse_args(words).span_ends == "inclusive"
  with pytest.raises(PreparationError, match="--span-ends is 'open'; allowed:"):
    Options(variant="x", span_ends="open")
