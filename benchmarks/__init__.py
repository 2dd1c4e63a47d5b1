"""Measurements, side by side; RESULTS.md keeps the figures."""
