"""Data: files, ground truth, tfds data sets, batches. No jax here."""
