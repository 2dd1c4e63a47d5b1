"""Builder of the synthetic data set (data/synthetic.py)."""

from adplg_jax.data import store
from adplg_jax.data.builders import preparing
from adplg_jax.data.builders.base import Collection, WsvadBuilder, WsvadConfig
from adplg_jax.data.findings import Findings
from adplg_jax.data.scan import Rules
from adplg_jax.data.synthetic import VARIANTS, SyntheticVideo, make_videos
from adplg_jax.data.videos import ArrayCrop, Video


class Synthetic(WsvadBuilder):
  """Videos that the package makes itself."""

  def _collect(self) -> Collection:
    spec = VARIANTS[self.builder_config.variant]
    videos = [_video(video) for video in make_videos(spec)]
    rules = Rules(feature_width=spec.feature_width, zero_rows=True)
    return Collection(videos, rules, Findings())


def _video(made: SyntheticVideo) -> Video:
  crops = tuple(
    ArrayCrop(index, array, made.name)
    for index, array in enumerate(made.features)
  )
  return Video(
    name=made.name,
    split=made.split,
    label=made.label,
    category=made.category,
    crops=crops,
    key=made.name,
    frames=made.frames,
    frames_per_snippet=made.frames_per_snippet,
    spans=made.spans,
    annotated_frames=made.frames,
  )


def prepare_synthetic(
  data_dir: str,
  variant: str,
  num_segments: int,
  *,
  dtype: str = "float32",
  overwrite: bool = False,
  exist_ok: bool = False,
) -> preparing.Prepared:
  """Makes and writes a synthetic data set.

  Args:
    data_dir: Root of the data sets; "" for tfds' own.
    variant: A key of `synthetic.VARIANTS`.
    num_segments: N.
    dtype: Type the features are written in.
    overwrite: Replace it if it is there.
    exist_ok: Take it if it is there, and wait for it while another process
      prepares it.

  Returns:
    Where it lies, and what was found.

  Raises:
    ValueError: An unknown variant, or the data set is there already.
  """
  if variant not in VARIANTS:
    raise ValueError(
      f"synthetic variant is {variant!r}; allowed: {', '.join(VARIANTS)}."
    )
  config = WsvadConfig(variant=variant, num_segments=num_segments, dtype=dtype)
  return preparing.prepare(
    Synthetic,
    config,
    store.data_root(data_dir),
    overwrite=overwrite,
    exist_ok=exist_ok,
  )
