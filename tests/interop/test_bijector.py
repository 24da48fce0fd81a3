"""Transforms as TFP bijectors, and back."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from flowzoo import bijectors, flows, surjections
from flowzoo.interop import FromTFP, as_tfp
from tests import cases

tfb, tfd = tfp.bijectors, tfp.distributions
EXACT = [name for name, case in cases.TRANSFORMS.items() if case.bijective]


@pytest.mark.parametrize("name", EXACT)
def test_view_agrees_for_any_leading_dimensions(name):
    transform, (x, condition, _) = cases.transform(name), cases.transform_data(name)
    view = as_tfp(transform, None if condition is None else tf.reshape(condition, [2, 3, -1]))
    z, log_det = transform.encode(x, condition)
    many, event, latent = tf.reshape(x, [2, 3, *transform.event_shape]), transform.event_shape, transform.latent_shape
    np.testing.assert_allclose(view.inverse(many), tf.reshape(z, [2, 3, *latent]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        view.inverse_log_det_jacobian(many, event_ndims=len(event)), tf.reshape(log_det, [2, 3]), rtol=1e-5, atol=1e-5
    )
    back = view.forward(view.inverse(many))
    np.testing.assert_allclose(back, many, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        view.forward_log_det_jacobian(view.inverse(many), event_ndims=len(latent)),
        -tf.reshape(log_det, [2, 3]),
        rtol=1e-4,
        atol=1e-4,
    )
    assert (view.forward_min_event_ndims, view.inverse_min_event_ndims) == (len(latent), len(event))
    assert view.forward_event_shape([7, *latent]) == (7, *event) and view.inverse_event_shape(event) == latent
    assert view.inverse_event_shape_tensor([7, *event]).numpy().tolist() == [7, *latent]
    assert view.experimental_batch_shape() == ((2, 3) if condition is not None else ())
    assert len(view.trainable_variables) == len(transform.trainable_variables)


def test_the_log_det_of_more_dimensions_is_summed():
    transform, (x, _, _) = cases.transform("affine-mask"), cases.transform_data("affine-mask")
    log_det = as_tfp(transform).inverse_log_det_jacobian(tf.reshape(x, [2, 3, 5]), event_ndims=2)
    np.testing.assert_allclose(log_det, tf.reshape(transform.encode(x)[1], [2, 3]).numpy().sum(1), rtol=1e-5)


def test_one_condition_serves_all_rows():
    transform, (x, condition, _) = cases.transform("chain"), cases.transform_data("chain")
    view = as_tfp(transform, condition[0])
    np.testing.assert_allclose(
        view.inverse(x), transform.encode(x, tf.repeat(condition[:1], 6, axis=0))[0], rtol=1e-5, atol=1e-6
    )
    assert view.inverse(x[0]).shape == (5,)


def test_view_is_never_stale():
    transform = cases.new_transform("affine-mask")
    x = cases.transform_data("affine-mask")[0]
    for view in (as_tfp(transform), tfb.Invert(as_tfp(transform))):
        kept = [view.forward(x), view.inverse(x)]  # alive, so that a cache would answer with them
        transform.conditioner.head.bias.assign_add(tf.ones(6))
        for old, new in zip(kept, [view.forward(x), view.inverse(x)], strict=True):
            assert np.abs(new - old).max() > 0.1
        assert view.inverse(kept[0]) is not x


def test_works_inside_tfp():
    transform = cases.transform("affine-mask")
    x, _, _ = cases.transform_data("affine-mask")
    chain = tfb.Chain([tfb.Scale(2.0), as_tfp(transform)])
    z, log_det = transform.encode(x / 2.0)
    np.testing.assert_allclose(chain.inverse(x), z, rtol=1e-5, atol=1e-6)
    distribution = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0.0, 1.0), 5), chain)
    expected = -0.5 * tf.reduce_sum(z**2 + np.log(2 * np.pi), axis=1) + log_det - 5 * np.log(2.0)
    np.testing.assert_allclose(distribution.log_prob(x), expected, rtol=1e-5)
    assert len(distribution.trainable_variables) == len(transform.trainable_variables)
    compiled = tf.function(distribution.log_prob, jit_compile=True)(x)
    np.testing.assert_allclose(compiled, expected, rtol=1e-4)


def test_refuses_what_is_no_bijection():
    with pytest.raises(ValueError, match="must be an exact bijection, got UniformDequantization of kind 'lower_bound'"):
        as_tfp(surjections.UniformDequantization((2,)))
    with pytest.raises(TypeError, match=r"must be a flowzoo Transform, got RealNVP. Use `flow.bijector`"):
        as_tfp(cases.flow("realnvp"))
    with pytest.raises(ValueError, match=r"must have shape \(5,\), got \(4,\)"):
        as_tfp(cases.transform("affine-mask")).forward_event_shape([4])


def test_events_are_not_broadcast():
    view, x = as_tfp(cases.transform("affine-mask")), cases.transform_data("affine-mask")[0]
    for direction in (view.forward, view.inverse, view.inverse_log_det_jacobian):
        with pytest.raises(ValueError, match=r"Expected shape \(..., 5\), got \(6, 1\)"):
            direction(x[:, :1])
    with pytest.raises(ValueError, match=r"Expected shape \(..., 4, 4, 2\), got \(6, 4, 1, 2\)"):
        as_tfp(cases.transform("squeeze")).inverse(tf.zeros([6, 4, 1, 2]))
    unknown = tf.function(view.inverse, input_signature=[tf.TensorSpec([None, None])])
    np.testing.assert_allclose(unknown(x), view.inverse(x), rtol=1e-5, atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[6,1\] is not compatible"):
        unknown(x[:, :1])


INVERTIBLE = [name for name, (family, _) in cases.FLOWS.items() if family not in (*cases.LATENT, *cases.SURJECTIVE)]


@pytest.mark.parametrize("name", [name for name in INVERTIBLE if "augmented" not in name])  # whose x is only a part
def test_the_bijector_of_a_flow_begins_after_dequantization(name):
    model, condition = cases.flow(name), cases.flow_data(name, 1)[1]
    ready = None if condition is None else model.raw.features(tf.constant(condition))
    view = model.bijector if condition is None else as_tfp(model.bijection, ready, places=len(ready.shape) - 2)
    z = np.random.default_rng(0).normal(size=(3, *model.latent_shape)).astype("float32")
    y = view.forward(z)
    np.testing.assert_allclose(view.inverse(y), z, rtol=1e-3, atol=1e-4)
    x, log_det = model.decode(z, None if condition is None else np.repeat(condition, 3, axis=0))
    space = model.x_space
    bins = 2.0**model.bits + space.lowest  # to 1: of signed integers half of them
    native = np.floor(np.clip(y * bins, space.lowest, space.highest)) if model.bits else y
    np.testing.assert_allclose(native, x.numpy().astype("float32"), rtol=1e-4, atol=1e-4)
    own = view.forward_log_det_jacobian(z, event_ndims=len(model.latent_shape))
    np.testing.assert_allclose(own, log_det - model.dims * np.log(bins), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("bijector", "event_shape", "latent_shape"),
    [
        (tfb.Scale(2.0), (3,), (3,)),  # a scalar log-det
        (tfb.Reshape([6], [2, 3]), (6,), (2, 3)),
        (tfb.Invert(tfb.FillTriangular()), (6,), (3, 3)),
    ],
)
def test_from_tfp(bijector, event_shape, latent_shape):
    transform = FromTFP(bijector, event_shape)
    assert transform.event_shape == event_shape and transform.latent_shape == latent_shape
    x = tf.constant(np.random.default_rng(0).normal(size=(4, *event_shape)), tf.float32)
    z, log_det = transform.encode(x)
    again, back = transform.decode(z)
    assert z.shape == (4, *latent_shape) and log_det.shape == back.shape == (4,)
    np.testing.assert_allclose(again, x, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(back, -log_det, rtol=1e-4, atol=1e-4)


def test_from_tfp_does_not_let_the_cache_hide_a_wrong_inverse():
    class Wrong(tfb.Shift):
        def _inverse(self, y):
            return y

    x = tf.zeros([1, 2])
    transform = FromTFP(Wrong(1.0), (2,))
    assert (transform.decode(transform.encode(x)[0])[0].numpy() == 1.0).all()


@pytest.mark.parametrize(
    ("bijector", "outside", "inside"),
    [
        (tfb.Exp(), (-1.0, 0.0), 2.0),
        (tfb.Softplus(), (-1.0, 0.0), 2.0),
        (tfb.Sigmoid(2.0, 3.0), (1.0, 2.0, 3.0, 4.0), 2.5),
        (tfb.Tanh(), (-1.5, 1.0), 0.5),
        (tfb.NormalCDF(), (-0.1, 1.1), 0.5),
    ],
)
def test_outside_its_range_log_prob_is_minus_infinity_with_finite_gradients(bijector, outside, inside):
    layers = [FromTFP(bijector, (2,)), cases.randomized(bijectors.ActNorm((2,)))]
    flow = flows.Flow(bijectors.Chain(layers))
    x = tf.constant([[value, inside] for value in (*outside, inside)])
    with tf.GradientTape() as tape:
        tape.watch(x)
        scores = flow.raw.log_prob(x, None, flow.raw.as_seed(0), 1)
        loss = tf.reduce_sum(scores)
    np.testing.assert_array_equal(np.isneginf(scores), [True] * len(outside) + [False])
    for gradient in tape.gradient(loss, [x, *flow.trainable_weights]):
        assert np.isfinite(gradient).all()
    with pytest.raises(ValueError, match=rf"got {len(outside)} of {len(outside) + 1} rows outside, first in row 0"):
        flow.adapt(x)


def test_the_view_of_a_standardised_flow_is_float64_on_both_sides():
    model, view = cases.flow("maf"), cases.flow("maf").bijector
    x = 1e3 + np.random.default_rng(0).normal(size=(5, 2))
    z = view.inverse(x)
    assert view.dtype == z.dtype == view.forward(z).dtype == view.inverse_log_det_jacobian(x, 1).dtype == tf.float64
    whole = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(np.float64(0.0), 1.0), (2,)), view)
    np.testing.assert_allclose(whole.log_prob(x), model.log_prob(x), rtol=1e-5)
    joint = tfd.JointDistributionSequential([tfd.Normal(np.float64(0.0), 1.0), model.distribution])
    drawn = joint.sample(3, seed=(1, 2))
    assert joint.log_prob(drawn).dtype == tf.float64


@pytest.mark.parametrize(
    ("bijector", "message"),
    [
        (tfb.Shift(tf.Variable(1.0)), "must have no variables, got 1"),
        (tfb.Shift(tf.constant(1.0, tf.float64)), "must be of dtype float32, got float64"),
        (tf.nn.relu, "must be a tfb.Bijector, got"),
    ],
)
def test_from_tfp_refuses(bijector, message):
    with pytest.raises(TypeError, match=message):
        FromTFP(bijector, (2,))
