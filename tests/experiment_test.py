"""What a configuration opens."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from adplg_jax.data import normalize, schema, store
from adplg_jax.experiment import open_experiment
from tests.runs import tiny


def test_the_memory_is_keyed_by_video_or_by_crop(data_dir):
  found = {}
  for key in ("video", "crop"):
    experiment = open_experiment(
      tiny(data_dir, **{"switches.history_key": key})
    )
    batch = next(experiment.training_iterator(0))["anomalous"]
    found[key] = (experiment.method.num_keys, batch["key"].tolist())
  examples = experiment.dataset.train_anomalous
  assert found["video"][0] == len({e["video"] for e in examples})
  assert found["crop"][0] == len(examples) > found["video"][0]
  crops = {int(e["crop_key"]): int(e["video_key"]) for e in examples}
  assert [crops[key] for key in found["crop"][1]] == found["video"][1]


def test_held_out_videos_are_scored_without_their_padding(
  data_dir, monkeypatch
):
  config = tiny(data_dir, **{"selection.split": "validation"})
  examples = open_experiment(config).validation_examples()
  decode = schema.decode
  monkeypatch.setattr(
    schema, "decode", lambda example: decode(example) | {"length": np.int32(3)}
  )
  found = {(len(e["features"]), int(e["frames"])) for e in examples}
  assert found == {(3, 3)}


def test_an_incomplete_data_set_is_pointed_out(data_dir, monkeypatch, caplog):
  opened = store.open_dataset
  text = "incomplete: 809 of 810 anomalous training videos"

  def incomplete(*arguments):
    data = opened(*arguments)
    metadata = dataclasses.replace(data.metadata, incomplete=text)
    return dataclasses.replace(data, metadata=metadata)

  open_experiment(tiny(data_dir))
  assert "incomplete" not in caplog.text
  monkeypatch.setattr(store, "open_dataset", incomplete)
  open_experiment(tiny(data_dir))
  assert f"The data set synthetic:tiny is {text}." in caplog.text


def test_checkpoints_note_what_made_the_features(data_dir, monkeypatch):
  open_dataset = store.open_dataset

  def of_a_kind(*args):
    data = open_dataset(*args)
    metadata = dataclasses.replace(data.metadata, kind="rocng:abababab")
    return dataclasses.replace(data, metadata=metadata)

  monkeypatch.setattr(store, "open_dataset", of_a_kind)
  experiment = open_experiment(tiny(data_dir))
  assert experiment.meta(experiment.config.seed)["kind"] == "rocng:abababab"
  assert experiment.facts()["kind"] == "rocng:abababab"


def test_a_test_video_that_is_too_long_is_named_at_once(data_dir):
  with pytest.raises(
    ValueError, match=r"max_snippets is 8, but test video \w+"
  ):
    open_experiment(tiny(data_dir, **{"snippet.model.max_snippets": 8}))


@pytest.mark.parametrize(
  ("builder", "variant", "command"),
  [
    ("folder", "mine", "folder --name mine --manifest MANIFEST.csv"),
    ("ucf_crime", "i3d", "ucf_crime:i3d --features DIR --annotations FILE"),
  ],
)
def test_what_is_not_prepared_says_how(tmp_path, builder, variant, command):
  config = tiny(tmp_path, **{"data.builder": builder, "data.variant": variant})
  with pytest.raises(store.NotPreparedError) as error:
    open_experiment(config)
  said = f"\n  python -m adplg_jax.prepare {command} --segments 8 --data_dir "
  assert said + str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
  ("builder", "variant", "allowed"),
  [
    ("avenue", "i3d", "'avenue'; allowed: synthetic, folder, ucf_crime"),
    ("ucf_crime", "I3D", "'I3D'; write 'i3d'"),
    ("synthetic", "huge", "'huge'; allowed: small, tiny"),
  ],
)
def test_data_sets_that_are_not_known(tmp_path, builder, variant, allowed):
  config = tiny(tmp_path, **{"data.builder": builder, "data.variant": variant})
  with pytest.raises(ValueError, match=allowed):
    open_experiment(config)


@pytest.mark.parametrize("kind", ["rms", "standardize"])
def test_all_features_are_normalised_by_the_training_split(data_dir, kind):
  """Batches, held-out videos and the test split; the memory, too, has them."""
  changes = {"selection.split": "validation"}
  plain = open_experiment(tiny(data_dir, **changes))
  changes["data.normalize"] = kind
  assert kind != plain.config.data.normalize == "none"
  statistics = plain.dataset.statistics
  apply = normalize.from_statistics(kind, statistics, "").apply
  for cache in (8.0, 0.0):
    changes["data.cache_gib"] = cache
    experiment = open_experiment(tiny(data_dir, **changes))
    pairs = [
      *zip(experiment.test, plain.test, strict=True),
      *zip(
        experiment.validation_examples(),
        plain.validation_examples(),
        strict=True,
      ),
    ]
    batches = (next(e.training_iterator(0)) for e in (experiment, plain))
    normal, anomalous = zip(*(b.values() for b in batches), strict=True)
    for one, other in (*pairs, normal, anomalous):
      np.testing.assert_array_equal(one["features"], apply(other["features"]))
  meta = json.loads(json.dumps(experiment.meta(0)["normalization"]))
  stored = normalize.from_json(meta)
  x = np.ones((2, 16), np.float32)
  np.testing.assert_array_equal(stored.apply(x), apply(x))


def test_a_data_set_without_statistics_is_used_as_it_is(data_dir, tmp_path):
  """Prepared before they were measured."""
  open_experiment(tiny(data_dir))
  shutil.copytree(data_dir / "synthetic", tmp_path / "synthetic")
  for file in tmp_path.rglob("metadata.json"):
    stored = json.loads(file.read_text())
    del stored["statistics"]
    file.write_text(json.dumps(stored))
  assert open_experiment(tiny(tmp_path)).dataset.statistics is None
  with pytest.raises(ValueError, match="'rms', but synthetic/") as error:
    open_experiment(tiny(tmp_path, **{"data.normalize": "rms"}))
  said = str(error.value)
  assert "as they are: --config.data.normalize=none" in said
  assert "\n  python -m adplg_jax.prepare synthetic --variant tiny" in said
  assert said.endswith(f"--data_dir {tmp_path} --overwrite")


def test_the_truth_of_training_videos_is_read_where_it_is_known(
  data_dir, tmp_path
):
  known = open_experiment(tiny(data_dir))
  assert known.dataset.metadata.training_truth == 8
  batch = next(known.training_iterator(0))
  assert "truth" not in batch["normal"]
  truth = batch["anomalous"]["truth"]
  assert truth.shape == batch["anomalous"]["features"].shape[:2]
  assert (truth.max(1) > 0).all()
  assert (truth.min(1) == 0).all()
  shutil.copytree(data_dir / "synthetic", tmp_path / "synthetic")
  for file in tmp_path.rglob("metadata.json"):
    stored = json.loads(file.read_text())
    file.write_text(json.dumps(stored | {"training_truth": 0}))
  unknown = next(open_experiment(tiny(tmp_path)).training_iterator(0))
  assert "truth" not in unknown["anomalous"]
