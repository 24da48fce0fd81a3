"""Inverse autoregressive flow: the layers of a masked one the other way round, with fast samples."""

import keras

from flowzoo.families.affine_autoregressive import AffineAutoregressive


@keras.saving.register_keras_serializable(package="flowzoo")
class IAF(AffineAutoregressive):
    """Samples take one pass, densities go feature by feature; the arguments are those of `AffineAutoregressive`.

    Reference: Kingma et al. 2016, Improving variational inference with inverse autoregressive flow, arXiv:1606.04934.
    """

    invert = True
