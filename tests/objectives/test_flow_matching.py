"""Flow matching against closed forms: lines between points, and the velocity between two Gaussians."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import flowzoo
from flowzoo.bases import StandardNormal
from flowzoo.bijectors import ActNorm, Chain, Continuous
from flowzoo.conditioners import Velocity
from flowzoo.core.context import Context
from flowzoo.core.random import fold_in, normal, row_seeds, scalars
from flowzoo.models.flow import Flow
from flowzoo.objectives.flow_matching import EARLY, LATENT, TIME, flow_matching, times
from tests import cases


def test_the_objective_is_the_distance_to_the_line():
    velocity, time = cases.randomized(Velocity((2,), [5], seed=1)), 0.5
    transform = Chain([cases.randomized(ActNorm((2,))), Continuous(velocity, time=time)])
    x, seeds = tf.constant(np.random.default_rng(0).normal(size=(6, 2)), tf.float32), row_seeds(3, 6)
    found = flow_matching(transform, StandardNormal((2,)), x, None, Context(seeds))

    y = transform.transforms[0].encode(x)[0].numpy()
    z, t = normal(fold_in(seeds, LATENT), (2,)).numpy(), times(scalars(fold_in(seeds, TIME))).numpy()
    speed = velocity(time * t, (1 - t)[:, None] * y + t[:, None] * z).numpy() * time
    np.testing.assert_allclose(found, ((speed - (z - y)) ** 2).sum(axis=1), rtol=1e-5)


def test_times_are_drawn_by_their_density():
    t = times(tf.linspace(0.0, 1.0, 100_001)).numpy()
    assert t[0] == 0.0 and t[-1] == pytest.approx(1.0, rel=1e-5) and (np.diff(t) > 0).all()
    for at in (0.02, 0.5):  # the share of times up to there is the integral of 1 / (t + EARLY)
        assert (t <= at).mean() == pytest.approx(np.log1p(at / EARLY) / np.log1p(1 / EARLY), abs=1e-4)


def test_what_stands_before_the_velocity_learns_nothing_and_all_else_does():
    flow, x = cases.new_flow("flow-matching"), cases.flow_data("flow-matching")[0]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(flow.objective(x, context=Context(training=True)))
    for weight, gradient in zip(flow.trainable_weights, tape.gradient(loss, flow.trainable_weights), strict=True):
        if "act_norm" in weight.path:
            assert gradient is None
        else:
            assert np.abs(gradient).max() > 0, weight.path


@pytest.mark.parametrize("accumulate", [1, 2])
def test_fit_leaves_what_stands_before_the_velocity(accumulate):
    flow, x = cases.new_flow("flow-matching"), cases.flow_data("flow-matching", 8)[0]
    flow.adapts, flow.accumulate = False, accumulate
    before = [w.numpy() for w in flow.trainable_weights]
    flow.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    flow.fit(x, batch_size=8, verbose=0)
    for weight, old in zip(flow.trainable_weights, before, strict=True):
        assert ("act_norm" in weight.path) == (weight.numpy() == old).all(), weight.path


def test_the_log_has_no_likelihood_and_evaluate_repeats_itself():
    flow, x = cases.new_flow("flow-matching"), cases.flow_data("flow-matching", 32)[0]
    flow.adapts = False
    assert set(flow.fit(x, batch_size=16, epochs=2, verbose=0).history) == {"loss"}
    one, two = (flow.evaluate(x, verbose=0) for _ in range(2))
    assert one == two and one == pytest.approx(np.mean(flow.objective(tf.constant(x))) / 2, rel=1e-5)


def test_the_likelihood_resumes_where_flow_matching_ends():
    flow, x = cases.new_flow("flow-matching"), cases.flow_data("flow-matching", 32)[0]
    flow.training_objective, flow.adapts = "likelihood", False
    assert set(flow.fit(x, epochs=1, verbose=0).history) == {"loss", "evaluations"}
    assert flow.evaluate(x, verbose=0, return_dict=True)["loss"] == pytest.approx(-flow.score(x).mean() / 2, rel=1e-4)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_keras_file_keeps_the_objective(tmp_path, compiled):
    flow = cases.new_flow("flow-matching")
    assert "training_objective" not in flow.get_config()  # as in files from before
    flow.training_objective = "likelihood"
    if compiled:
        flow.compile()
    flow.save(tmp_path / "flow.keras")
    again = keras.models.load_model(tmp_path / "flow.keras")
    assert again.training_objective == "likelihood" and again.compiled == compiled
    assert keras.models.clone_model(flow).training_objective == "likelihood"
    again.training_objective = "flow_matching"
    assert "training_objective" not in again.get_config()


@pytest.mark.slow
def test_a_gaussian_is_learned():
    """From N(3, 0.5^2) the best velocity at the start is E[z - y | y] = -y: the density is known in closed form."""
    keras.utils.set_random_seed(0)
    x = 3.0 + 0.5 * np.random.default_rng(0).normal(size=(4096, 1)).astype("float32")
    flow = flowzoo.create("flow-matching", event_shape=(1,), hidden=32, blocks=2, standardize=False)
    flow.adapt(x)
    flow.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, 300 * 16)))
    flow.fit(x, batch_size=256, epochs=300, verbose=0)  # at 0.21 after 40, 0.11 after 100, 0.07 here
    grid = np.linspace(2.0, 4.0, 21, dtype="float32")[:, None]
    expected = -0.5 * ((grid[:, 0] - 3.0) / 0.5) ** 2 - np.log(0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(flow.score(grid), expected, atol=0.1)


def test_wrong_objectives_are_named():
    with pytest.raises(ValueError, match=r"must be one of 'likelihood', 'flow_matching', .*, got 'flow'"):
        cases.new_flow("realnvp").training_objective = "flow"


def test_other_flows_are_refused():
    for parts in ([ActNorm((2,))], [Continuous(Velocity((2,), [4])), ActNorm((2,))]):
        flow = Flow(Chain(parts))
        flow.training_objective = "flow_matching"
        with pytest.raises(ValueError, match="ends with its only `Continuous`"):
            flow.objective(tf.zeros((3, 2)))
