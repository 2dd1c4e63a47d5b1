"""What serves a run: configuration, folder, checkpoints, metrics, processes."""
