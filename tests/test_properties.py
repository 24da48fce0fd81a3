"""Laws that hypothesis tries to break: shapes, depths, widths, orders, conditions, weights and data; in float64."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from flowzoo import bijectors as b
from flowzoo import flows
from flowzoo.conditioners import MADE, MLP, GlowConvNet, ResidualConvNet
from flowzoo.core.context import Context
from flowzoo.core.random import row_seeds
from flowzoo.families.options import fields
from flowzoo.testing import log_det_of_jacobian
from tests import cases

THOROUGHLY = settings(max_examples=150)  # those of CI stand in conftest.py
SEEDS = st.integers(0, 2**20)
EXACT = [family for family in flows.FAMILIES if family not in (*cases.SOLVED, *cases.LATENT)]


def check_laws(transform, condition_features, draw):
    """Both directions undo each other, their log_dets are those of the Jacobians, and each row is by itself.

    Of surjections only encode undoes the other.
    """
    numbers, rows = np.random.default_rng(draw(SEEDS)), draw(st.integers(1, 4))
    condition = tf.constant(numbers.normal(size=(rows, condition_features))) if condition_features else None
    context, last = (Context(row_seeds(0, rows)[part:]) for part in (0, -1))
    directions = (
        (transform.decode, transform.encode, transform.latent_shape),
        (transform.encode, transform.decode, transform.event_shape),
    )
    for there, back, shape in directions if transform.invertible else directions[:1]:
        scale = draw(st.sampled_from([0.0, 0.3, 1.0, 4.0] if transform.invertible else [0.0, 0.3, 1.0]))
        value = tf.constant(scale * numbers.normal(size=(rows, *shape)))
        image, log_det = there(value, condition, context)
        again, cancelling = back(image, condition, context)
        assert log_det.shape == (rows,)
        np.testing.assert_allclose(again, value, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(cancelling, -log_det, rtol=1e-9, atol=1e-9)
        if transform.invertible:
            expected = log_det_of_jacobian(there, value, condition)
            np.testing.assert_allclose(log_det, expected, rtol=1e-9, atol=1e-9)
        alone = there(value[-1:], None if condition is None else condition[-1:], last)
        np.testing.assert_allclose(alone[0], image[-1:], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(alone[1], log_det[-1:], rtol=1e-12, atol=1e-12)


def a_flow(family, draw):
    """A flow of the family, and how many numbers its networks take as condition."""
    kind, size = flows.FAMILIES[family].Options, draw(st.integers(0, 3))
    config = {
        "event_shape": (draw(st.integers(kind.least_features, 5)),),
        "seed": draw(SEEDS),
        "dtype": "float64",
        draw(st.sampled_from(["classes", "condition_features"])): size,
    }
    options = {
        "depth": st.integers(1, 3),
        "hidden": st.integers(1, 9),
        "blocks": st.integers(1, 2),
        "residual": st.booleans(),
        "random_order": st.booleans(),
        "affine": st.booleans(),
        "whiten": st.booleans(),
        "standardize": st.booleans(),
        "bins": st.integers(2, 8),
        "components": st.integers(1, 4),
    }
    config |= {key: draw(values) for key, values in options.items() if key in fields(kind)}
    return flows.create(family, **cases.small(family, **config)), size


def a_vector_bijector(draw):
    """A bijector of vectors with its network."""
    features, seed, condition = draw(st.integers(2, 6)), draw(SEEDS), draw(st.integers(0, 3))
    options = {"seed": seed, "dtype": "float64"}
    scalars = [b.Affine(), b.Affine(2.0, 0.5), b.RationalQuadratic(5, 2.0), b.GaussianMixtureMap(3)]
    scalars.append(b.ScalarChain(*scalars[1:3]))
    scalar = draw(st.sampled_from(scalars))
    hidden = draw(st.lists(st.integers(1, 7), max_size=2))
    kind = draw(st.sampled_from(["coupling", "autoregressive", "inverse", "planar", "radial"]))
    if kind == "coupling":
        kept = draw(st.lists(st.integers(0, 1), min_size=features, max_size=features).filter(lambda m: len({*m}) == 2))
        split = b.FeatureMask(kept)
        outputs = scalar.outputs_per_entry * split.free_shape[0]
        network = MLP(split.kept_shape[0], outputs, hidden, condition, **options)
        return b.Coupling((features,), split, network, scalar, dtype="float64"), condition
    if kind in ("autoregressive", "inverse"):
        order = draw(st.permutations(range(features)))
        network = MADE(features, scalar.outputs_per_entry, hidden or [3], condition, order=order, **options)
        layer = b.Autoregressive(network, scalar, dtype="float64")
        return b.Invert(layer) if kind == "inverse" else layer, condition
    parametric = {"planar": b.Planar, "radial": b.Radial}[kind]
    count = parametric.parameter_count(features)
    network = MLP(0, count, hidden, condition, **options) if condition else None
    return parametric((features,), network, **options), condition


def an_image_bijector(draw):
    """A bijector of images, alone or several at two scales."""
    even, seed, condition = st.sampled_from([2, 4]), draw(SEEDS), draw(st.integers(0, 2))
    shape = (draw(even), draw(even), draw(even))
    options, swap = {"seed": seed, "dtype": "float64"}, draw(st.booleans())

    def coupling(split, conv):
        outputs = 2 * split.free_shape[-1]
        network = conv(split.kept_shape, outputs, draw(st.integers(1, 4)), condition, **options)
        return b.AffineCoupling(split.event_shape, split, network, dtype="float64")

    kind = draw(st.sampled_from(["checkerboard", "channels", "multiscale", "linear", "cayley"]))
    if kind == "checkerboard":
        return coupling(b.CheckerboardSplit(shape, swap=swap), ResidualConvNet), condition
    if kind == "channels":
        return coupling(b.ChannelSplit(shape, swap=swap), GlowConvNet), condition
    if kind == "linear":
        return b.InvertibleLinear(shape, **options), 0
    if kind == "cayley":
        return b.CayleyOrthogonal(shape, **options), 0
    squeezed = (shape[0] // 2, shape[1] // 2, 4 * shape[2])
    first = b.Chain([b.Squeeze(shape, dtype="float64"), b.ActNorm(squeezed, dtype="float64")])
    kept = (*squeezed[:2], squeezed[2] // 2)
    return b.Multiscale([first, coupling(b.ChannelSplit(kept, swap=swap), GlowConvNet)]), condition


def check_family(family, draw):
    model, size = a_flow(family, draw)
    check_laws(cases.randomized(model.transform, 0.3, draw(SEEDS)), size, draw)


def check_bijector(make, draw):
    transform, size = make(draw)
    check_laws(cases.randomized(transform, 0.3, draw(SEEDS)), size, draw)


BIJECTORS = [a_vector_bijector, an_image_bijector]


@pytest.mark.parametrize("family", EXACT)
@given(data=st.data())
def test_families(family, data):
    check_family(family, data.draw)


@pytest.mark.parametrize("make", BIJECTORS)
@settings(max_examples=10)
@given(data=st.data())
def test_bijectors(make, data):
    check_bijector(make, data.draw)


@pytest.mark.slow
@pytest.mark.parametrize("family", EXACT)
@THOROUGHLY
@given(data=st.data())
def test_families_thoroughly(family, data):
    check_family(family, data.draw)


@pytest.mark.slow
@pytest.mark.parametrize("make", BIJECTORS)
@THOROUGHLY
@given(data=st.data())
def test_bijectors_thoroughly(make, data):
    check_bijector(make, data.draw)
