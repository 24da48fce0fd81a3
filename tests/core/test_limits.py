"""A flow of too many weights is refused in words before they are made, whatever family and option it is for."""

import keras
import pytest

from flowzoo import bijectors, flows
from flowzoo.core import limits
from flowzoo.core.errors import PresetError
from flowzoo.hub.presets import read_preset
from flowzoo.record.preset import Preset
from flowzoo.training.model import build
from tests import cases
from tests.record import records

MOST = r"at most [\d,]+ weights, got [\d,]+ with the next, of shape"
FIRST = {family: name for name, (family, _) in reversed(cases.FLOWS.items())}  # a row of each family


@pytest.mark.parametrize("name", FIRST.values())
def test_every_weight_counts_once(name, monkeypatch):
    family, config = cases.FLOWS[name]
    count = cases.flow(name).count_params() - 1  # the flag `adapted` does not count
    monkeypatch.setattr(limits, "WEIGHTS", count)
    flow = flows.create(family, **config)
    monkeypatch.setattr(limits, "WEIGHTS", count - 1)
    with pytest.raises(ValueError, match=MOST):
        flows.create(family, **config)
    with pytest.raises(ValueError, match=MOST):
        type(flow).from_config(flow.get_config())


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("realnvp", {"event_shape": (2**17,), "hidden": 2**14}),
        ("maf", {"event_shape": (2**17,), "hidden": 2**14}),  # whose masks are as large
        ("maf", {"event_shape": (2**17,), "whiten": True}),  # features times features, in float64
        ("glow", {"event_shape": (2**17,), "bits": 0}),
        ("glow", {"event_shape": (1024, 1024, 1), "levels": 1, "hidden": 2**14, "position": True}),
        ("ffjord", {"event_shape": (2**17,), "hidden": 2**14}),
    ],
)
def test_a_config_within_each_limit_but_not_in_product_is_refused(family, config):
    with pytest.raises(ValueError, match=MOST):
        flows.create(family, **config)
    record = records.untrained() | {"family": family, "config": config | {"event_shape": list(config["event_shape"])}}
    with pytest.raises(PresetError, match=rf"refuses `config`: .*{MOST}"):
        build(Preset.from_dict(record))


def test_the_weights_of_a_preset_count_together(monkeypatch):
    preset = read_preset("planar-rezende-u1")
    count = build(preset).count_params() - 1
    monkeypatch.setattr(limits, "WEIGHTS", count - 1)
    with pytest.raises(PresetError, match=MOST):
        build(preset)


def test_what_is_made_outside_a_flow_counts_by_itself(monkeypatch):
    monkeypatch.setattr(limits, "WEIGHTS", 12)
    for _ in range(3):
        bijectors.ActNorm((3,))
    with pytest.raises(ValueError, match=MOST):
        bijectors.CayleyOrthogonal((4,))
    with limits.counting(), pytest.raises(ValueError, match="got 15 with the next"):
        for _ in range(3):
            bijectors.ActNorm((3,))
    assert isinstance(bijectors.ActNorm((3,)).shift, keras.Variable)
