"""Every family takes labels and vectors as a condition, which changes all that it computes."""

import functools
import re

import numpy as np
import pytest
import tensorflow as tf

from flowzoo import flows
from tests import cases

_images = {"event_shape": (4, 4, 1), "bits": 8, "levels": 1, "depth": 1, "hidden": 6}
_quick = {"depth": 1, "hidden": 6, "method": "rk4", "steps": 2, "time": 0.1}
CONFIGS = {name: (name, cases.small(name, event_shape=(2,), **_quick)) for name in flows.FAMILIES}
CONFIGS |= {
    name: (name, CONFIGS[name][1] | {"depth": 2, "hidden": 32}) for name in cases.SURJECTIVE
}  # both columns change
CONFIGS |= {
    name: (name, CONFIGS[name][1] | {"hidden": 32}) for name in cases.LATENT
}  # in no row are all units of a relu 0
CONFIGS |= {f"{family}-image": (family, _images) for family in ("glow", "nsf-coupling", "realnvp")}  # other networks


pytestmark = pytest.mark.usefixtures("eagerly")


@functools.cache
def _conditional(name, kind):
    """The flow with random weights; x, z, and two conditions that differ in every row."""
    family, config = CONFIGS[name]
    model = cases.randomized(flows.create(family, seed=5, standardize=False, **config, **{kind: 3}))
    numbers = np.random.default_rng(0)
    x = numbers.integers(0, 256, (6, 4, 4, 1), dtype=np.uint8) if model.bits else numbers.normal(size=(6, 2))
    condition = np.arange(6) % 3 if kind == "classes" else numbers.normal(size=(6, 3)).astype("float32")
    z = cases.latents(model, numbers=numbers)
    return model, x.astype(model.data_dtype), z, condition, cases.other_condition(condition)


def _differ(one, other):
    """In every row."""
    difference = np.abs(np.asarray(one, float) - np.asarray(other, float))
    return (difference.reshape(6, -1).max(axis=1) > 1e-4).all()


@pytest.mark.parametrize("kind", ["classes", "condition_features"])
@pytest.mark.parametrize("name", CONFIGS)
def test_it_changes_everything(name, kind):
    model, x, z, condition, other = _conditional(name, kind)
    assert _differ(model.log_prob(x, condition), model.log_prob(x, other))
    assert _differ(model.encode(x, condition)[0], model.encode(x, other)[0])
    # cool, so that integer data is not clipped to the ends of its range
    assert _differ(model.sample(6, condition, 0.2, seed=1), model.sample(6, other, 0.2, seed=1))
    if name in cases.LATENT:
        assert _differ(model.likelihood(z, condition).mean(), model.likelihood(z, other).mean())
    if not model.transform.invertible:
        return
    bijection, ready = model.bijection, model.raw.features(tf.constant(condition))
    assert _differ(bijection.decode(z, ready)[0], bijection.decode(z, model.raw.features(tf.constant(other)))[0])
    assert (model.reconstruction_error(x, condition).numpy() < 1e-4).all()


@pytest.mark.parametrize("kind", ["classes", "condition_features"])
@pytest.mark.parametrize("name", CONFIGS)
def test_what_does_not_fit_is_refused(name, kind):
    model, x, z, condition, _ = _conditional(name, kind)
    wrong = [
        (None, "got None"),
        (condition[:5], r"shape \(5,"),
        *((np.zeros(shape, "float32"), re.escape(str(shape))) for shape in ((6, 4), (6, 2, 3))),
    ]
    wrong += [(condition + 1, "labels 0 ... 2")] if kind == "classes" else [(condition * np.nan, "be finite")]
    calls = (model.log_prob, x), (model.encode, x), (model.decode, z), (model.sample, 6)
    for method, value in calls:
        for bad, message in wrong:
            with pytest.raises((ValueError, TypeError), match=f"`condition` must .*{message}") as error:
                method(value, bad)
            assert "\x1b" not in str(error.value)  # refused before a layer of Keras, which paints its errors


def test_networks_of_images_take_a_condition_at_each_pixel():
    model, x, _, condition, _ = _conditional("glow-image", "condition_features")
    everywhere = np.tile(condition[:, None, None], (1, 2, 2, 1))
    np.testing.assert_allclose(model.log_prob(x, everywhere), model.log_prob(x, condition), rtol=1e-6)


def test_a_condition_stays_float64():
    model = cases.randomized(flows.create("planar", depth=1, hidden=6, condition_features=1, dtype="float64"))
    x, condition = np.ones((1, 2)), np.ones((1, 1))
    assert (model.encode(x, condition)[0] != model.encode(x, condition + 1e-10)[0]).numpy().all()
