"""Scores of videos of which nothing is known: `python -m adplg_jax.score`."""
