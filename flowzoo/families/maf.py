"""Masked autoregressive flow: affine maps of each feature given those before it, with fast densities."""

import keras

from flowzoo.families.affine_autoregressive import AffineAutoregressive


@keras.saving.register_keras_serializable(package="flowzoo")
class MAF(AffineAutoregressive):
    """Densities take one pass, samples go feature by feature; the arguments are those of `AffineAutoregressive`.

    Reference: Papamakarios et al. 2017, Masked autoregressive flow for density estimation, arXiv:1705.07057.
    """

    invert = False
