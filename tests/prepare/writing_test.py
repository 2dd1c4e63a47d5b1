"""Examples and shards: the predicted size."""

from adplg_jax.prepare import writing


def test_predicted_size_is_what_is_written(ucf, monkeypatch):
  predicted = []
  monkeypatch.setattr(
    writing, "check_disk", lambda folder, needed: predicted.append(needed)
  )
  assert ucf.prepare()[0] == 0
  records = (ucf.root / "data").rglob("*array_record*")
  written = sum(path.stat().st_size for path in records)
  assert written <= predicted[0] <= 1.2 * written + 2**17
