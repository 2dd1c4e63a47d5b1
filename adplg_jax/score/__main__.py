"""Scores videos of which nothing is known, with a trained model.

  python -m adplg_jax.score --workdir=RUN --features PATH... --out=DIR --fps=25

Writes scores, pictures, results.json and, for --videos, overlays and clips
(docs/scoring.md). Exit codes: 0 all was done, 1 not all; reasons are printed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adplg_jax.run.allocator import keep_memory


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  arguments = _parse(sys.argv[1:] if argv is None else argv)
  keep_memory()
  # Here: the help is shown without the seconds that it takes to import JAX.
  from adplg_jax.run.checkpoint import CheckpointError
  from adplg_jax.run.workdir import WorkdirError

  try:
    return (_follow if arguments.follow else _run)(arguments)
  except (
    CheckpointError,
    WorkdirError,
    ImportError,
    OSError,
    ValueError,
  ) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1
  except KeyboardInterrupt:
    print(
      f"Interrupted; csv files of videos scored so far are in "
      f"{arguments.out}/videos.",
      file=sys.stderr,
    )
    return 130


def _parse(argv: Sequence[str]) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.score",
    usage="%(prog)s --workdir RUN --features PATH... --out DIR [options]",
    description=__doc__,
    formatter_class=_Help,
    allow_abbrev=False,
  )
  _add_inputs(parser)
  _add_intervals(parser)
  _add_drawing(parser)
  _add_following(parser)
  arguments = parser.parse_args(argv)
  model = arguments.workdir or arguments.checkpoint
  if bool(model) == arguments.novelty:
    parser.error(
      "give --workdir RUN, or --checkpoint RUN/checkpoints/STEP, or --novelty, "
      "which has no model"
    )
  if arguments.normal and not arguments.novelty:
    parser.error("--normal goes with --novelty")
  if arguments.follow and arguments.novelty:
    parser.error("--follow goes with --workdir or --checkpoint")
  inputs = arguments.features or arguments.manifest
  if bool(inputs) + bool(arguments.videos) + bool(arguments.follow) != 1:
    parser.error(
      "give --features PATH..., --manifest FILE, --videos PATH..., or --follow "
      "FILE"
    )
  if bool(arguments.out) == bool(arguments.follow):
    parser.error(
      "--out DIR goes with --features, --manifest and --videos; --follow "
      "writes to standard output"
    )
  if arguments.videos and arguments.annotations:
    parser.error("--annotations goes with --features; extract the videos first")
  if arguments.manifest and arguments.annotations:
    parser.error("give --manifest or --annotations, one of the two")
  return arguments


class _Help(argparse.RawDescriptionHelpFormatter):
  """A line for each option."""

  def __init__(self, prog: str):
    super().__init__(prog, max_help_position=28, width=100)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
  """Adds the options of the model, the videos and the results."""
  add = parser.add_argument
  add("--workdir", type=Path, metavar="RUN", help="folder of the run")
  add("--novelty", action="store_true", help="no model: what is rare (docs)")
  normal = {"nargs": "+", "default": [], "metavar": "PATH"}
  add("--normal", **normal, help="of --novelty: normal videos [its own]")
  add("--checkpoint", help="best, last or STEP [best]; or RUN/checkpoints/STEP")
  paths = {"nargs": "+", "type": Path, "default": [], "metavar": "PATH"}
  add("--features", **paths, help="feature files, and folders of them")
  paths = {"nargs": "+", "default": [], "metavar": "PATH"}
  add("--videos", **paths, help="video files, folders, patterns, addresses")
  add("--out", type=Path, metavar="DIR", help="folder of the results")
  add("--overwrite", action="store_true", help="another model's results, too")
  file = {"type": Path, "metavar": "FILE"}
  add("--manifest", **file, help="labels and spans, or test videos, to score")
  add("--annotations", **file, help="spans: a data set's, masks, or lines")
  ends = ("exclusive", "inclusive")
  add("--span-ends", choices=ends, default=ends[0], help="of these [exclusive]")
  add(
    "--fps",
    type=_positive,
    metavar="F",
    help="frames in a second; of videos: taken",
  )
  number = {"type": _natural, "metavar": "N"}
  add("--frames-per-snippet", **number, help="[as the run's data, or else 16]")
  add("--kind", default="", help="what made the features, as i3d or clip")
  add("--profile", help="of videos: how features are made [as the run's were]")
  add("--weights", type=Path, metavar="PATH", help="of the backbone [I3D's]")
  add("--window", **number, help="snippets scored at once [all it takes]")
  add("--overlap", **number, help="of windows, snippets [a quarter]")


def _add_intervals(parser: argparse.ArgumentParser) -> None:
  """Adds the options of anomalous intervals."""
  add = parser.add_argument_group("anomalous intervals").add_argument
  share = {"type": float, "metavar": "S"}
  add("--threshold", **share, help="opens one [that of the run's best F1]")
  add("--low", **share, help="keeps it open [0.8 of the threshold]")
  add("--quantile", **share, help="threshold from all scores [0.95 if no F1]")
  number = {"type": int, "default": 1, "metavar": "N"}
  add("--shortest", **number, help="length, snippets [%(default)s]")
  add("--gap", **number, help="largest that is bridged, snippets [%(default)s]")


def _add_drawing(parser: argparse.ArgumentParser) -> None:
  """Adds the options of what is drawn of videos."""
  add = parser.add_argument
  number = {"type": _number, "metavar": "N"}
  add(
    "--draw",
    **number,
    default=10,
    help="overlay, clips and thumbnails: of N videos [%(default)s]",
  )
  add(
    "--clips",
    **number,
    default=3,
    help="of each, of its highest intervals [%(default)s]",
  )
  add("--no-overlay", action="store_true", help="clips and thumbnails alone")


def _add_following(parser: argparse.ArgumentParser) -> None:
  """Adds the options of features that are still being written."""
  add = parser.add_argument_group("while it is written or filmed").add_argument
  add(
    "--follow",
    metavar="FILE",
    help="rows of a growing file or stdin (-); or a live video (rtsp://, 0)",
  )
  add("--rows", choices=("text", "float32"), help="their form [by the suffix]")
  number = {"type": _natural, "metavar": "N"}
  add("--crops", **number, default=1, help="in a row, of a video [%(default)s]")
  add("--hop", **number, default=4, help="scored at a time [%(default)s]")
  ahead = {"type": int, "default": 8, "metavar": "N"}
  add("--look-ahead", **ahead, help="snippets waited for [%(default)s]")
  add("--idle", type=_positive, metavar="S", help="end after S seconds [never]")


def _natural(text: str) -> int:
  if not text.isdecimal() or int(text) < 1:
    raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1 or more")
  return int(text)


def _number(text: str) -> int:
  return 0 if text == "0" else _natural(text)


def _positive(text: str) -> float:
  number = float(text)
  if not 0 < number < float("inf"):
    raise argparse.ArgumentTypeError(f"{text!r}; allowed: more than 0")
  return number


def _run(arguments: argparse.Namespace) -> int:
  """Scores, writes and prints; see `main`."""
  from adplg_jax.score import command
  from adplg_jax.score.outputs import Outputs

  choice = command.Choice(
    threshold=arguments.threshold,
    low=arguments.low,
    quantile=arguments.quantile,
    shortest=arguments.shortest,
    largest_gap=arguments.gap,
  )
  detector, model = _detector(arguments)
  source = _source(arguments, detector, model)
  outputs = Outputs(
    arguments.out, detector.facts(), overwrite=arguments.overwrite
  )
  draw = _drawing(arguments) if arguments.videos and arguments.draw else None
  result = command.score_source(detector, source, outputs, choice, draw)
  print("\n".join([*source.notes(), result.text]))
  print(f"results: {arguments.out}")
  return int(bool(result.failures) or not result.timelines)


def _drawing(arguments: argparse.Namespace) -> Any:
  """What is drawn of videos."""
  from adplg_jax.score.drawing import Drawing
  from adplg_jax.score.drawn import Plan

  overlay = not arguments.no_overlay
  return Drawing(Plan(arguments.draw, arguments.clips, overlay=overlay))


def _detector(arguments: argparse.Namespace) -> tuple[Any, Any]:
  """What scores the videos, and its model, None where it has none."""
  from adplg_jax.score.detectors import Novelty, Trained, from_normal

  if arguments.novelty:
    if not arguments.normal:
      return Novelty(), None
    normal = argparse.Namespace(**vars(arguments))
    normal.manifest = normal.annotations = None
    if arguments.videos:
      normal.videos = arguments.normal
    else:
      normal.features = [Path(path) for path in arguments.normal]
    return from_normal(_source(normal, Novelty(), None)), None
  scorer, path = _load(arguments)
  return Trained(scorer, path, path), scorer.model


def _source(arguments: argparse.Namespace, detector: Any, model: Any) -> Any:
  """The videos of a command line.

  Raises:
    ImportError: See `_extractor`.
    ValueError: There is no such video, or see `_extractor`.
  """
  if not arguments.videos:
    from adplg_jax.score.feature_files import FeatureFiles, Inputs

    inputs = Inputs(
      tuple(arguments.features),
      manifest=arguments.manifest,
      annotations=arguments.annotations,
      span_ends=arguments.span_ends,
      fps=arguments.fps,
      frames_per_snippet=arguments.frames_per_snippet,
      kind=arguments.kind,
    )
    return FeatureFiles(inputs, model)
  from adplg_jax.score.video_files import VideoFiles

  return VideoFiles(arguments.videos, _extractor(arguments, detector))


def _extractor(
  arguments: argparse.Namespace, detector: Any, batch_clips: int | None = None
) -> Any:
  """What makes the features of videos.

  Raises:
    ImportError: The extra `video` is not installed.
    ValueError: No such profile, or features of another kind than the
      detector's.
  """
  from adplg_jax.video.backbones import load_backbone
  from adplg_jax.video.extraction import Extractor
  from adplg_jax.video.profiles import DEFAULT, PROFILES, find_profile

  own = detector.kind.partition(":")[0]
  usual = own if own in PROFILES else DEFAULT
  profile = find_profile(arguments.profile or usual)
  extractor = Extractor(
    profile,
    load_backbone(profile, arguments.weights),
    crops=arguments.crops,
    fps=arguments.fps,
    batch_clips=batch_clips,
  )
  # Before hours of decoding.
  detector.check_kind(extractor.kind)
  return extractor


def _follow(arguments: argparse.Namespace) -> int:
  """Scores rows or a live video as they come; see `main`."""
  from adplg_jax.extract.videos import is_video
  from adplg_jax.score.follow import follow
  from adplg_jax.score.rows import follow_rows, form_of

  path = arguments.follow
  video = not arguments.rows and is_video(path)
  form = "" if video else arguments.rows or form_of(path)
  scorer, _ = _load(arguments)
  stream = scorer.stream(
    context=arguments.window,
    hop=arguments.hop,
    look_ahead=arguments.look_ahead,
  )
  print(
    f"look-ahead {stream.look_ahead} snippets: a score comes "
    f"{stream.look_ahead} to {stream.look_ahead + stream.hop - 1} snippets "
    f"after its own; context {stream.context}",
    file=sys.stderr,
  )
  if video:
    from adplg_jax.score.live import LiveVideo
    from adplg_jax.video.profiles import SNIPPET_FRAMES

    extractor = _extractor(arguments, scorer, batch_clips=1)
    live = LiveVideo(path, extractor, stream)
    follow(stream, live, sys.stdout, frames_per_snippet=SNIPPET_FRAMES)
    print(live.delays(), file=sys.stderr)
    return 0
  step = arguments.frames_per_snippet or scorer.model.frames_per_snippet or 16
  rows = follow_rows(
    path,
    form,
    width=scorer.model.feature_width,
    crops=arguments.crops,
    idle_seconds=arguments.idle,
    seconds_per_snippet=arguments.fps and step / arguments.fps,
  )
  follow(stream, rows, sys.stdout, frames_per_snippet=step)
  return 0


def _load(arguments: argparse.Namespace) -> tuple[Any, Path]:
  """The scorer, and the folder of its run."""
  from adplg_jax.scoring.trained import load_scorer

  windows = {"window": arguments.window, "overlap": arguments.overlap}
  if arguments.workdir:
    which = arguments.checkpoint or "best"
    return load_scorer(arguments.workdir, which, **windows), arguments.workdir
  folder = Path(arguments.checkpoint)
  return load_scorer(folder, **windows), folder.absolute().parent.parent


if __name__ == "__main__":
  sys.exit(main())
