"""ADPLG: attention-driven pseudo-label self-training for WSVAD, in JAX."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from adplg_jax.scoring.trained import load_scorer

__all__ = ("__version__", "load_scorer")
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
  # The package itself is imported without JAX.
  if name == "load_scorer":
    from adplg_jax.scoring.trained import load_scorer

    return load_scorer
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
