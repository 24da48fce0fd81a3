"""What is measured of latent-variable models: bound, ELBO, active units, and the likelihood of binary data in nats."""

import numpy as np
import pytest

from flowzoo.measure.active_units import ActiveUnits
from flowzoo.measure.elbo import Elbo
from flowzoo.measure.likelihood import TEST, BitsPerDim, LogLikelihood
from flowzoo.measure.registry import headline
from flowzoo.measure.shipped_likelihood import SHIPPED, ShippedBitsPerDim, ShippedLogLikelihood
from flowzoo.measure.subject import Subject
from flowzoo.record.preset import Preset
from tests import cases
from tests.record import records

BINARY = Preset.from_dict(
    records.untrained()
    | {
        "family": "vae",
        "config": {"event_shape": [6, 6, 1], "bits": 1, "latent": 3},
        "dataset": {"name": "mnist_binary", "bits": 1, "labels": False},
    }
)


def subject(name="vae", split=TEST, **how):
    return Subject(BINARY, cases.flow(name), {split: cases.flow_data(name, 40)}, **how)


def test_binary_data_is_stated_in_nats():
    assert isinstance(headline(BINARY), LogLikelihood)
    many = subject(draws=20)
    found = LogLikelihood().measure(many)
    x, _ = cases.flow_data("vae", 40)
    assert found.value == pytest.approx(cases.flow("vae").score(x, samples=20).mean(), rel=1e-5)
    assert found.protocol["draws"] == 20 and found.protocol["bits"] == 1
    assert not BitsPerDim().applies(many)


def test_the_shipped_examples_stand_in():
    shipped = subject(split=SHIPPED)
    assert ShippedLogLikelihood().applies(shipped) and not ShippedBitsPerDim().applies(shipped)
    assert not ShippedLogLikelihood().applies(subject())


def test_the_elbo_is_of_one_draw():
    many = subject(draws=20)
    found = Elbo().measure(many)
    assert found.value == pytest.approx(cases.flow("vae").score(cases.flow_data("vae", 40)[0]).mean(), rel=1e-5)
    assert found.protocol["draws"] == 1 and found.value < LogLikelihood().measure(many).value
    assert not Elbo().applies(subject("maf"))


def test_units_are_active_if_their_mean_varies():
    flow, x = cases.new_flow("vae"), cases.flow_data("vae", 40)[0]
    head = flow.transform.transforms[0].posterior.network.head
    kernel = head.kernel.numpy()
    kernel[:, 1] = 0.0  # the mean of the second latent
    head.kernel.assign(kernel)
    found = ActiveUnits().measure(Subject(BINARY, flow, {TEST: (x, None)}))
    means = flow.posterior(x).mean().numpy()
    assert found.value == (means.var(axis=0) > 0.01).sum() and np.ptp(means[:, 1]) == 0.0
    assert "of 3 latents" in found.protocol["note"] and "40 examples" in found.protocol["note"]
