"""Builders: what turns feature files into tfds data sets."""
