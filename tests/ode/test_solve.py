"""Solvers: against closed forms, TFP and SciPy; what a stiff or bad row does; gradients in both ways."""

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import tensorflow as tf

from flowzoo.ode import DONE, NOT_FINITE, STEP_TOO_SMALL, TABLEAUS, TOO_MANY_STEPS, Solver, SolverError, solve

MATRIX = np.array([[-0.3, 1.0, 0.2], [-1.0, -0.1, 0.5], [0.3, 0.0, -0.4]])
START = np.random.default_rng(0).normal(size=(4, 3))


def _linear(t, y):
    return tf.matmul(y, tf.constant(MATRIX.T, y.dtype))


def _van_der_pol(t, y):
    a, b = tf.unstack(y, axis=1)
    return tf.stack([b, 2.0 * (1.0 - a * a) * b - a + tf.sin(t)], axis=1)


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.5), (1.5, -0.5)])
def test_a_linear_equation_is_solved_exactly(start, end):
    expected = START @ scipy.linalg.expm(MATRIX * (end - start)).T
    found = solve(_linear, tf.constant(START), start, end, solver=Solver(rtol=1e-9, atol=1e-9))
    np.testing.assert_allclose(found.y, expected, rtol=0, atol=1e-6)
    assert (found.status.numpy() == DONE).all() and np.allclose(found.time, abs(end - start))


@pytest.mark.parametrize(("method", "order"), [(name, tableau.order) for name, tableau in TABLEAUS.items()])
def test_the_order_is_that_of_the_method(method, order):
    rows = TABLEAUS[method]
    nodes = [sum(row) for row in rows.matrix]
    np.testing.assert_allclose(nodes, rows.nodes[1:], atol=1e-14)
    assert sum(rows.weights) == pytest.approx(1.0) and abs(sum(rows.error or (0.0,))) < 1e-14
    if method == "dopri5":
        return
    exact, errors = START @ scipy.linalg.expm(MATRIX).T, []
    for steps in (8, 16):
        found = solve(_linear, tf.constant(START), 0.0, 1.0, solver=Solver(method, steps=steps))
        errors.append(np.abs(found.y - exact).max())
        assert (found.evaluations.numpy() == steps * len(rows.nodes)).all()
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)


