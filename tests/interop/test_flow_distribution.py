"""Flows as TFP distributions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from flowzoo.interop import FlowDistribution
from tests import cases

tfd = tfp.distributions


@pytest.mark.parametrize("name", list(cases.FLOWS))
def test_agrees_with_the_flow(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    distribution = FlowDistribution(model, condition)
    assert distribution.dtype == model.data_dtype and distribution.event_shape == model.event_shape
    assert distribution.batch_shape == (() if condition is None else (6,))
    np.testing.assert_allclose(distribution.log_prob(x), model.log_prob(x, condition), rtol=1e-5, atol=1e-5)
    sample = distribution.sample(3, seed=(1, 2))
    assert sample.shape == (3, *distribution.batch_shape, *model.event_shape) and sample.dtype == model.data_dtype
    np.testing.assert_array_equal(distribution.sample(3, seed=(1, 2)), sample)
    assert (distribution.sample(3, seed=(1, 3)).numpy() != sample.numpy()).any()
    assert distribution.log_prob(sample).shape == sample.shape[: 1 + len(distribution.batch_shape)]
    assert len(distribution.trainable_variables) == len(model.trainable_variables)


def test_any_number_of_leading_dimensions():
    model, x = cases.flow("realnvp"), cases.flow_data("realnvp")[0]
    distribution, expected = model.distribution, model.log_prob(x).numpy()
    np.testing.assert_allclose(distribution.log_prob(x.reshape(2, 3, 2)), expected.reshape(2, 3), rtol=1e-5)
    np.testing.assert_allclose(distribution.log_prob(x[0]), expected[0], rtol=1e-5)
    assert distribution.sample(seed=(0, 0)).shape == (2,)
    assert distribution.sample((2, 1, 3), seed=(0, 0)).shape == (2, 1, 3, 2)
    dynamic = tf.function(distribution.log_prob, input_signature=[tf.TensorSpec([None, None, 2])])
    np.testing.assert_allclose(dynamic(x.reshape(2, 3, 2)), expected.reshape(2, 3), rtol=1e-5)
    assert np.isnan(distribution.log_prob([np.nan, 0.0]))  # a sampler may propose anything


def test_the_condition_is_the_batch():
    model, (x, condition) = cases.flow("realnvp-condition"), cases.flow_data("realnvp-condition")
    grid = FlowDistribution(model, condition.reshape(2, 3, 3))
    assert grid.batch_shape == (2, 3) and grid.sample(4, seed=(0, 0)).shape == (4, 2, 3, 2)
    np.testing.assert_allclose(
        grid.log_prob(x[0]), model.log_prob(np.repeat(x[:1], 6, axis=0), condition).numpy().reshape(2, 3), rtol=1e-5
    )
    single = FlowDistribution(model, condition[0])
    assert single.batch_shape == () and single.log_prob(x).shape == (6,)
    label = FlowDistribution(cases.flow("glow-classes"), 1)
    assert label.batch_shape == () and label.sample(2, seed=(0, 0)).shape == (2, 4, 4, 1)
    with pytest.raises(ValueError, match=r"must be \(..., 3\) numbers, got None"):
        FlowDistribution(model)
    with pytest.raises(ValueError, match="must be None, got one"):
        FlowDistribution(cases.flow("realnvp"), 1)


def test_wrong_shapes_and_types_are_refused():
    with pytest.raises(ValueError, match=r"Expected shape \(..., 2\), got \(6, 1\)"):
        cases.flow("realnvp").distribution.log_prob(np.zeros((6, 1), "float32"))
    for labels in (0.7, [0.0, 1.0], True):
        with pytest.raises(TypeError, match=r"must be \(...\) integer labels 0 ... 2, got dtype"):
            FlowDistribution(cases.flow("glow-classes"), labels)
    for condition in (1.0, [[1.0]]):  # would be broadcast to 3 features
        with pytest.raises(ValueError, match=r"must be \(..., 3\) numbers, got shape"):
            FlowDistribution(cases.flow("realnvp-condition"), condition)


def test_in_a_joint_distribution():
    joint = tfd.JointDistributionSequential(
        [cases.flow("realnvp").distribution, lambda x: tfd.Normal(tf.reduce_sum(x, axis=-1), 1.0)]
    )
    x, y = joint.sample(5, seed=(0, 1))
    assert x.shape == (5, 2) and y.shape == (5,)
    expected = cases.flow("realnvp").log_prob(x) + tfd.Normal(tf.reduce_sum(x, axis=-1), 1.0).log_prob(y)
    np.testing.assert_allclose(joint.log_prob([x, y]), expected, rtol=1e-5)


def test_as_target_of_mcmc():
    model = cases.flow("realnvp")
    kernel = tfp.mcmc.HamiltonianMonteCarlo(model.distribution.log_prob, step_size=0.1, num_leapfrog_steps=3)
    start = model.sample(100, seed=1, batch_size=100)

    @tf.function(autograph=False)
    def run():
        return tfp.mcmc.sample_chain(10, start, kernel=kernel, seed=(1, 2), trace_fn=lambda _, r: r.is_accepted)

    states, accepted = run()
    assert states.shape == (10, 100, 2) and np.isfinite(states).all()
    assert np.mean(accepted) > 0.8  # only right gradients of the density are accepted


def test_as_surrogate_of_variational_inference():
    model = cases.new_flow("realnvp")
    target = tfd.MultivariateNormalDiag([1.0, -1.0], [0.5, 0.5])
    losses = tfp.vi.fit_surrogate_posterior(
        target.log_prob,
        model.distribution,
        optimizer=keras.optimizers.Adam(0.05),
        num_steps=25,
        sample_size=32,
        seed=(1, 1),
    )
    assert losses[-1] < 0.5 * losses[0]  # so the variables of the distribution are those of the flow
