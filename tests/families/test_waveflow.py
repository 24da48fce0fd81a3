import numpy as np
import pytest

from flowzoo import flows
from flowzoo.testing import randomized

MEL = {"shape": [2, 3], "modality": "mel"}
TINY = {"height": 4, "depth": 2, "hidden": 4, "blocks": 2, "rate": 8000}


@pytest.fixture(scope="module")
def flow():
    return randomized(flows.create("waveflow", event_shape=(16,), condition=MEL, **TINY), 0.1)


@pytest.fixture(scope="module")
def data():
    numbers = np.random.default_rng(0)
    x = (numbers.normal(size=(3, 16)) * 900).astype(np.int16)
    return x, numbers.normal(size=(3, 2, 3)).astype("float32")


def test_audio_of_16_bits_is_its_data(flow, data):
    x, mel = data
    space = flow.x_space
    assert (space.modality, space.rate, space.dtype, space.lowest) == ("audio", 8000, "int16", -32768)
    assert flow.sample(3, mel, seed=1).dtype == np.int16
    z, _ = flow.encode(x, mel)
    np.testing.assert_array_equal(flow.decode(z, mel)[0], x)
    with pytest.raises(TypeError, match=r"must hold integers -32768 ... 32767 .*native samples, e.g. int16"):
        flow.log_prob(x / 32768.0, mel)
    with pytest.raises(ValueError, match=r"must hold integers -32768 ... 32767, got values from .* to 40000"):
        flow.log_prob(np.full((3, 16), 40000), mel)


def test_the_same_weights_serve_another_length(flow, data):
    x, mel = data
    longer = flow.of_length(32)
    assert longer.event_shape == (32,) and longer.condition.spaces["condition"].shape == (4, 3)
    assert longer.get_config()["event_shape"] == [32] and longer.x_space.rate == 8000
    assert int(longer.adapted) == int(flow.adapted)
    back = longer.of_length(16)
    np.testing.assert_array_equal(back.log_prob(x, mel), flow.log_prob(x, mel))
    wide = np.concatenate([mel, mel], axis=1)
    assert longer.sample(3, wide, seed=0).shape == (3, 32)
    with pytest.raises(ValueError, match="`samples` must be a multiple of 8, one frame, got 20"):
        flow.of_length(20)
    with pytest.raises(ValueError, match="`height` must divide"):
        flows.create("waveflow", event_shape=(16,), classes=2, **TINY).of_length(18)
    vectors = flows.create("waveflow", event_shape=(16,), bits=0, **TINY)
    with pytest.raises(ValueError, match="`standardize` and `bounds` must be left out for another length"):
        vectors.of_length(32)


def test_it_is_folded_by_a_height_that_divides_it():
    with pytest.raises(ValueError, match="`height` must divide the 18 samples of an event, got 4"):
        flows.create("waveflow", event_shape=(18,), **TINY)
