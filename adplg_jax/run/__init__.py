"""What a run needs: configuration, folder, checkpoints, metrics, processes."""
