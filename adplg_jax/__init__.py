"""ADPLG: attention-driven pseudo-label self-training for WSVAD, in JAX."""

__version__ = "0.1.0"
