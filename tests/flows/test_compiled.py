"""What a TPU needs of every flow: gradients and samples compile under XLA with static shapes, and equal the graph's."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo import random
from tests import cases
from tests.bijectors.test_backprop import gradients, largest_error

FAMILIES = {family: name for name, (family, _) in reversed(cases.FLOWS.items())}  # a row of each; compiling is slow


@pytest.mark.parametrize("name", list(cases.FLOWS))
def test_gradients_of_all_weights_and_samples(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    condition = None if condition is None else tf.constant(condition)
    modes = ("store", "reversible") if name in FAMILIES.values() else ("store",)

    def everything():
        found = {mode: gradients(model, x, condition, mode) for mode in modes}
        return found, model._sample(random.row_seeds(3, 6), tf.fill([6], 0.7), condition)

    (found, samples), (compiled, compiled_samples) = (
        tf.function(everything, jit_compile=xla)() for xla in (False, True)
    )
    for mode in modes:
        assert largest_error(found[mode], found["store"]) < 1e-4, mode
        assert largest_error(compiled[mode], found["store"]) < 1e-4, mode
    assert compiled_samples.shape == samples.shape and compiled_samples.dtype == samples.dtype
    difference = np.abs(compiled_samples.numpy().astype(float) - samples.numpy().astype(float))
    if model.bits:  # a value at the edge of its bin
        assert difference.max() <= 1 and (difference > 0).mean() < 0.01
    else:
        assert difference.max() < 1e-5
