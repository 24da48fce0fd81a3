"""Continuous flows: estimates of the trace, penalties, evaluations, failures, drawings of trajectories."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import flowzoo
from flowzoo.bijectors import Continuous
from flowzoo.cards.plots import write_trajectories
from flowzoo.conditioners import Velocity
from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.ode import Solver, SolverError
from flowzoo.surjections import UniformDequantization
from tests import cases

RK4 = Solver("rk4", steps=4)


def _transform(shape=(3,), **options):
    velocity = cases.randomized(Velocity(shape, [5], seed=1))
    return Continuous(velocity, RK4, **options)


def _x(shape=(3,), rows=4):
    return tf.constant(np.random.default_rng(0).normal(size=(rows, *shape)), tf.float32)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 1)])
def test_derivatives_along_directions_are_those_of_autodiff(shape):
    velocity, y = cases.randomized(Velocity(shape, [5, 4], 2, activation="swish", seed=1)), _x(shape)
    t, condition = tf.linspace(0.0, 1.0, 4), _x((2,))
    direction = _x(shape, 8)[4:]
    with tf.autodiff.ForwardAccumulator(y, direction) as accumulator:
        value = velocity(t, y, condition)
    found, tangents = velocity.along(t, y, tf.stack([direction, 0.0 * y]), condition)
    np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tangents[0], accumulator.jvp(value), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(tangents[1], 0.0 * y)


@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_probes_estimate_the_exact_trace_with_the_error_they_say(noise):
    exact, x = _transform(), _x()
    estimated = _transform(exact_up_to=0, evaluation_probes=400, noise=noise)
    assert (exact.kind, estimated.kind) == ("exact", "estimate")
    expected = exact.encode(x)[1]
    context = Context(random.row_seeds(1, 4))
    found = estimated.encode(x, context=context)[1]
    error = np.sqrt(context.notes["variance"])
    assert (error > 0).all() and (error < 0.1).all()
    assert (np.abs(found - expected) < 4 * error).all()
    np.testing.assert_allclose(estimated.decode(estimated.encode(x)[0])[1], -estimated.encode(x)[1], atol=1e-4)


def test_probes_are_not_the_noise_of_dequantization_again():
    noisy, context = UniformDequantization((4, 4, 1)), Context(random.row_seeds(3, 16), training=True)
    u = noisy.encode(tf.zeros([16, 4, 4, 1], tf.uint8), None, context.at(0))[0] * 2.0**8  # as in a chain
    probes = _transform((4, 4, 1))._directions(context.at(1), 16)[0]
    assert abs(np.corrcoef(np.ravel(u), np.ravel(probes))[0, 1]) < 0.2


def test_penalties_are_the_integrals_of_the_paper():
    transform, x, count = _transform(kinetic=2.0, jacobian=3.0, probes=0), _x(), 8
    context = Context(training=True)
    transform.encode(x, context=context)
    expected, middles = 0.0, transform.path(x, points=2 * count + 1)[1::2]
    for i, y in enumerate(middles):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(y)
            velocity = transform.velocity(tf.fill([4], (i + 0.5) / count), y)
        jacobian = tape.batch_jacobian(velocity, y, experimental_use_pfor=False)
        squares = 2.0 * tf.reduce_sum(velocity**2, axis=1) + 3.0 * tf.reduce_sum(jacobian**2, axis=[1, 2])
        expected += squares / count
    np.testing.assert_allclose(context.notes["penalty"], expected, rtol=1e-2)


def test_fit_counts_evaluations_and_adds_penalties():
    x = cases.flow_data("ffjord", 32)[0]
    plain, penalized = (cases.new_flow("ffjord", kinetic=weight, jacobian=weight, probes=0) for weight in (0.0, 5.0))
    losses = []
    for model in (plain, penalized):
        model.compile(keras.optimizers.SGD(0.0))
        logs = model.fit(x, batch_size=16, verbose=0).history
        assert logs["evaluations"] == [8 * 4]
        losses.append(logs["loss"][0])
        assert model.evaluate(x, verbose=0, return_dict=True)["loss"] == pytest.approx(losses[0], rel=1e-4)
    assert losses[1] > losses[0] + 1e-3
    assert (plain.solve_counts(x) == 32).all()


def test_a_density_of_many_dimensions_is_an_estimate_with_its_error():
    model, x = cases.new_flow("ffjord", exact_up_to=0), cases.flow_data("ffjord")[0]
    exact = cases.flow("ffjord")
    assert model.kind == "estimate" and exact.kind == "exact"
    one, other = (model.log_prob(x, seed=seed).numpy() for seed in (0, 1))
    assert (one != other).any()
    found, error = model.log_prob_error(x)
    np.testing.assert_allclose(found, one, rtol=1e-5, atol=1e-5)
    off = np.abs(found.numpy() - exact.log_prob(x).numpy())
    assert (off < 6 * error.numpy() + 1e-4).all() and (error.numpy() > 0).any()
    np.testing.assert_array_equal(exact.log_prob_error(x)[1], 0.0)


def test_a_plain_flow_draws_its_probes_by_seed_and_row():
    flow, x = flowzoo.Flow(_transform(exact_up_to=0)), _x()
    assert flow.kind == "estimate"
    for call in (flow.log_prob, lambda x, **how: flow.encode(x, **how)[1]):
        one, again, other = (np.asarray(call(x, seed=seed)) for seed in (0, 0, 1))
        np.testing.assert_array_equal(one, again)
        assert (one != other).all()
    np.testing.assert_array_equal(flow.log_prob(x[1:], seed=1), flow.log_prob(x, seed=1)[1:])
    family = cases.new_flow("ffjord", event_shape=(3,), augment=1, exact_up_to=0)
    plain = flowzoo.Flow(family.transform)
    assert plain.kind == "lower_bound"  # the estimate is within
    np.testing.assert_array_equal(plain.log_prob(x, seed=3), family.log_prob(x, seed=3))


def test_more_draws_do_not_lift_a_bound_by_the_errors_of_its_probes():
    options = {"event_shape": (2, 2, 1), "bits": 8, "time": 1.0}
    exact = cases.new_flow("ffjord", **options)
    rough = cases.new_flow("ffjord", **options, exact_up_to=0, evaluation_probes=2)
    x = np.random.default_rng(0).integers(0, 256, (64, 2, 2, 1), dtype=np.uint8)
    off = rough.log_prob(x, samples=32).numpy() - exact.log_prob(x, samples=32).numpy()
    assert 0.0 < abs(off.mean()) < 0.5 * off.std()


def test_python_raises_where_a_graph_gives_nan():
    model, x = cases.new_flow("ffjord", method="dopri5", max_steps=1, time=1.0), cases.flow_data("ffjord")[0] * 3.0
    calls = [model.log_prob, model.encode, model.decode, model.reconstruction_error, model.log_prob_error]
    for call in (*calls, lambda x: model.sample(len(x), seed=0)):
        with pytest.raises(SolverError, match=r"of 6 rows were not solved, .*1 steps were not enough; it reached time"):
            call(x)
    assert np.isnan(model.raw.log_prob_graph(tf.constant(x), None, model.raw.as_seed(0), 1)).any()


def test_a_diagnosis_has_the_continuous_layer(monkeypatch):
    monkeypatch.setattr("flowzoo.measure.diagnose.ITERATIONS", 1)  # its stretches: tests/measure/test_diagnose.py
    report = flowzoo.diagnose(cases.new_flow("ffjord", steps=1), cases.flow_data("ffjord")[0])
    kinds = [layer.name.split()[-1] for layer in report.layers]
    assert kinds == ["ActNorm", "Continuous"] and report.layers[1].log_det_error < 1e-5


def test_default_tolerances_invert_and_a_density_integrates_to_one():
    model = cases.randomized(flowzoo.create("ffjord", hidden=16, blocks=2, seed=1), scale=0.2)
    across = np.linspace(-8, 8, 161, dtype="float32")
    grid = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
    assert np.exp(model.score(grid, batch_size=len(grid))).sum() * 0.1**2 == pytest.approx(1.0, abs=0.01)
    assert model.reconstruction_error(grid[::50]).numpy().max() < 1e-3


def test_default_tolerances_invert_a_trained_flow_between_the_modes():
    trained = flowzoo.load("ffjord-moons")
    x = trained.sample(2048, seed=1)
    assert trained.reconstruction_error(x).numpy().max() > 2e-3  # at the tolerances of the paper
    config = {key: value for key, value in trained.get_config().items() if key not in ("rtol", "atol")}
    model = type(trained).from_config(config)
    model.set_weights(trained.get_weights())
    assert model.reconstruction_error(x).numpy().max() < 1e-3


def test_both_gradients_train_alike():
    x, found = cases.flow_data("ffjord")[0], []
    for gradient in ("solver", "adjoint"):
        model = cases.new_flow("ffjord", gradient=gradient)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.log_prob(x))
        found.append(tape.gradient(loss, model.trainable_weights))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["ffjord-augmented", pytest.param("cnf-classes", marks=pytest.mark.slow)])
def test_trajectories(name, tmp_path):
    write_trajectories(cases.flow(name), tmp_path / "ways.png", count=5)
    assert (tmp_path / "ways.png").stat().st_size > 5000
    write_trajectories(cases.flow(name), tmp_path / "cold.png", count=5, temperature=0.0)
    assert (tmp_path / "ways.png").read_bytes() != (tmp_path / "cold.png").read_bytes()


def test_what_does_not_fit_is_named(tmp_path):
    with pytest.raises(ValueError, match="trajectories need a continuous flow"):
        write_trajectories(cases.flow("planar"), tmp_path / "ways.png")
    for options, message in (
        ({"event_shape": (4, 4, 1), "bits": 8, "augment": 1}, "`augment` must be 0 for integers, got 1"),
        ({"event_shape": (6, 6, 1), "bits": 8, "multiscale": True}, r"sides divisible by 2\^levels.*got \(6, 6, 1\)"),
        ({"noise": "uniform"}, "`noise` must be 'rademacher' or 'gaussian', got 'uniform'"),
        ({"evaluation_probes": 10**9}, "`evaluation_probes` must be at most 1,000, got 1000000000"),
        ({"activation": "relu"}, r"`activation` must be one of .*, got 'relu'"),
    ):
        with pytest.raises(ValueError, match=message):
            flowzoo.create("ffjord", **options)
    with pytest.raises(ValueError, match=r"CNF takes `event_shape` \(features,\), got \(2, 2, 1\)"):
        flowzoo.create("cnf", event_shape=(2, 2, 1))
