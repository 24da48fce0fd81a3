"""The report names the layer that does not invert, and its estimates are those of known maps."""

import sys

import numpy as np
import pytest
from PIL import Image

import flowzoo
from flowzoo import bijectors as b
from flowzoo.measure.diagnose import LayerReport, Report
from flowzoo.models.flow import Flow
from flowzoo.surjections import UniformDequantization
from tests import cases


@pytest.mark.parametrize(
    "name", ["glow-classes", "maf-mog-classes", "iaf-condition", "nsf-coupling-condition", "planar-classes"]
)
def test_sound_flows_invert_in_every_layer(name, monkeypatch):
    monkeypatch.setattr(sys.modules[Report.__module__], "ITERATIONS", 2)  # stretches are tested below
    flow, (x, condition) = cases.flow(name), cases.flow_data(name)
    report = flowzoo.diagnose(flow, x, condition)
    whole = report.whole
    assert whole.non_finite_rate == 0 and whole.reconstruction_error < 1e-4 and whole.log_det_error < 1e-3
    assert max(layer.reconstruction_error for layer in report.layers) == report.worst.reconstruction_error < 1e-4
    assert all(layer.encode_lipschitz > 0 and layer.decode_lipschitz > 0 for layer in (*report.layers, whole))
    if name == "glow-classes":
        names = [layer.name for layer in report.layers]
        assert names[0] == "transforms/1 Scale" and "transforms/2/levels/1/transforms/3 AffineCoupling" in names


def test_stretches_are_singular_values():
    linear = b.InvertibleLinear((3,), seed=1)
    linear.log_scale.assign([1.0, 0.0, -1.0])
    flow = Flow(b.Chain([b.Scale((3,), 3.0), linear]))
    report = flowzoo.diagnose(flow, np.random.default_rng(0).normal(size=(16, 3)).astype("float32"))
    scale, mixed = report.layers
    assert (scale.encode_lipschitz, scale.decode_lipschitz) == pytest.approx((3.0, 1 / 3), rel=1e-5)
    matrix = linear.encode(np.eye(3, dtype="float32"))[0].numpy()
    values = np.linalg.svd(matrix, compute_uv=False)
    assert (mixed.encode_lipschitz, mixed.decode_lipschitz) == pytest.approx((values[0], 1 / values[-1]), rel=0.01)
    assert report.whole.encode_lipschitz == pytest.approx(3 * values[0], rel=0.01)
    assert report.whole.decode_lipschitz == pytest.approx(1 / (3 * values[-1]), rel=0.01)


@pytest.mark.parametrize("error", [1.01, np.nan])
def test_the_worst_layer_is_named(error, monkeypatch, tmp_path):
    flow, x = cases.new_flow("realnvp"), cases.flow_data("realnvp", 16)[0]
    broken = flow.transform.transforms[3]  # an ActNorm
    decode = broken.decode
    monkeypatch.setattr(broken, "decode", lambda *args: (decode(*args)[0] * error, decode(*args)[1]))
    report = flowzoo.diagnose(flow, x)
    assert report.worst.name == "transforms/3 ActNorm" and str(report).endswith("worst: transforms/3 ActNorm")
    assert not report.whole.reconstruction_error < 1e-3
    assert report.worst.non_finite_rate == np.isnan(error) and ("not finite" in str(report)) == np.isnan(error)
    assert "encode" not in vars(flow.transform.transforms[0])  # it leaves the flow as it was
    assert Image.open(report.plot(tmp_path / "report.png")).size[0] > 100


def test_a_wrong_log_det_is_seen(monkeypatch):
    flow, x = cases.new_flow("realnvp"), cases.flow_data("realnvp", 16)[0]
    wrong = flow.transform.transforms[1]
    decode = wrong.decode
    monkeypatch.setattr(wrong, "decode", lambda *args: (decode(*args)[0], decode(*args)[1] + 0.5))
    report = flowzoo.diagnose(flow, x)
    assert [layer.log_det_error > 0.4 for layer in report.layers] == [False, True, False, False, False]
    assert report.whole.log_det_error == pytest.approx(0.5, abs=1e-3)


def test_a_name_is_no_flow():
    with pytest.raises(TypeError, match=r"`flow` must be a Flow, such as `flowzoo\.load\(name\)` gives, got str"):
        flowzoo.diagnose("maf", np.zeros((4, 2), "float32"))


@pytest.mark.parametrize(
    ("name", "x", "condition", "message"),
    [
        ("realnvp", np.zeros((4, 3), "float32"), None, r"`x` must have shape \(batch, 2\)"),
        ("realnvp", np.full((4, 2), np.nan, "float32"), None, "`x` must be finite, got NaN .* in 4 of 4 rows"),
        ("realnvp", np.zeros((0, 2), "float32"), None, "`x` must hold some examples, got none"),
        ("realnvp-condition", np.zeros((4, 2), "float32"), None, r"`condition` must be \(4, 3\) numbers, got None"),
        ("glow", np.full((1, 4, 4, 1), 256), None, "integers 0 ... 255"),
    ],
)
def test_what_does_not_suit_the_flow_is_named(name, x, condition, message):
    with pytest.raises(ValueError, match=message):
        flowzoo.diagnose(cases.flow(name), x, condition)


def test_a_flow_without_exact_layers_is_refused():
    with pytest.raises(ValueError, match="no exact layer"):
        flowzoo.diagnose(Flow(UniformDequantization((2,))), np.zeros((4, 2), "uint8"))


def test_a_figure_that_can_not_be_written(tmp_path):
    report = Report((LayerReport("a", 0.0, 0.0, 1.0, 1.0, 0.0),), LayerReport("all", 0.0, 0.0, 1.0, 1.0, 0.0))
    with pytest.raises(ValueError, match=r"`path` must end in \.png, got 'report\.xyz'"):
        report.plot("report.xyz")
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        report.plot(tmp_path / "file" / "report.png")
    assert report.plot(tmp_path / "new" / "report.png").exists()  # of errors that are all 0, too


def test_a_standardised_flow_is_examined_in_float64_as_far_as_it_is():
    report = flowzoo.diagnose(cases.flow("maf"), 1e3 + cases.flow_data("maf")[0].astype("float64"))
    assert report.layers[0].name.endswith("Standardize") and report.layers[0].reconstruction_error < 1e-12
    assert 1e-9 < report.layers[-1].reconstruction_error < 1e-2
