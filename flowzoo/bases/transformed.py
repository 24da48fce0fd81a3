"""A flow as the distribution of the latent of another model."""

from __future__ import annotations

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core.transform import Transform


class Transformed(Base):
    """z = transform.decode(u), u ~ base, both given the condition.

    The temperature is that of u.

    Args:
      transform: an exact bijection of z.
      base: of its latent.

    Raises:
      TypeError: `transform` is not an exact bijection.
      ValueError: `base` has another shape.
    """

    def __init__(self, transform: Transform, base: Base, *, name: str | None = None):
        require_bijection(transform, "log p(z)")
        if base.event_shape != transform.latent_shape:
            raise ValueError(f"`base` must have event_shape {transform.latent_shape}, got {base.event_shape}.")
        super().__init__(transform.event_shape, dtype=transform.compute_dtype, name=name)
        self.transform, self.base = transform, base

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        u, log_det = self.transform.encode(z, condition)
        return self.base.log_prob(u, condition) + log_det

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return self.transform.decode(self.base.sample(seeds, temperature, condition), condition)[0]

    def sample_with_log_prob(
        self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        u, log_prob = self.base.sample_with_log_prob(seeds, temperature, condition)
        z, log_det = self.transform.decode(u, condition)
        return z, log_prob - log_det


def require_bijection(transform: Transform, density: str) -> None:
    """TypeError unless `transform` is an exact bijection, with which `density` is one."""
    if not (isinstance(transform, Transform) and transform.bijective):
        got = f"{type(transform).__name__} of kind {getattr(transform, 'kind', None)!r}"
        raise TypeError(f"`transform` must be an exact bijection, got {got}: {density} would not be its density.")
