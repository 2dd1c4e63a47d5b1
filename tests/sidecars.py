"""Sidecars of features, as extraction writes them."""

import dataclasses
import json

from adplg_jax.data.sidecar import Sidecar, sidecar_path

SIDECAR = Sidecar(
  kind="rocng:abababab",
  profile="rocng",
  weights="ab" * 32,
  crops=2,
  fps=None,
  video="a.mp4",
  size=100,
  frame_rate=25.0,
  frames=49,
  frames_decoded=49,
  frames_per_snippet=16,
  seconds=((0.0, 0.64), (0.64, 1.28), (1.28, 1.92)),
  warnings=("something",),
)


def write_sidecar(features, **changes):
  """Writes a sidecar beside a file of features."""
  sidecar = dataclasses.replace(SIDECAR, **changes)
  sidecar_path(features).write_text(json.dumps(sidecar.to_json()), "utf-8")
