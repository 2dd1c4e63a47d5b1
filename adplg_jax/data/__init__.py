"""What training reads: prepared data sets, batches, frame labels. No JAX."""
