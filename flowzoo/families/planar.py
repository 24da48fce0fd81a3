"""The planar flow."""

import keras

from flowzoo.bijectors import Planar
from flowzoo.families.stack import Stack


@keras.saving.register_keras_serializable(package="flowzoo")
class PlanarFlow(Stack):
    """Planar maps in a row, for densities of data; the arguments are those of `Stack`.

    Reference: Rezende & Mohamed 2015, Variational inference with normalizing flows, arXiv:1505.05770.
    """

    layer = Planar
