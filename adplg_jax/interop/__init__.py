"""Other programs: the authors' PyTorch state dicts."""
