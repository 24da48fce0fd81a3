"""The report names the layer that does not invert, and its estimates are those of known maps."""

import numpy as np
import pytest
from PIL import Image

import flowzoo
from flowzoo import bijectors as b
from flowzoo.flows import Flow
from tests import cases


@pytest.mark.parametrize("name", ["glow-classes", "maf", "iaf-condition", "nsf-coupling"])
def test_sound_flows_invert_in_every_layer(name):
    flow, (x, condition) = cases.flow(name), cases.flow_data(name)
    report = flowzoo.diagnose(flow, x, condition)
    assert report.non_finite_rate == 0 and report.reconstruction_error < 1e-4 and report.log_det_error < 1e-3
    assert max(layer.reconstruction_error for layer in report.layers) == report.worst.reconstruction_error < 1e-4
    assert all(layer.encode_lipschitz > 0 and layer.decode_lipschitz > 0 for layer in report.layers)
    if name == "glow-classes":
        names = [layer.name for layer in report.layers]
        assert names[0] == "transforms/1 Scale" and "transforms/2/levels/1/transforms/3 AffineCoupling" in names


def test_stretches_are_singular_values():
    linear = b.InvertibleLinear((3,), seed=1)
    linear.log_scale.assign([1.0, 0.0, -1.0])
    flow = Flow(b.Chain([b.Scale((3,), 3.0), linear]))
    scale, mixed = flowzoo.diagnose(flow, np.random.default_rng(0).normal(size=(16, 3)).astype("float32")).layers
    assert (scale.encode_lipschitz, scale.decode_lipschitz) == pytest.approx((3.0, 1 / 3), rel=1e-5)
    matrix = linear.encode(np.eye(3, dtype="float32"))[0].numpy()
    values = np.linalg.svd(matrix, compute_uv=False)
    assert (mixed.encode_lipschitz, mixed.decode_lipschitz) == pytest.approx((values[0], 1 / values[-1]), rel=0.01)


@pytest.mark.parametrize("error", [1.01, np.nan])
def test_the_worst_layer_is_named(error, monkeypatch, tmp_path):
    flow, x = cases.new_flow("realnvp"), cases.flow_data("realnvp", 16)[0]
    broken = flow.transform.transforms[2]  # an ActNorm
    decode = broken.decode
    monkeypatch.setattr(broken, "decode", lambda *args: (decode(*args)[0] * error, decode(*args)[1]))
    report = flowzoo.diagnose(flow, x)
    assert report.worst.name == "transforms/2 ActNorm" and str(report).endswith("worst: transforms/2 ActNorm")
    assert not report.reconstruction_error < 1e-3
    assert report.worst.non_finite_rate == np.isnan(error)
    assert "encode" not in vars(flow.transform.transforms[0])  # it leaves the flow as it was
    assert Image.open(report.plot(tmp_path / "report.png")).size[0] > 100


def test_what_does_not_suit_the_flow_is_named():
    with pytest.raises(ValueError, match=r"`x` must have shape \(batch, 2\)"):
        flowzoo.diagnose(cases.flow("realnvp"), np.zeros((4, 3), "float32"))
