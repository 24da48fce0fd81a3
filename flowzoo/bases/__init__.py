"""Base distributions of the latent."""

from flowzoo.bases.normal import StandardNormal

__all__ = ["StandardNormal"]
