"""What holds for the densities of every flow of tests/cases.py."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo import flows
from tests import cases
from tests.jacobian import log_det_of_jacobian

EVERY = list(cases.FLOWS)
CONDITIONAL = [name for name in EVERY if "classes" in name or "condition" in name]
INTEGERS = [name for name in EVERY if cases.flow(name).bits]
CONTINUOUS = [name for name in EVERY if name not in INTEGERS]
EXACT = [name for name in CONTINUOUS if cases.flow(name).kind == "exact"]
VECTORS = [name for name in EVERY if len(cases.flow(name).event_shape) == 1]


def _log_prob(name, x, condition, samples=1):
    """The implementation that checks nothing, as one graph per flow."""
    model = cases.flow(name)
    return model.raw.log_prob_graph(tf.constant(x), condition, model.raw.as_seed(0), samples).numpy()


def _rounding(name):
    """How far decode(encode(x)) may be off: noise of random weights often lies at the edge of a bin."""
    return 1 if "variational" in name else 0


@pytest.mark.parametrize("name", EVERY)
def test_log_prob_is_base_and_log_det_and_encode_comes_back(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    z, log_det = model.encode(x, condition)
    assert z.shape == (6, *model.latent_shape) and log_det.shape == (6,)
    again, back = model.decode(z, condition)
    if model.bits:
        np.testing.assert_allclose(again.numpy().astype(float), x, rtol=0, atol=_rounding(name))
        assert again.dtype == model.data_dtype and model.kind == "lower_bound"
    else:
        np.testing.assert_allclose(again, x, rtol=1e-4, atol=1e-5)
        assert model.kind == ("lower_bound" if "augmented" in name else "exact")
    if "variational" not in name:  # whose noise, drawn in encode only, has a density of its own
        np.testing.assert_allclose(back, -log_det, rtol=1e-4, atol=1e-4)
    latent = model.base.log_prob(z, model.raw.features(None if condition is None else tf.constant(condition)))
    score = model.log_prob(x, condition)
    assert score.dtype == tf.float32
    np.testing.assert_allclose(score, latent + log_det, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(model.bits_per_dim(x, condition), -score / (model.dims * np.log(2.0)), rtol=1e-5)
    assert (model.reconstruction_error(x, condition).numpy() < 1e-4).all()


@pytest.mark.parametrize("name", EVERY)
def test_log_det_is_that_of_the_jacobian(name):
    dtype, tolerance = ("float32", 1e-3) if name in INTEGERS else ("float64", 1e-9)
    model, condition = cases.flow(name, dtype=dtype), cases.flow_data(name, 2)[1]
    ready = model.raw.features(
        None if condition is None else tf.constant(condition, "int32" if model.classes else dtype)
    )
    x = np.random.default_rng(0).uniform(0.05, 0.95, (2, *model.bijection.event_shape)).astype(dtype)
    expected = log_det_of_jacobian(model.bijection.encode, x, ready)
    np.testing.assert_allclose(model.bijection.encode(x, ready)[1], expected, rtol=tolerance, atol=tolerance)


def test_every_family_has_a_row_in_float64():
    assert {cases.FLOWS[name][0] for name in CONTINUOUS} == set(flows.FAMILIES)


@pytest.mark.parametrize("name", EVERY)
def test_gradient_reaches_every_weight(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.log_prob(x, condition))
    gradients = tape.gradient(loss, model.trainable_weights)
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient is not None and np.isfinite(gradient).all() and np.abs(gradient).max() > 0, weight.path


@pytest.mark.parametrize("name", ["realnvp-condition", "glow-classes"])  # of every row: test_compiled.py
def test_xla_equals_graph(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    compiled = model.raw.log_prob_xla(tf.constant(x), condition, model.raw.as_seed(0), 1)
    np.testing.assert_allclose(compiled, _log_prob(name, x, condition), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", cases.takes_bfloat16())
def test_conditioners_in_bfloat16(name):
    model, (x, condition) = cases.new_flow(name, conditioner_dtype="mixed_bfloat16"), cases.flow_data(name)
    condition = None if condition is None else tf.constant(condition)
    score = model.raw.log_prob(tf.constant(x), condition, model.raw.as_seed(0), 1)
    assert score.dtype == tf.float32
    assert {w.dtype for w in model.weights} - {"float64"} == {"float32", "int32"}  # shift and scale of `Standardize`
    assert {w.dtype for w in model.trainable_weights} == {"float32"}
    exact = _log_prob(name, x, condition)
    np.testing.assert_allclose(score, exact, rtol=0.05, atol=0.5)
    assert (score.numpy() != exact).any()


@pytest.mark.parametrize("name", CONDITIONAL)
def test_condition_changes_everything(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    other = cases.other_condition(condition)
    assert (np.abs(model.log_prob(x, condition) - model.log_prob(x, other)) > 1e-4).all()
    # cool, so that integer data is not clipped to the ends of its range
    one, two = (model.sample(6, part, 0.2, seed=1).numpy().astype(float) for part in (condition, other))
    assert (np.abs(one - two).reshape(6, -1).max(axis=1) > 0).all()


@pytest.mark.parametrize("name", EVERY)
def test_the_door_names_what_is_wrong(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    for method in (model.log_prob, model.encode, model.score):
        with pytest.raises(ValueError, match=r"`x` must have shape \(batch, .*got \(6,.*, 1\)"):
            method(x[..., None], condition)
        with pytest.raises(ValueError, match="for one example pass x"):
            method(x[0], condition)
    wrong = x.astype("float32") if model.bits else x.astype("int32")
    with pytest.raises(TypeError, match=r"`x` must hold (integers|floating-point numbers).*got dtype"):
        model.log_prob(wrong, condition)
    if model.bits:
        with pytest.raises(ValueError, match=rf"integers 0 ... {2**model.bits - 1}, got values from"):
            model.log_prob(x.astype("int32") + 2**model.bits, condition)
    else:
        with pytest.raises(ValueError, match="must be finite, got NaN or infinity in 2 of 6 rows, first in row 1"):
            model.log_prob(np.where(np.isin(np.arange(6), [1, 4])[:, None], np.inf, x), condition)
    with pytest.raises(ValueError, match="`z` must be finite"):
        model.decode(np.full((1, *model.latent_shape), np.nan, "float32"), None if condition is None else condition[:1])
    with pytest.raises(ValueError, match="`samples` must be a whole number >= 1, got 0"):
        model.log_prob(x, condition, samples=0)


@pytest.mark.parametrize("name", EVERY)
def test_the_door_checks_the_condition(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    if condition is None:
        with pytest.raises(ValueError, match="takes no `condition`, got one"):
            model.log_prob(x, np.zeros(6, "int32"))
        return
    with pytest.raises(ValueError, match=r"`condition` must be \(6,.*got None"):
        model.log_prob(x)
    with pytest.raises(ValueError, match=r"`condition` must be \(6,.*shape \(5,"):
        model.log_prob(x, condition[:5])
    if model.classes:
        with pytest.raises(ValueError, match=r"labels 0 ... 2, got labels from 0 to 3"):
            model.log_prob(x, np.array([0, 1, 2, 3, 1, 0]))
    else:
        with pytest.raises(ValueError, match="must be finite"):
            model.log_prob(x, condition * np.nan)


@pytest.mark.parametrize("name", EVERY)
def test_a_bad_row_is_not_finite_and_leaves_the_others_untouched(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    clean, others = _log_prob(name, x, condition), [0, 1, 3, 4, 5]
    scores = []
    if condition is not None:
        bad = condition.copy()
        bad[2] = 3 if model.classes else np.nan
        scores.append(_log_prob(name, x, bad))
    if model.bits != 8:
        bad = x.copy()
        bad[2] = 2**model.bits if model.bits else np.nan
        scores.append(_log_prob(name, bad, condition))
    for score in scores:
        assert not np.isfinite(score[2])
        np.testing.assert_array_equal(score[others], clean[others])


@pytest.mark.parametrize("name", EVERY)
def test_extreme_input_stays_finite(name):
    model, condition = cases.flow(name), cases.flow_data(name)[1]
    values = [0, 2**model.bits - 1] * 3 if model.bits else [1e6, -1e6, 1e-40, -1e-40, 0.0, 1e-30]
    x = np.broadcast_to(np.reshape(values, [6] + [1] * len(model.event_shape)), (6, *model.event_shape))
    assert np.isfinite(model.log_prob(x.astype(model.data_dtype), condition)).all()
    z = np.full((6, *model.latent_shape), [[1e6], [-1e6], [1e-40], [-1e-40], [0.0], [1e-30]], "float32")
    x, log_det = model.decode(z, condition)
    assert np.isfinite(x.numpy().astype(float)).all() and np.isfinite(log_det).all()


@pytest.mark.parametrize("name", [*VECTORS, "glow-variational"])
def test_an_empty_batch_gives_empty_results(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    x, condition = x[:0], None if condition is None else condition[:0]
    tf.config.run_functions_eagerly(name in VECTORS)  # saves tracing
    try:
        z, log_det = model.encode(x, condition)
        again, back = model.decode(z, condition)
        values = (log_det, back, model.log_prob(x, condition))
        assert z.shape == (0, *model.latent_shape) and {value.shape for value in values} == {(0,)}
        for images in (again, model.sample(0, condition)):
            assert images.shape == (0, *model.event_shape) and images.dtype == model.data_dtype
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("name", EVERY)
def test_score_is_independent_of_neighbours_to_the_last_bit(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name, 37)
    score = model.score(x, condition, batch_size=16)
    assert isinstance(score, np.ndarray) and score.shape == (37,)
    order = np.random.default_rng(0).permutation(37)
    shuffled = model.score(x[order], None if condition is None else condition[order], batch_size=16)
    np.testing.assert_array_equal(shuffled, score[order])
    alone = [
        model.score(x[i : i + 1], None if condition is None else condition[i : i + 1], batch_size=16) for i in (0, 35)
    ]
    np.testing.assert_array_equal(np.concatenate(alone), score[[0, 35]])
    parts = x if condition is None else (x, condition)
    dataset = tf.data.Dataset.from_tensor_slices(parts).batch(5)
    np.testing.assert_array_equal(model.score(dataset, batch_size=16), score)
    assert model.score(x[:0], None if condition is None else condition[:0]).shape == (0,)


@pytest.mark.parametrize("name", [*INTEGERS, "ffjord-augmented"])
def test_noise_depends_on_seed_and_content_only(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    one, same, other = (model.log_prob(x, condition, seed=seed).numpy() for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()
    np.testing.assert_allclose(model.encode(x, condition, seed=3)[0], model.encode(x, condition, seed=3)[0])


@pytest.mark.parametrize("name", ["realnvp-image", "glow", "glow-variational"])
def test_more_samples_tighten_the_bound(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name, 8)
    one = np.mean([model.log_prob(x, condition, seed=seed) for seed in range(12)])
    many = np.mean([model.log_prob(x, condition, seed=seed, samples=12) for seed in range(12)])
    assert many > one
    draws = [model.log_prob(x, condition, seed=seed, samples=3) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0].numpy() != draws[2].numpy()).all()


@pytest.mark.parametrize("name", EXACT)
def test_seed_and_samples_do_not_matter_if_exact(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    np.testing.assert_array_equal(model.log_prob(x, condition), model.log_prob(x, condition, seed=5, samples=7))


@pytest.mark.parametrize("name", EVERY)
def test_interpolate_goes_from_one_to_the_other(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    path = model.interpolate(x[:2], x[2:4], steps=3, condition=None if condition is None else condition[:2])
    assert path.shape == (2, 3, *model.event_shape) and path.dtype == model.data_dtype
    if condition is None:
        for end, expected in ((path[:, 0], x[:2]), (path[:, -1], x[2:4])):
            atol = max(_rounding(name), 1e-4)
            np.testing.assert_allclose(end.numpy().astype(float), expected, rtol=1e-4, atol=atol)
