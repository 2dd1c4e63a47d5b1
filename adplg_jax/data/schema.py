"""The example: one crop of a video, as it is written and as it is read."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

# Frames a snippet is extracted from, unless a data set says otherwise.
SNIPPET_FRAMES = 16
TRAINING_SPLITS = ("train_normal", "train_anomalous")
SPLITS = (*TRAINING_SPLITS, "test")
# Types that features are stored in.
FEATURE_TYPES = ("float16", "float32")


class _Field(NamedTuple):
  """A field's type; str is text, `shape` None is a single value.

  `before` is its value in data sets that were prepared before it existed.
  """

  dtype: type
  shape: tuple[int | None, ...] | None = None
  before: Any = None


# In this order they are written. `features` [n d] in training, [t d] in test,
# has the type that the data set was prepared with. `length` counts the rows
# that are not padding. The keys are -1 outside train_anomalous. A snippet is
# extracted from `window` frames, the next one starts `frames_per_snippet`
# frames after it. `spans` are spans of anomalous frames, unknown where
# has_spans is false. Where exact_spans is true they are half-open; else they
# end as the annotated rows do, of which the evaluation knows whether the last
# frame belongs to the span.
_FIELDS = {
  "length": _Field(np.int32),
  "video": _Field(str),
  "crop": _Field(np.int32),
  "category": _Field(str),
  "label": _Field(np.int32),
  "video_key": _Field(np.int32),
  "crop_key": _Field(np.int32),
  "frames": _Field(np.int64),
  "frames_per_snippet": _Field(np.int32),
  "window": _Field(np.int32),
  "spans": _Field(np.int64, (None, 2)),
  "has_spans": _Field(np.bool_),
  "exact_spans": _Field(np.bool_, before=False),
}


def tfds_features(dtype: str) -> tfds.features.FeaturesDict:
  """The example as TFDS describes it.

  Args:
    dtype: Type of the features.

  Returns:
    A feature for each field.
  """
  fields = {"features": _Field(np.dtype(dtype).type, (None, None)), **_FIELDS}
  return tfds.features.FeaturesDict(
    {name: _tfds_feature(field) for name, field in fields.items()}
  )


def _tfds_feature(field: _Field) -> Any:
  if field.dtype is str:
    return tfds.features.Text()
  if field.shape is None:
    return tfds.features.Scalar(dtype=field.dtype)
  # Two unknown dimensions need the encoding "bytes".
  return tfds.features.Tensor(
    shape=field.shape, dtype=field.dtype, encoding="bytes"
  )


def decode(example: dict[str, Any]) -> dict[str, Any]:
  """An example of a TFDS data source with texts as str, numbers typed.

  Fields that a data set was prepared without are filled in.
  """
  example.setdefault("window", example["frames_per_snippet"])
  for name, field in _FIELDS.items():
    if field.before is not None:
      example.setdefault(name, field.before)
    if field.dtype is str:
      example[name] = example[name].decode()
    elif field.shape is None:
      example[name] = field.dtype(example[name])
  return example
