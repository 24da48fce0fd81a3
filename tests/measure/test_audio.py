"""The numbers of audio, on a flow that changes nothing: its log-density is that of a standard normal."""

import numpy as np
import pytest
import scipy.stats

from flowzoo import flows
from flowzoo.measure.likelihood_above_lpc import AboveLinearPrediction
from flowzoo.measure.likelihood_lpc import LinearPrediction, fitted
from flowzoo.measure.likelihood_sample import SampleLikelihood
from flowzoo.measure.subject import Subject
from flowzoo.modalities import audio


def test_likelihoods_are_in_nats_per_sample_of_the_waveform():
    flow = flows.create("waveflow", event_shape=(512,), depth=1, hidden=2, blocks=1)
    x = audio.windows(audio.voice(2 * 512, 8000), 512)
    subject = Subject(None, flow, {"test": (x, None)}, weights="raw")
    found = SampleLikelihood().measure(subject)
    expected = scipy.stats.norm.logpdf((x + 0.5) / 32768.0).mean()
    assert found.value == pytest.approx(expected, abs=1e-4)
    assert SampleLikelihood().recorded(found)["bits"] == 16
    yardstick = LinearPrediction()
    entry = yardstick.recorded(yardstick.measure(subject))
    assert entry["value"] == pytest.approx(fitted((x + 0.5).reshape(4, 256) / 32768.0).mean(), abs=0.1)
    assert entry["value"] > 3.0 > found.value
    assert (entry["order"], entry["frame"], entry["examples"], entry["split"]) == (16, 256, 2, "test")
    above = AboveLinearPrediction()
    paired = above.measure(subject)
    assert paired.value == pytest.approx(found.value - entry["value"], abs=1e-6)
    differences = SampleLikelihood().values(subject) - yardstick.values(subject)
    assert paired.standard_error == pytest.approx(abs(differences[0] - differences[1]) / 2, abs=1e-9)
    assert above.recorded(paired)["kind"] == "lower_bound"
    assert all(one.applies(subject) for one in (SampleLikelihood(), yardstick, above))
    vectors = Subject(None, flows.create("planar", depth=1), {"test": (np.zeros((2, 2)), None)})
    assert not any(one.applies(vectors) for one in (SampleLikelihood(), yardstick, above))
