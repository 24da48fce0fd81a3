"""A flow that is conditioned on several values by name: a label, a vector and an image."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from flowzoo import flows
from flowzoo.bijectors import AffineCoupling, Chain, ChannelSplit
from flowzoo.conditioners import GlowConvNet
from flowzoo.core.errors import NonFiniteError
from flowzoo.core.space import Condition, Space
from flowzoo.flows import Flow
from flowzoo.models.conditioning import joined
from flowzoo.surjections import UniformDequantization
from tests import cases

SPACES = {"label": Space.integers((), 3), "size": Space((2,)), "sketch": Space((4, 4, 1))}
NUMBERS = np.random.default_rng(0)
X = NUMBERS.integers(0, 256, (6, 4, 4, 2), dtype=np.uint8)
TOLD = {
    "label": np.arange(6) % 3,
    "size": NUMBERS.normal(size=(6, 2)).astype("float32"),
    "sketch": NUMBERS.normal(size=(6, 4, 4, 1)).astype("float32"),
}


def _flow():
    shape, split = (4, 4, 2), ChannelSplit((4, 4, 2))
    network = GlowConvNet(split.kept_shape, 2 * split.free_shape[-1], 6, condition_features=3 + 2 + 1)
    parts = [UniformDequantization(shape, 8), AffineCoupling(shape, split, network)]
    return cases.randomized(Flow(Chain(parts), condition=SPACES))


@pytest.fixture(scope="module")
def flow():
    return _flow()


def test_each_value_changes_the_density(flow):
    before = flow.log_prob(X, TOLD).numpy()
    for name, value in TOLD.items():
        other = (value + 1) % 3 if name == "label" else value + 1
        assert (np.abs(flow.log_prob(X, TOLD | {name: other}) - before) > 1e-4).all(), name
    np.testing.assert_allclose(flow.score(X, TOLD, batch_size=16), before, rtol=1e-6)
    z, _ = flow.encode(X, TOLD)
    assert np.isfinite(flow.decode(z, TOLD)[0]).all() and (flow.reconstruction_error(X, TOLD).numpy() < 1e-4).all()
    one = {name: value[:1] for name, value in TOLD.items()}
    assert flow.sample(3, one, seed=0).shape == (3, 4, 4, 2)


def test_what_is_wrong_is_named(flow):
    with pytest.raises(ValueError, match=r"must be a dict of \['label', 'size', 'sketch'\], got ndarray"):
        flow.log_prob(X, TOLD["label"])
    with pytest.raises(ValueError, match=r'`condition\["size"\]` must be \(6, 2\) numbers, got .*\(6, 3\)'):
        flow.log_prob(X, TOLD | {"size": np.zeros((6, 3), "float32")})
    with pytest.raises(ValueError, match=r'`condition\["label"\]` must be .*labels 0 ... 2,.* got labels from 1 to 3'):
        flow.sample(6, TOLD | {"label": TOLD["label"] + 1})
    with pytest.raises(ValueError, match=r'`condition\["sketch"\]` must be finite'):
        flow.encode(X, TOLD | {"sketch": TOLD["sketch"] * np.nan})
    data = tf.data.Dataset.from_tensors((X, TOLD | {"size": TOLD["size"][:, :1]}))
    with pytest.raises(ValueError, match=r'`condition\["size"\]` of the data set must be \(batch, 2\) numbers'):
        flow.fit(data, verbose=0)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_it_trains_on_arrays_and_data_sets(accumulate):
    flow = _flow()
    flow.accumulate = accumulate
    flow.compile(keras.optimizers.SGD(1e-3))
    weights = [weight.numpy() for weight in flow.trainable_weights]
    flow.fit(X, TOLD, batch_size=6, epochs=1, verbose=0)
    data = tf.data.Dataset.from_tensors((X, TOLD))
    flow.fit(data, epochs=1, verbose=0)
    assert all((a != b.numpy()).any() for a, b in zip(weights, flow.trainable_weights, strict=True))
    assert np.isfinite(flow.evaluate(X, TOLD, verbose=0)).all() and flow.predict(data, verbose=0).shape == (6,)
    if accumulate == 1:
        bad = tf.data.Dataset.from_tensors((X, TOLD | {"label": TOLD["label"] + 1}))
        with pytest.raises(NonFiniteError, match=r"the condition holds .* in rows 2, 5 of the batch"):
            flow.fit(bad, verbose=0)


def test_exports_and_the_view_of_tfp_take_them_by_name(flow, tmp_path):
    flow.export(tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model"))
    inputs = {name: tf.constant(value) for name, value in (TOLD | {"label": TOLD["label"].astype("int32")}).items()}
    found = served.signatures["log_prob"](x=tf.constant(X), **inputs)["log_prob"]
    expected = flow.log_prob(X, TOLD)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="label"):
        served.signatures["log_prob"](x=tf.constant(X), **(inputs | {"label": inputs["label"] + 1}))
    from flowzoo.interop import FlowDistribution

    view = FlowDistribution(flow, TOLD)
    assert isinstance(view, tfp.distributions.Distribution) and view.batch_shape == [6]
    np.testing.assert_allclose(view.log_prob(X), expected, rtol=1e-6)
    assert view.sample(2, seed=1).shape == (2, 6, 4, 4, 2)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("maf", {"event_shape": (2,), "classes": 3, "condition_features": 2}),
        ("realnvp", {"event_shape": (2,), "condition": {"label": SPACES["label"], "features": SPACES["size"]}}),
        ("glow", {"event_shape": (4, 4, 1), "levels": 1, "classes": 3, "condition_features": 2}),
    ],
)
def test_families_take_several(family, options):
    flow = flows.create(family, depth=1, hidden=4, standardize=False, **options)
    condition = {"label": TOLD["label"], "features": TOLD["size"]}
    again = type(flow).from_config(json.loads(json.dumps(flow.get_config())))
    assert flow.condition == again.condition and flow.condition.features == 5
    cases.randomized(flow)
    x = X[..., :1] if family == "glow" else TOLD["size"]
    before = flow.encode(x, condition)[0].numpy()
    for name, value in condition.items():
        other = flow.encode(x, condition | {name: (value + 1) % 3 if name == "label" else value + 1})[0].numpy()
        assert (np.abs(other - before).reshape(6, -1).max(axis=1) > 1e-4).all(), name


@pytest.mark.parametrize(
    ("family", "options", "space"),
    [
        ("maf", {"event_shape": (2,)}, Space((4, 4, 1))),
        ("nsf-coupling", {"event_shape": (2,)}, {"label": Space.integers((), 3), "mel": Space((None, 4))}),
        ("ffjord", {"event_shape": (4, 4, 1), "bits": 8}, Space((4, 4, 1))),
        ("vae", {"event_shape": (6, 6, 1), "bits": 1}, Space((6, 6, 1))),
        ("glow", {"event_shape": (4, 4, 1), "levels": 1}, Space((None, 4))),
        ("waveflow", {"event_shape": (12,), "height": 3}, Space((4, 4, 1))),
        ("realnvp", {"event_shape": (2,)}, Space.integers((7,), 5)),
    ],
)
def test_networks_that_take_no_places_are_named(family, options, space):
    with pytest.raises(ValueError, match=r"must be labels or vectors here, since \w+ takes no others, got "):
        flows.create(family, hidden=4, condition=space, **options)


def test_an_image_is_a_condition_as_files_hold_it(eagerly):
    """Pixels reach networks between -1/2 and 1/2, one number for each channel."""
    options = {"event_shape": (4, 4, 1), "levels": 1, "depth": 1, "hidden": 4}
    pixels, x = X, X[..., :1]
    flow = cases.randomized(flows.create("glow", condition=Space.integers((4, 4, 2), 256), **options))
    numbers = flows.create("glow", condition=Space((4, 4, 2)), **options)
    numbers.set_weights(flow.get_weights())
    scaled = pixels.astype("float32") / 255 - 0.5
    np.testing.assert_allclose(flow.log_prob(x, pixels), numbers.log_prob(x, scaled), rtol=1e-6)
    assert (np.abs(flow.log_prob(x, pixels[::-1]) - flow.log_prob(x, pixels)) > 1e-4).all()
    few = Condition(Space.integers((4, 4, 2), 8))
    found = joined(np.stack([pixels[0] % 8, pixels[0] % 8 + 1]), few, "float32").numpy()
    assert found[0].min() == -0.5 and found[0].max() == 0.5 and np.isnan(found[1][pixels[0] % 8 == 7]).all()


def test_a_sequence_of_classes_is_one_hot(eagerly):
    flow = flows.create(
        "waveflow", event_shape=(24,), height=3, depth=1, hidden=4, blocks=1, condition=Space.integers((4,), 5)
    )
    cases.randomized(flow)
    x, spoken = np.arange(72, dtype=np.int16).reshape(3, 24), np.arange(12).reshape(3, 4) % 5
    assert (flow.log_prob(x, spoken).numpy() != flow.log_prob(x, (spoken + 1) % 5).numpy()).all()
    assert flow.of_length(48).condition.spaces["condition"].shape == (8,)


def test_a_family_refuses_two_ways_and_what_is_no_space():
    with pytest.raises(ValueError, match="Give `condition`, or `classes`"):
        flows.create("maf", classes=3, condition=Space((2,)))
    with pytest.raises(ValueError, match=r"`condition` must be a Space, or a dict of them by name, got .*shapes"):
        flows.create("maf", condition={"shapes": [3]})
    with pytest.raises(ValueError, match="'class-conditional' needs `classes`, and no other condition"):
        flows.create("maf", base="class-conditional", classes=3, condition_features=2)


def test_a_new_flow_is_adapted_by_what_has_several_conditions(eagerly):
    for data in (False, True):
        flow = flows.create("planar", depth=1, hidden=4, classes=3, condition_features=2, standardize=True)
        x, given = TOLD["size"].astype("float64"), {"label": TOLD["label"], "features": TOLD["size"]}
        with pytest.warns(UserWarning, match=r"`fit` adapted it to (6|12) rows"):
            if data:
                flow.fit(tf.data.Dataset.from_tensor_slices((x, given)).batch(4), verbose=0)
            else:
                flow.fit(
                    np.tile(x, (2, 1)),
                    {name: np.concatenate([value] * 2) for name, value in given.items()},
                    validation_split=0.5,
                    batch_size=3,
                    verbose=0,
                )
        assert int(flow.adapted) == 1 and np.isfinite(flow.evaluate(x, given, verbose=0)).all()