def test_it_agrees_with_scipy_and_tfp_at_as_many_evaluations():
    import tensorflow_probability as tfp

    start = np.array([[2.0, 0.0]])
    found = solve(_van_der_pol, tf.constant(start), 0.0, 3.0, solver=Solver(rtol=1e-7, atol=1e-7))

    def derivative(t, y):
        return _van_der_pol(tf.constant([t], tf.float64), tf.constant(y[None])).numpy()[0]

    reference = scipy.integrate.solve_ivp(derivative, (0.0, 3.0), start[0], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(found.y[0], reference.y[:, -1], rtol=0, atol=1e-5)
    assert abs(int(found.evaluations[0]) - reference.nfev) <= 0.2 * reference.nfev
    solver = tfp.math.ode.DormandPrince(rtol=1e-7, atol=1e-7)
    other = solver.solve(lambda t, y: _van_der_pol(t[None], y), 0.0, tf.constant(start), [3.0]).states[-1]
    np.testing.assert_allclose(found.y, other, rtol=0, atol=1e-5)


def test_a_stiff_row_and_a_bad_one_fail_alone():
    rates = tf.constant([1.0, 1e4, 2.0, np.nan, 3.0])

    def derivative(t, y, rate):
        return -rate * y + tf.cos(t)[:, None]

    y, extras = tf.ones([5, 1]), [rates[:, None]]
    solver = Solver(max_steps=40)
    run = tf.function(lambda y, rates: solve(derivative, y, 0.0, 1.0, [rates], solver=solver), autograph=False)
    found = run(y, *extras)
    assert found.status.numpy().tolist() == [DONE, TOO_MANY_STEPS, DONE, NOT_FINITE, DONE]
    assert np.isfinite(found.y[:, 0]).tolist() == [True, False, True, False, True]
    mild = run(y, tf.where(rates[:, None] < 10.0, rates[:, None], 1.0))
    np.testing.assert_array_equal(found.y.numpy()[[0, 2, 4]], mild.y.numpy()[[0, 2, 4]])
    assert found.evaluations[1] == 2 + 40 * 6 and found.evaluations[0] == mild.evaluations[0] < 70
    assert issubclass(SolverError, ValueError)  # to the command wrong input, nothing unexpected
    with pytest.raises(SolverError, match=r"2 of 5 rows .* first row 1: 40 steps were not .* time 0.0\d+ with a step"):
        solve(derivative, y, 0.0, 1.0, extras, solver=solver)
    with pytest.raises(SolverError, match="first row 0: no step is small enough for the tolerances"):
        solve(derivative, y[:1], 0.0, 1.0, [tf.constant([[1e9]])], solver=solver)
    with pytest.raises(SolverError, match="first row 0: the state or its derivative is not finite; it reached time 0"):
        solve(derivative, y[3:4], 0.0, 1.0, [rates[3:4, None]], solver=solver)


@pytest.mark.parametrize("gradient", ["solver", "adjoint"])
@pytest.mark.parametrize("method", ["dopri5", "midpoint"])
def test_gradients_are_those_of_the_exact_solution_and_of_the_steps(method, gradient):
    matrix, shift, start = tf.Variable(MATRIX), tf.constant(START[::-1].copy()), tf.constant(START)
    solver = Solver(method, rtol=1e-8, atol=1e-8, steps=400, gradient=gradient)

    def derivative(t, y, shift):
        return tf.matmul(y, matrix, transpose_b=True) + shift

    def loss(y, shift, matrix):  # with the exact solution
        joined = tf.concat([matrix, tf.eye(3, dtype=y.dtype)], axis=1)
        power = tf.linalg.expm(tf.concat([joined, tf.zeros([3, 6], y.dtype)], axis=0))
        return tf.reduce_sum(tf.sin(tf.matmul(tf.concat([y, shift], axis=1), power[:3], transpose_b=True)))

    def solved():
        with tf.GradientTape() as tape:
            tape.watch([start, shift])
            value = tf.reduce_sum(tf.sin(solve(derivative, start, 0.0, 1.0, [shift], solver=solver).y))
        return tape.gradient(value, [start, shift, matrix])

    with tf.GradientTape() as tape:
        tape.watch([start, shift])
        value = loss(start, shift, matrix)
    exact = tape.gradient(value, [start, shift, matrix])
    tolerance = 1e-6 if method == "dopri5" else 1e-5
    for found, expected in zip(tf.function(solved, autograph=False)(), exact, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("gradient", ["solver", "adjoint"])
def test_xla_equals_the_graph_with_gradients_across_its_border(gradient):
    rate, y = tf.Variable([[0.5, -1.0]]), tf.constant(START[:, :2], tf.float32)

    def end(y):
        return solve(lambda t, y: tf.tanh(y * rate + t[:, None]), y, 0.0, 1.0, solver=Solver(gradient=gradient)).y

    results = []
    for xla in (False, True):
        function = tf.function(end, jit_compile=xla, autograph=False)
        with tf.GradientTape() as tape:
            tape.watch(y)
            value = function(y)
        results.append([value, *tape.gradient(value, [y, rate])])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)  # rounding moves steps, within the tolerances


def test_an_adjoint_that_fails_on_its_way_back_gives_nan_not_a_part_of_the_gradient():
    scale, y, rates = tf.Variable(1.0), tf.ones([2, 1]), tf.constant([[1.0], [200.0]])  # 200 backwards: e^200

    with tf.GradientTape() as tape:
        tape.watch([y, rates])
        end = solve(
            lambda t, y, rate: scale * tf.cos(t)[:, None] - rate * y,
            y,
            0.0,
            1.0,
            [rates],
            solver=Solver(gradient="adjoint"),
        ).y
    assert np.isfinite(end).all()
    of_y, of_rates, of_scale = tape.gradient(end, [y, rates, scale])
    assert np.isnan(of_y[:, 0]).tolist() == np.isnan(of_rates[:, 0]).tolist() == [False, True] and np.isnan(of_scale)


def test_the_adjoint_keeps_no_steps():
    def kept(gradient):
        solver = Solver(gradient=gradient, max_steps=77)
        graph = tf.function(lambda y: solve(_linear, y, 0.0, 1.0, solver=solver).y, autograph=False)
        operations = graph.get_concrete_function(tf.TensorSpec([4, 3])).graph.get_operations()
        return any(out.shape.rank == 3 and out.shape[0] == 77 for op in operations for out in op.outputs)

    assert kept("solver") and not kept("adjoint")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "rk45"}, r"`method` must be one of \['dopri5', 'euler', 'midpoint', 'rk4'\], got 'rk45'"),
        ({"gradient": "tape"}, r"`gradient` must be one of \['adjoint', 'solver'\], got 'tape'"),
        ({"rtol": 0.0}, "`rtol` must be a finite number > 0, got 0.0"),
        ({"max_steps": 0}, "`max_steps` must be a whole number >= 1, got 0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Solver(**options)


@pytest.mark.parametrize(
    ("y", "end", "message"),
    [
        (np.ones([2, 1], "float16"), 1.0, r"`y` must be \(batch, n\) of float32 or float64, got float16 and shape"),
        (np.ones(2), 1.0, r"got float64 and shape \(2,\)"),
        (np.ones([2, 0]), 1.0, r"got float64 and shape \(2, 0\)"),
        (np.ones([2, 1]), np.nan, "`start` and `end` must be finite, got 0.0 and nan"),
    ],
)
def test_wrong_problems_are_named(y, end, message):
    with pytest.raises(ValueError, match=message):
        solve(lambda t, y: -y, y, 0.0, end)


def test_a_first_step_that_underflows_is_too_small_at_once():
    found = tf.function(lambda y: solve(lambda t, y: -1e25 * y, y, 0.0, 1.0), autograph=False)(tf.ones([1, 1]))
    assert found.status[0] == STEP_TOO_SMALL and found.evaluations[0] < 10 * 6
