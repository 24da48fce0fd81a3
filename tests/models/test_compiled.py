"""What a TPU needs of every flow: densities, gradients and samples compile under XLA with static shapes.

All at once, since compiling is slow; they equal those of the graph.
"""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.core import random
from flowzoo.core.transform import Transform
from tests import cases
from tests.bijectors.test_backprop import gradients, largest_error

FAMILIES = {family: name for name, (family, _) in reversed(cases.FLOWS.items())}  # a row of each; compiling is slow
# the others are made of transforms that tests/test_transform_battery.py compiles, and compiling a flow takes a minute
PLAIN = ("realnvp", "glow", "ffjord")
ROWS = [pytest.param(name, marks=[pytest.mark.slow] * (name not in PLAIN)) for name in cases.FLOWS]


@pytest.mark.parametrize("name", ROWS)
def test_densities_gradients_of_all_weights_and_samples(name, apart):
    apart(_check, name)


def _check(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    condition = None if condition is None else tf.constant(condition)
    temperature = tf.linspace(0.2, 0.7, 6)
    modes = ("store", "reversible") if name in FAMILIES.values() else ("store",)

    def everything():
        found = {mode: gradients(model, x, condition, mode) for mode in modes}
        score = model.raw.log_prob(tf.constant(x), condition, model.raw.as_seed(0), 1)
        return found, score, model.raw.sample(random.row_seeds(3, 6), temperature, condition)

    (found, score, samples), (compiled, compiled_score, compiled_samples) = (
        tf.function(everything, jit_compile=xla)() for xla in (False, True)
    )
    np.testing.assert_allclose(compiled_score, score, rtol=1e-4, atol=1e-4)
    for mode in modes:
        assert largest_error(found[mode], found["store"]) < 1e-4, mode
        assert largest_error(compiled[mode], found["store"]) < 1e-4, mode
    assert compiled_samples.shape == samples.shape and compiled_samples.dtype == samples.dtype
    difference = np.abs(compiled_samples.numpy().astype(float) - samples.numpy().astype(float))
    if model.bits:  # a value at the edge of its bin
        assert difference.max() <= 1 and (difference > 0).mean() < 0.01
    else:
        assert difference.max() < 1e-5


class _Branching(Transform):
    """Its branch on a tensor would work if AutoGraph converted it."""

    def _encode(self, x, condition):
        return (x if tf.reduce_all(x > 0) else -x), tf.zeros(tf.shape(x)[0])


@pytest.mark.parametrize("autograph", [False, True])
def test_the_code_of_transforms_is_never_converted(autograph):
    # to convert what a Glow calls takes AutoGraph five seconds, and `fit`, `log_prob` and exports don't do it either
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        tf.function(_Branching((2,)).encode, autograph=autograph)(tf.zeros([3, 2]))
