"""What holds for every base distribution of tests/cases.py."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

from flowzoo import bases, flows
from flowzoo.bijectors import Reverse
from flowzoo.conditioners import MLP
from flowzoo.core import random
from flowzoo.interop import FlowDistribution
from tests import cases

EVERY = list(cases.BASES)


def reference(name, base, condition):
    """TFP's distributions of the entries, for each row of the condition."""
    if name == "standard-normal":
        return tfd.Normal(np.zeros(5, base.dtype), np.ones(5, base.dtype))
    if name == "diagonal-normal":
        return tfd.Normal(base.loc.value, tf.exp(base.log_scale.value))
    if name == "gaussian-mixture":
        parts = tfd.Normal(tf.transpose(base.loc.value), tf.exp(tf.transpose(base.log_scale.value)))
        return tfd.MixtureSameFamily(tfd.Categorical(logits=base.logits.value), parts)
    if name.startswith("student-t"):
        return tfd.StudentT(tf.exp(base.log_freedom.value), np.zeros(5, base.dtype), np.ones(5, base.dtype))
    if name == "logistic":
        return tfd.Logistic(np.zeros(5, base.dtype), np.ones(5, base.dtype))
    if name == "uniform":
        return tfd.Uniform(base.low, base.high)
    if name == "class-conditional":
        classes = tf.argmax(condition, axis=1)
        return tfd.Normal(tf.gather(base.loc.value, classes), tf.exp(tf.gather(base.log_scale.value, classes)))
    if name == "conditional-normal":
        loc, raw = tf.split(base.network(condition), 2, axis=1)
        return tfd.Normal(loc, tf.exp(5.0 * tf.tanh(raw / 5.0)))
    return base.distribution.distribution


def expected_log_prob(name, base, z, condition):
    if name == "gaussian-mixture":  # whose entries depend on each other
        parts = tfd.MultivariateNormalDiag(base.loc.value, tf.exp(base.log_scale.value))
        return tfd.MixtureSameFamily(tfd.Categorical(logits=base.logits.value), parts).log_prob(z)
    return tf.reduce_sum(reference(name, base, condition).log_prob(z), axis=1)


