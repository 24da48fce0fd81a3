"""What latent-variable models share: the distributions on both sides of their stochastic layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from flowzoo.core import validation
from flowzoo.core.graphs import Graph
from flowzoo.core.transform import Transform
from flowzoo.families.family import Family
from flowzoo.models.flow import Flow
from flowzoo.surjections import Stochastic

if TYPE_CHECKING:
    import tensorflow_probability as tfp


class LatentVariableModel(Family):
    """A model whose last transform is `Stochastic`: z is drawn from q(z | x), x from p(x | z).

    `log_prob` is the evidence lower bound (ELBO) of one draw of z, `log_prob(x, samples=k)` the importance-weighted
    bound of k.
    """

    offers = Flow.offers | {"posterior", "posterior_mean", "likelihood", "reconstruct"}

    def posterior(self, x, condition=None) -> tfp.distributions.Distribution:
        """q(z | x): a `tfd.Distribution` of batch shape (batch,) and event shape `latent_shape`."""
        return self._stochastic.posterior.distribution(self._given(*self.intake.tensors(x, condition)))

    def posterior_mean(self, x, condition=None) -> tf.Tensor:
        """E[z | x], the mean of q(z | x): (batch, *latent_shape); of a flow it is estimated by 128 draws."""
        if not tf.executing_eagerly():
            return self._posterior_mean(x, condition)
        return self._posterior_mean_graph(*self.intake.tensors(x, condition))

    def likelihood(self, z, condition=None) -> tfp.distributions.Distribution:
        """p(x | z): a `tfd.Distribution` of batch shape (batch,) and event shape `event_shape`.

        With `standardize` or `bounds` it is that of x after these.
        """
        z = validation.check_data(z, self.z_space, "z")
        features, layer = self.raw.features(self.intake.conditions(condition, len(z))), self._stochastic
        return layer.decoder.distribution(layer.given(z, features))

    def reconstruct(self, x, condition=None, seed: int = 0) -> tf.Tensor:
        """The mean of p(x | z) for a z drawn from q(z | x): (batch, *event_shape), probabilities for zeros and ones.

        Args:
          x: (batch, *event_shape).
          condition: as in `log_prob`.
          seed: of z, which is a pure function of `seed` and each row's content.
        """
        if not tf.executing_eagerly():
            return self._reconstruct(x, condition, self.raw.as_seed(seed))
        return self._reconstruct_graph(*self.intake.tensors(x, condition), self.raw.as_seed(seed))

    @property
    def _stochastic(self) -> Stochastic:
        return self.raw.parts[-1]

    @property
    def _front(self) -> list[Transform]:
        return self.raw.parts[:-1]

    def _given(self, x, condition):
        """What the posterior is given for checked data."""
        features = self.raw.features(condition)
        for part in self._front:
            x, _ = part.encode(x, features)
        return self._stochastic.given(x, features)

    def _posterior_mean(self, x, condition):
        return self._stochastic.posterior.mean(self._given(x, condition))

    def _reconstruct(self, x, condition, seed):
        features, layer = self.raw.features(condition), self._stochastic
        x = layer.decoder.mean(layer.given(self.raw.encode(x, condition, seed)[0], features))
        for part in reversed(self._front):
            x, _ = part.decode(x, features)
        return x

    _posterior_mean_graph = Graph(_posterior_mean)
    _reconstruct_graph = Graph(_reconstruct)
