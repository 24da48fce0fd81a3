"""The certificate notices a flow that does not invert, and rows that are not finite."""

import numpy as np
import pytest
import tensorflow as tf

import flowzoo
from flowzoo.bijectors import Chain, Logit, Reverse
from flowzoo.core.transform import Transform
from flowzoo.hub.presets import read_preset
from flowzoo.measure.certificate import Certificate
from flowzoo.measure.round_trip import COUNT, round_trips
from flowzoo.models.flow import Flow
from flowzoo.surjections import Augment
from flowzoo.testing import randomized
from tests.zoo import tiny

broken = Certificate().broken


def test_rows_that_are_not_finite_or_explode_are_counted(published, monkeypatch):
    flow = tiny.random_flow(read_preset(published))
    test = flowzoo.data.fixture("fashion_mnist")[0][:COUNT], None
    assert broken(round_trips(flow, test)) == []
    with monkeypatch.context() as patched:
        patched.setattr("flowzoo.measure.round_trip.EXPLODED", 1e-6)
        sampled = round_trips(flow, None)["sampled"]
    assert sampled["exploded_rate"] == 1.0 and "reconstruction_error" not in sampled
    assert [text for text in broken({"sampled": sampled}) if text.startswith("exploded_rate of sampled inputs is 1")]
    weight = next(w for w in flow.trainable_weights if w.shape == (784,))
    weight.assign(np.full(784, np.nan, np.float32))
    found = round_trips(flow, test)
    assert found["sampled"]["non_finite_rate"] == 1.0 and "reconstruction_error" not in found["sampled"]
    assert len(broken(found)) == 6


def test_a_wrong_inverse_and_a_wrong_log_det_are_found():
    flow = flowzoo.create("realnvp", event_shape=(3,), depth=2, hidden=4, seed=1)
    x = np.random.default_rng(0).standard_normal((9, 3)).astype("float32")
    found = round_trips(flow, (x, None))
    assert broken(found) == [] and [entry["examples"] for entry in found.values()] == [9, COUNT, 9]
    layer = next(layer for layer in flow._flatten_layers() if type(layer).__name__ == "ActNorm")
    right = layer._decode
    layer._decode = lambda z, condition: (right(z, condition)[0] + 0.25, right(z, condition)[1] + 0.5)
    found = round_trips(flow, (x, None))
    assert abs(found["test"]["log_det_error"] - 0.5) < 1e-4 and found["test"]["reconstruction_error"] > 0.2
    assert len(broken(found)) == 4


def test_of_surjections_what_decode_draws_comes_back():
    flow = flowzoo.create("survae", event_shape=(3,), folds=3, sort=True, depth=1, hidden=4, standardize=False)
    randomized(flow)
    x = np.random.default_rng(0).standard_normal((9, 3)).astype("float32")
    found = round_trips(flow, (x, None))
    assert broken(found) == [] and found["test"]["examples"] == 9
    fold = flow.transform.transforms[2]
    right = fold._decode
    fold._decode = lambda z, condition, context: (
        right(z, condition, context)[0] * 0.9,
        right(z, condition, context)[1],
    )
    assert len(broken(round_trips(flow, (x, None)))) >= 2


class Latent(Transform):
    """As the layer of a VAE: draws both ways, so decode does not give back what encode took."""

    kind = "lower_bound"
    draws = frozenset({"encode", "decode"})
    invertible = False
    takes_context = True

    def _encode(self, x, condition, context):
        return x + 1.0, tf.zeros(tf.shape(x)[:1])

    def _decode(self, z, condition, context):
        return z + 1.0, tf.zeros(tf.shape(z)[:1])


def test_what_was_not_looked_at_gets_no_certificate():
    test = np.random.default_rng(0).uniform(0.1, 0.9, (9, 3)).astype("float32"), None
    for parts in ([Latent((3,))], [Latent((3,)), Reverse((3,))], [Logit((3,)), Augment((3,), 1)]):
        assert round_trips(Flow(Chain(parts)), test) == {}
    flow = Flow(Chain([Latent((3,)), Reverse((3,))]))
    for call in (flow.reconstruction_error, lambda x: flowzoo.diagnose(flow, x), lambda x: flow.bijector):
        with pytest.raises(ValueError, match="Latent, whose decode does not give back what encode took"):
            call(test[0])
