"""Extracts features of videos, for training and scoring.

  python -m adplg_jax.extract --videos clips --out features
  python -m adplg_jax.prepare folder --name N --manifest features/manifest.csv

Writes NAME.npy [snippets, crops, channels] and NAME.json of each video, and
manifest.csv for videos in normal/ and folders of classes (docs/extraction.md).
The same command goes on where it stopped. Exit codes: 0 all were extracted,
1 some or all were not; the reasons are printed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from adplg_jax.extract.manifest import MANIFEST, write_manifest
from adplg_jax.extract.videos import find_videos, shard
from adplg_jax.video.profiles import COUNTS, DEFAULT, PROFILES, find_profile


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command line; returns its exit status."""
  arguments = parse(sys.argv[1:] if argv is None else argv)
  try:
    return _run(arguments)
  except (ImportError, OSError, ValueError) as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1
  except KeyboardInterrupt:
    print(
      "Interrupted; videos extracted so far are in "
      f"{arguments.out}. The same command goes on with the others.",
      file=sys.stderr,
    )
    return 130


def parse(argv: Sequence[str]) -> argparse.Namespace:
  """Parses a command line, without the program's own name."""
  parser = argparse.ArgumentParser(
    prog="python -m adplg_jax.extract",
    usage="%(prog)s --videos PATH... --out DIR [options]",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add = parser.add_argument
  add(
    "--videos",
    nargs="+",
    required=True,
    metavar="PATH",
    help="files, folders, patterns and addresses",
  )
  add("--out", type=Path, required=True, metavar="DIR", help="for the features")
  names = ", ".join(PROFILES)
  add(
    "--profile",
    default=DEFAULT,
    metavar="NAME",
    help=f"how features are made [%(default)s]: {names}",
  )
  add(
    "--weights",
    type=Path,
    metavar="PATH",
    help="of the backbone, a file; of vadclip a folder [those of the extra]",
  )
  add(
    "--crops",
    type=int,
    choices=COUNTS,
    default=1,
    help="1: the centre; 5, 10: in the profile's order [%(default)s]",
  )
  add(
    "--fps",
    type=_positive,
    metavar="F",
    help="frames a second that are taken [those of each video]",
  )
  add("--shard", metavar="K/N", help="the K-th of N parts of the videos [all]")
  return parser.parse_args(argv)


def _positive(text: str) -> float:
  number = float(text)
  if not 0 < number < float("inf"):
    raise argparse.ArgumentTypeError(f"{text!r}; allowed: more than 0")
  return number


def _run(arguments: argparse.Namespace) -> int:
  """Extracts and prints; see `main`."""
  profile = find_profile(arguments.profile)
  videos = find_videos(arguments.videos)
  names = [video.name for video in videos]
  if arguments.shard is not None:
    videos = shard(videos, arguments.shard)
  # Here: what is wrong with a command line is said, and the help shown, without
  # the seconds that it takes to import JAX.
  from adplg_jax.extract.command import extract
  from adplg_jax.run.compilation_cache import keep_programs
  from adplg_jax.video.backbones import load_backbone
  from adplg_jax.video.extraction import Extractor

  keep_programs()
  backbone = load_backbone(profile, arguments.weights)
  extractor = Extractor(
    profile, backbone, crops=arguments.crops, fps=arguments.fps
  )
  done = extract(videos, arguments.out, extractor)
  print(
    f"{done.written} videos extracted ({done.seconds:.1f} s of video, "
    f"{done.speed:.2f} times real time), {done.there} were there already, "
    f"{len(done.failures)} cannot be used"
  )
  for failure in done.failures:
    print(f"  {failure}")
  rows = write_manifest(arguments.out, names)
  print(f"features: {arguments.out} ({extractor.kind})")
  if rows:
    print(
      f"manifest of {rows} videos: {arguments.out / MANIFEST}\n  python -m "
      "adplg_jax.prepare folder --name NAME --manifest "
      f"{arguments.out / MANIFEST}"
    )
  elif len(names) > 1:
    print(
      "no manifest: no video is in normal/ or the folder of a class below what "
      "--videos names; for training, name the folder above these."
    )
  return int(bool(done.failures))


if __name__ == "__main__":
  sys.exit(main())