@pytest.mark.parametrize("name", EVERY)
def test_log_prob_is_tfps(name):
    for dtype, rtol in (("float32", 1e-5), ("float64", 1e-10)):
        base, (z, condition, _) = cases.new_base(name, dtype), cases.base_data(name, dtype=dtype)
        count = len(base.weights)
        log_prob = base.log_prob(z, condition)
        assert log_prob.dtype == dtype and log_prob.shape == (6,) and len(base.weights) == count
        np.testing.assert_allclose(log_prob, expected_log_prob(name, base, z, condition), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", ["standard-normal", "diagonal-normal", "logistic", "conditional-normal"])
def test_its_distribution_has_its_density(name):
    base, (z, condition, _) = cases.new_base(name), cases.base_data(name)
    found = base.distribution(condition)
    assert found.event_shape == (5,)
    np.testing.assert_allclose(found.log_prob(z), base.log_prob(z, condition), rtol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_samples_follow_the_density_and_the_temperature_scales_them(name):
    base, rows = cases.base(name), 3000
    draw = tf.function(base.sample, autograph=False)  # a hundred times faster where rows are drawn one by one
    condition = cases.base_data(name)[1]
    condition = None if condition is None else tf.repeat(condition[1:2], rows, axis=0)
    seeds = random.row_seeds(3, rows)
    z = draw(seeds, tf.ones(rows), condition).numpy()
    assert z.shape == (rows, 5) and z.dtype == np.float32
    entries = reference(name, base, None if condition is None else condition[:1])
    uniform = entries.cdf(z).numpy()
    assert min(stats.kstest(column, "uniform").pvalue for column in uniform.T) > 1e-3
    if name != "gaussian-mixture":  # where the component ties the entries together
        correlations = np.corrcoef(uniform.T)[np.triu_indices(5, 1)]
        assert np.abs(correlations).max() < 4.5 / np.sqrt(rows)
    still, cool = (draw(seeds, tf.fill([rows], t), condition).numpy() for t in (0.0, 0.25))
    np.testing.assert_allclose(cool - still, 0.25 * (z - still), rtol=1e-4, atol=1e-5)
    if name == "gaussian-mixture":  # a sample stays with its component
        assert {tuple(row) for row in still} == {tuple(row) for row in base.loc.numpy()}
    else:
        np.testing.assert_allclose(still, np.broadcast_to(entries.mean(), still.shape), rtol=1e-5, atol=1e-6)


def test_a_mixture_draws_its_shares():
    base = cases.base("gaussian-mixture")
    still = base.sample(random.row_seeds(0, 3000), tf.zeros(3000)).numpy()
    counts = [(still == loc).all(axis=1).sum() for loc in base.loc.numpy()]
    shares = tf.nn.softmax(tf.cast(base.logits.value, tf.float64)).numpy()
    assert stats.chisquare(counts, 3000 * shares).pvalue > 1e-3


@pytest.mark.parametrize("name", EVERY)
def test_gradient_reaches_every_weight(name):
    base, (z, condition, _) = cases.base(name), cases.base_data(name)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(base.log_prob(z, condition))
    for weight, gradient in zip(base.trainable_weights, tape.gradient(total, base.trainable_weights), strict=True):
        assert gradient is not None and np.isfinite(gradient).all() and np.abs(gradient).max() > 0, weight.name
    learned = {
        "standard-normal": 0,
        "student-t": 0,
        "logistic": 0,
        "uniform": 0,
        "from-distribution": 0,
        "gaussian-mixture": 3,
    }
    expected = learned.get(name, 1 if name == "student-t-learned" else 4 if name == "conditional-normal" else 2)
    assert len(base.trainable_weights) == expected


@pytest.mark.parametrize("name", EVERY)
def test_xla_equals_eager_and_rows_are_on_their_own(name):
    base, (z, condition, seeds) = cases.base(name), cases.base_data(name)
    temperature = tf.linspace(0.2, 1.0, 6)

    def both(z, seeds, temperature, condition):
        return base.log_prob(z, condition), base.sample(seeds, temperature, condition)

    eager = both(z, seeds, temperature, condition)
    bad = tf.tensor_scatter_nd_update(z, [[2, 1]], [np.nan])
    graph, compiled = (
        tf.function(both, jit_compile=xla, autograph=False)(bad, seeds, temperature, condition) for xla in (False, True)
    )
    for a, b, c in zip(graph, compiled, eager, strict=True):
        np.testing.assert_allclose(np.delete(a, 2, axis=0), np.delete(c, 2, axis=0), rtol=1e-5, atol=1e-6)
        if a is graph[1] and name == "from-distribution":  # TFP's generator is another one under XLA
            continue
        np.testing.assert_allclose(np.delete(b, 2, axis=0), np.delete(c, 2, axis=0), rtol=1e-4, atol=1e-5)
    assert not np.isfinite(graph[0][2]) and not np.isfinite(compiled[0][2])
    part = None if condition is None else condition[3:4]
    alone = both(z[3:4], seeds[3:4], temperature[3:4], part)
    for a, b in zip(alone, eager, strict=True):
        np.testing.assert_allclose(a[0], b[3], rtol=1e-5, atol=1e-6)
    if condition is not None:
        unknown = base.log_prob(z, tf.tensor_scatter_nd_update(condition, [[2, 0]], [np.nan])).numpy()
        np.testing.assert_allclose(np.delete(unknown, 2), np.delete(eager[0], 2), rtol=1e-6)
        assert np.isnan(unknown[2])
        assert np.abs(base.log_prob(z, tf.roll(condition, 1, axis=1)) - eager[0]).min() > 1e-3


@pytest.mark.parametrize("name", EVERY)
def test_a_flow_takes_it(name, tmp_path):
    """log_prob, sample, weights, the SavedModel and the TFP view."""

    def new():
        return flows.Flow(Reverse((5,)), cases.new_base(name), condition_features=cases.BASES[name].condition_features)

    flow, (z, condition, seeds) = new(), cases.base_data(name)
    log_prob = flow.log_prob(z, condition).numpy()
    np.testing.assert_allclose(log_prob, flow.base.log_prob(z[:, ::-1], condition), rtol=1e-5, atol=1e-6)
    samples = flow.sample(6, condition, seed=seeds, temperature=0.5).numpy()
    np.testing.assert_allclose(
        samples[:, ::-1], flow.base.sample(seeds, tf.fill([6], 0.5), condition), rtol=1e-5, atol=1e-6
    )
    flow.save_weights(tmp_path / "flow.weights.h5")
    other = new()
    for weight in other.base.trainable_weights:
        weight.assign(weight + 0.5)
    other.load_weights(tmp_path / "flow.weights.h5")
    np.testing.assert_array_equal(other.log_prob(z, condition), log_prob)
    served = tf.saved_model.load(str(flow.export(tmp_path / "served"))).signatures
    given = {} if condition is None else {"condition": condition}
    np.testing.assert_allclose(served["log_prob"](x=z, **given)["log_prob"], log_prob, rtol=1e-5, atol=1e-6)
    drawn = served["sample"](seed=seeds, temperature=tf.fill([6], 0.5), **given)["x"]
    np.testing.assert_allclose(drawn, samples, rtol=1e-5, atol=1e-6)
    view = FlowDistribution(flow, condition)
    np.testing.assert_allclose(view.log_prob(z), log_prob, rtol=1e-5, atol=1e-6)
    assert view.sample(2, seed=(0, 0)).shape == (2, *view.batch_shape, 5)


@pytest.mark.parametrize("name", bases.NAMED)
def test_a_family_takes_each_base_by_name(name):
    flow = flows.create("maf", depth=1, hidden=4, base=name, classes=3 if name == "class-conditional" else 0)
    again = type(flow).from_config(flow.get_config())
    assert type(again.base) is type(flow.base) and flow.get_config()["base"] == name
    labels = np.arange(4) % 3 if flow.classes else None
    log_prob = flow.log_prob(np.zeros((4, 2), "float32"), labels)
    np.testing.assert_allclose(log_prob, again.log_prob(np.zeros((4, 2), "float32"), labels), rtol=1e-6)


def test_labels_choose_the_class():
    base = cases.new_base("class-conditional")
    flow = flows.Flow(Reverse((5,)), base, classes=3)
    still = flow.sample(3, np.array([2, 0, 1]), temperature=0.0, seed=0).numpy()
    np.testing.assert_allclose(still[:, ::-1], base.loc.numpy()[[2, 0, 1]])
    with pytest.raises(ValueError, match=r"ClassConditional: `condition` must have shape \(batch, 3\), got \(1, 4\)"):
        flows.Flow(Reverse((5,)), base, classes=4).log_prob(np.zeros((1, 5), "float32"), np.array([0]))
    with pytest.raises(ValueError, match=r"got None\. Build the flow with `classes`"):
        flows.Flow(Reverse((5,)), base).log_prob(np.zeros((1, 5), "float32"))


def test_outside_the_box_the_density_is_zero_and_hot_samples_stay_inside():
    base = cases.base("uniform")
    z = np.zeros((3, 5), "float32")
    z[1, 0], z[2, 4] = 1.01, np.inf
    assert np.isneginf(base.log_prob(tf.constant(z))).tolist() == [False, True, True]
    hot = base.sample(random.row_seeds(0, 1000), tf.fill([1000], 3.0)).numpy()
    assert np.isfinite(base.log_prob(tf.constant(hot))).all()


@pytest.mark.parametrize("freedom", [0.5, 1.0, 30.0, 1e4, 1e7])
def test_students_normalizer_and_tails(freedom):
    for dtype, rtol in (("float32", 1e-5), ("float64", 1e-9)):
        base = bases.StudentT((1,), freedom, dtype=dtype)
        z = np.array([[0.0], [1.5], [-1e6]], dtype)
        np.testing.assert_allclose(base.log_prob(z), stats.t(freedom).logpdf(z[:, 0].astype(float)), rtol=10 * rtol)
    draws = bases.StudentT((4,), freedom).sample(random.row_seeds(1, 1000), tf.ones(1000)).numpy()
    assert np.isfinite(draws).all() and stats.kstest(draws.ravel(), stats.t(freedom).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("distribution", "truth"),
    [
        (tfd.Exponential(2.0), stats.expon(scale=0.5)),
        (tfd.Uniform(0.0, 2.0), stats.uniform(0.0, 2.0)),
        (tfd.Beta(2.0, 3.0), stats.beta(2.0, 3.0)),
        (tfd.Gamma(2.0, 3.0), stats.gamma(2.0, scale=1.0 / 3.0)),
        (tfd.TruncatedNormal(0.0, 1.0, 0.0, 2.0), stats.truncnorm(0.0, 2.0)),
        (tfd.HalfNormal(1.0), stats.halfnorm()),
    ],
)
def test_outside_its_support_a_distribution_is_minus_infinity(distribution, truth):
    base = bases.FromDistribution(tfd.Sample(distribution, (1,)))
    z = tf.constant([[-1.0], [-1e-3], [0.25], [0.75], [25.0]], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(z)
        scores = base.log_prob(z)
        loss = tf.reduce_sum(scores)
    np.testing.assert_allclose(scores, truth.logpdf(z.numpy().astype(float))[:, 0], rtol=1e-4)
    assert np.isfinite(tape.gradient(loss, z)).all() and not np.isfinite(base.log_prob(z * np.nan)).any()


def test_a_distribution_without_a_mean_is_scaled_about_zero():
    base = bases.FromDistribution(tfd.Sample(tfd.Cauchy(5.0, 1.0), (2,)))
    seeds = random.row_seeds(0, 4)
    one, half = (base.sample(seeds, tf.fill([4], t)).numpy() for t in (1.0, 0.5))
    np.testing.assert_allclose(half, 0.5 * one, rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: bases.StandardNormal((2,), dtype="bfloat16"), ValueError, "must be float32 or float64"),
        (lambda: bases.GaussianMixture((2,), 0), ValueError, "`components` must be at least 1, got 0"),
        (lambda: bases.StudentT((2,), 0.0), ValueError, "`freedom` must be positive and finite, got 0.0"),
        (lambda: bases.Uniform((2,), 1.0, [2.0, 1.0]), ValueError, "`low` must be below `high`"),
        (lambda: bases.ClassConditional((2,), 0), ValueError, "`classes` must be at least 1"),
        (lambda: bases.FromDistribution(np.zeros(2)), TypeError, "must be a tfd.Distribution, got ndarray"),
        (lambda: bases.FromDistribution(tfd.Normal([0.0, 1.0], 1.0)), ValueError, r"batch shape \(\), got \(2,\)"),
        (lambda: bases.FromDistribution(tfd.Categorical([0.0, 1.0])), TypeError, "float32 or float64"),
        (
            lambda: bases.FromDistribution(tfd.Normal(tf.Variable(0.0), 1.0)),
            TypeError,
            "must have no variables, got 1 in Normal",
        ),
        (
            lambda: flows.Flow(Reverse((2,)), bases.StandardNormal((2,), dtype="float64")),
            ValueError,
            "`base` must have the transform's dtype float32, got float64",
        ),
        (lambda: bases.named("gauss", (2,)), ValueError, "`base` must be one of 'normal', .*, got 'gauss'"),
        (lambda: flows.create("nice", base="class-conditional"), ValueError, "'class-conditional' needs `classes`"),
        (lambda: bases.ConditionalNormal((2,), 3, MLP(3, 4, [4]), bound=0.0), ValueError, "`bound` must be positive"),
    ],
)
def test_what_does_not_fit_is_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()
