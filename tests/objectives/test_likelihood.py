"""The likelihood as an objective: -log p(x), in training with the penalties."""

import numpy as np
import tensorflow as tf

from flowzoo.core.context import PENALTY, Context
from tests import cases


def test_the_likelihood_is_that_of_log_prob_and_its_penalties_count_in_training():
    flow, x = cases.flow("ffjord"), tf.constant(cases.flow_data("ffjord")[0])
    np.testing.assert_allclose(flow.objective(x), -flow.log_prob(x), rtol=1e-6)
    context = Context(training=True)
    found = flow.objective(x, context=context)
    assert (context.notes[PENALTY].numpy() > 0).all()
    np.testing.assert_allclose(flow(x, training=True), -found)
    plain = found - context.notes[PENALTY]
    np.testing.assert_allclose(plain, -flow.log_prob(x), atol=0.2)  # one probe in training, the exact trace outside
