import jax
import numpy as np
import pytest

from adplg_jax.data import pipeline

COLUMNS = {"features": "features", "key": "video_key"}


def crops(count, start=0):
  return [
    {
      "features": np.full((3, 2), start + i, np.float32),
      "video_key": np.int32(i % 4),
    }
    for i in range(count)
  ]


def make(count, start=0, in_memory=True):
  return pipeline.TrainingSet(
    crops(count, start),
    np.arange(count),
    COLUMNS,
    in_memory=in_memory,
    name="x",
  )


def take(iterator, count):
  """Identities of the crops in each batch, normal and anomalous."""
  batches = [next(iterator) for _ in range(count)]
  return [
    tuple(
      batch[name]["features"][:, 0, 0].astype(int).tolist()
      for name in ("normal", "anomalous")
    )
    for batch in batches
  ]


def iterate(
  seeds=(0,),
  normal=11,
  anomalous=9,
  in_memory=True,
  rows=slice(None),
  first_step=0,
):
  sizes = {"normal": normal, "anomalous": anomalous}
  crops = {
    "normal": make(normal, in_memory=in_memory),
    "anomalous": make(anomalous, 100, in_memory=in_memory),
  }
  places = pipeline.batch_places(sizes, batch_size=4, seeds=seeds)
  batches = pipeline.training_batches(places, crops, rows)
  return pipeline.iterate(batches, first_step=first_step, threads=4)


def test_epochs_are_whole_reshuffled_and_independent():
  batches = take(iterate(), 40)
  for name in (0, 1):
    epochs = [batches[i][name] + batches[i + 1][name] for i in range(0, 40, 2)]
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 20
    # Incomplete batches are dropped, and not always the same crops.
    assert len(set().union(*epochs)) == (11 if name == 0 else 9)


def test_both_streams_have_a_seed_of_their_own():
  """Of classes of equal size, or any seed would give different batches."""
  batches = take(iterate(normal=9, anomalous=9), 6)
  assert [n for n, _ in batches] != [[x - 100 for x in a] for _, a in batches]


def test_order_is_a_function_of_seed_and_step():
  assert take(iterate(), 6) == take(iterate(), 6)
  assert take(iterate(), 6) != take(iterate(seeds=(1,)), 6)
  assert take(iterate(first_step=4), 2) == take(iterate(), 6)[4:]
  assert take(iterate(in_memory=False), 6) == take(iterate(), 6)


@pytest.mark.parametrize("in_memory", [True, False])
def test_several_seeds_have_the_batches_of_each(in_memory):
  both = iterate(seeds=(3, 4), in_memory=in_memory)
  alone = [iterate(seeds=(seed,)) for seed in (3, 4)]
  for _ in range(3):
    batch = next(both)
    for place, batches in enumerate(alone):
      jax.tree.map(
        lambda x, y, place=place: np.testing.assert_array_equal(x[place], y),
        batch,
        next(batches),
      )


def test_processes_share_the_rows_of_each_batch():
  whole = take(iterate(), 5)
  parts = [take(iterate(rows=slice(lo, lo + 2)), 5) for lo in (0, 2)]
  for step in range(5):
    for name in (0, 1):
      joined = parts[0][step][name] + parts[1][step][name]
      assert joined == whole[step][name]


def test_only_own_rows_are_read():
  class Counting(list):
    reads = 0

    def __getitem__(self, index):
      Counting.reads += 1
      return super().__getitem__(index)

  source = Counting(crops(8))
  one = pipeline.TrainingSet(
    source, np.arange(8), COLUMNS, in_memory=False, name="x"
  )
  before = Counting.reads
  one.read(np.array([3, 5]))
  assert Counting.reads == before + 2


@pytest.mark.parametrize("in_memory", [True, False])
def test_only_rows_that_take_part_are_read(in_memory):
  part = pipeline.TrainingSet(
    crops(8), np.array([6, 2, 5]), COLUMNS, in_memory=in_memory, name="x"
  )
  read = part.read(np.array([2, 0]))
  assert read["features"][:, 0, 0].tolist() == [5, 6]
  assert read["key"].tolist() == [1, 2]


def test_padded_length_wastes_little_and_has_few_values():
  lengths = [pipeline.padded_length(t, 6750) for t in range(1, 6751)]
  assert len(set(lengths)) < 20
  assert all(t <= p for t, p in zip(range(1, 6751), lengths, strict=True))
  assert max(lengths) == 6750
  assert (
    max(p / t for t, p in zip(range(64, 6751), lengths[63:], strict=True)) < 2
  )
  assert pipeline.padded_length(7000, 6750) == 7000


@pytest.mark.parametrize("multiple", [1, 8])
def test_padded_batches_lose_nothing(multiple):
  rng = np.random.default_rng(0)
  examples = [
    {"features": rng.random((t, 2), np.float32), "video": f"v{t}", "crop": c}
    for t in (1, 5, 63, 64, 65, 200)
    for c in range(3)
  ]
  seen = {}
  for batch in pipeline.padded_batches(
    iter(examples), batch_snippets=300, longest=400, multiple=multiple
  ):
    crops, length, _ = batch.features.shape
    assert crops % multiple == 0
    assert crops * length <= max(300, multiple * length)
    assert (batch.lengths[len(batch.examples) :] == 0).all()
    for row, example in enumerate(batch.examples):
      t = batch.lengths[row]
      seen[example["video"], example["crop"]] = batch.features[row, :t]
      assert not batch.features[row, t:].any()
  assert len(seen) == len(examples)
  for example in examples:
    np.testing.assert_array_equal(
      seen[example["video"], example["crop"]], example["features"]
    )
