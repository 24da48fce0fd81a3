"""A step that is not finite: stopped before it harms the weights, explained, its batch kept."""

import json

import numpy as np
import pytest
import tensorflow as tf

from flowzoo import flows, training
from flowzoo.bijectors import ActNorm
from flowzoo.training import callbacks, forensics, state
from tests.training import toy


def failed(tmp_path, match, **options):
    """The error of a training that must fail, the report, and the batch."""
    with pytest.raises(training.NonFiniteLoss, match=match) as error:
        training.run(toy.preset(toy.CIRCLE), tmp_path, **options)
    path = tmp_path / "nonfinite" / f"step-{error.value.step:09d}.npz"
    assert str(path) in str(error.value) and "last state written is still good" in str(error.value)
    with np.load(path) as file:
        return json.loads(path.with_suffix(".json").read_text()), dict(file)


def spoil(monkeypatch, step, change):
    count = callbacks.Count.on_train_batch_end

    def spoiling(callback, batch, logs=None):
        count(callback, batch, logs)
        if callback.progress.step == step:
            change(callback.model)

    monkeypatch.setattr(callbacks.Count, "on_train_batch_end", spoiling)


def test_a_bad_batch(circle, tmp_path, monkeypatch):
    seen, examine = [], forensics.examine
    monkeypatch.setattr(forensics, "examine", lambda flow, *_: seen.append(flow.get_weights()) or examine(flow, *_))
    circle.changed = staticmethod(lambda step, x: np.where(np.arange(8)[:, None] == 2, np.nan, x) if step == 7 else x)
    message = r"loss is nan at step 8: .*transforms/0 Permutation, encode, value"
    report, batch = failed(tmp_path, message, save_minutes=0.0)
    assert (report["transform"], report["direction"], report["what"]) == ("transforms/0 Permutation", "encode", "value")
    assert (report["rows"], report["step"], report["seed"], report["weights"]) == ([2], 8, 3, [])
    expected = circle(None, training.Recipe.from_dict(toy.TRAINING))._points(7, 8)
    np.testing.assert_array_equal(np.delete(batch["x"], 2, axis=0), np.delete(expected, 2, axis=0))
    assert (batch["step"], batch["seed"]) == (8, 3) and "condition" not in batch
    good = state.unpack("model", state.load(tmp_path / "state")[0])  # of step 7: the bad step changed nothing
    for got, saved in zip(seen[0], good, strict=True):
        np.testing.assert_array_equal(got, saved)


def test_an_infinite_weight(circle, tmp_path, monkeypatch):
    spoil(monkeypatch, 4, lambda flow: flow.transform.transforms[3].log_scale.assign([0.0, np.inf]))
    report, _ = failed(tmp_path, r"at step 5: first not finite: transforms/3 ActNorm")
    assert report["transform"] == "transforms/3 ActNorm" and len(report["rows"]) == 8
    assert report["weights"] == ["transforms/3/log_scale"]


def test_an_overflow_in_the_gradient_only(circle, tmp_path, monkeypatch):
    encode = ActNorm._encode

    def kinked(layer, x, condition):  # the root of 0 is 0, its slope infinite
        z, log_det = encode(layer, x, condition)
        return z, log_det + tf.sqrt(tf.abs(x[:, 0] * layer.shift[0]))

    monkeypatch.setattr(ActNorm, "_encode", kinked)
    circle.changed = staticmethod(lambda step, x: x * np.float32(step != 5))
    report, _ = failed(
        tmp_path, r"A gradient is not finite at step 6: .*, backward of encode, gradient of transforms/1/shift, "
    )
    assert report["transform"] == "transforms/1 ActNorm" and np.isfinite(float(report["loss"]))


def test_an_overflow_in_the_base(circle, tmp_path):
    circle.changed = staticmethod(lambda step, x: x * np.float32(1e25 if step == 5 else 1))
    report, _ = failed(tmp_path, "The loss is inf at step 6")
    assert (report["transform"], report["what"]) == ("base StandardNormal", "log_prob")


def test_the_path_leads_to_the_transform():
    flow = flows.create("glow", event_shape=[4, 4, 3], bits=8, levels=2, depth=2, hidden=4, classes=3, noise_depth=1)
    flow.compile()
    x, labels = np.zeros([2, 4, 4, 3], np.uint8), np.array([0, 2])
    assert forensics.examine(flow, x, labels, 1).transform is None
    guilty = flow.transform.transforms[2].levels[1].transforms[3]
    guilty.conditioner.head.bias.assign(np.full(guilty.conditioner.head.bias.shape, np.nan))
    found = forensics.examine(flow, x, labels, 1)
    assert (found.transform, found.what) == ("transforms/2/levels/1/transforms/3 AffineCoupling", "value")
    expected = f"first not finite: {found.transform}, encode, value, 2 examples; weights that were not finite before: "
    assert str(found) == expected + "transforms/2/levels/1/transforms/3/conditioner/head/bias"
    noise = flow.transform.transforms[0].noise.transforms[0]
    noise.conditioner.head.bias.assign(np.full(noise.conditioner.head.bias.shape, np.nan))
    found = forensics.examine(flow, x, labels, 1)
    assert (found.transform, found.direction) == ("transforms/0/noise/transforms/0 AffineCoupling", "decode")
    assert "encode" not in vars(guilty) and "log_prob" not in vars(flow.base)


def test_bad_rows_of_a_large_batch_are_examined_in_parts_and_named(monkeypatch):
    encode = ActNorm._encode

    def kinked(layer, x, condition):  # the root of 0 is 0, its slope infinite
        assert len(x) <= forensics.ROWS
        z, log_det = encode(layer, x, condition)
        return z, log_det + (tf.sqrt(tf.abs(x[:, 0])) if layer is first else 0.0)

    flow = flows.RealNVP([2], depth=2, hidden=4)
    flow.compile()
    first = flow.transform.transforms[1]
    x = np.random.default_rng(0).normal(size=[20, 2]).astype("float32")
    expected = float(-tf.reduce_mean(flow.log_prob(x))) / flow.dims
    assert forensics.examine(flow, x, None, 1).loss == pytest.approx(expected, rel=1e-5)
    monkeypatch.setattr(ActNorm, "_encode", kinked)
    x[[10, 18], 0] = 0.0
    found = forensics.examine(flow, x, None, 1)
    assert (found.transform, found.direction) == ("transforms/1 ActNorm", "backward of encode")
    assert (found.what, found.rows) == ("gradient of its input", [10, 18])
    x[[9, 15, 17], 1] = np.nan
    x[3] = 1e25  # overflows later, in the base
    found = forensics.examine(flow, x, None, 1)
    assert (found.transform, found.direction, found.what) == ("transforms/0 Permutation", "encode", "value")
    assert found.rows == [9, 15, 17] and np.isnan(found.loss)


def test_a_failing_second_pass_still_leaves_the_batch(circle, tmp_path, monkeypatch):
    def exhausted(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    monkeypatch.setattr(forensics, "examine", exhausted)
    circle.changed = staticmethod(lambda step, x: x * np.float32("nan"))
    with pytest.raises(training.NonFiniteLoss, match=r"not finite at step 1: the second pass failed .*no memory"):
        training.run(toy.preset(toy.CIRCLE), tmp_path)
    assert (tmp_path / "nonfinite" / "step-000000001.npz").exists()


def test_other_errors_stay_what_they_are(circle, tmp_path, monkeypatch):
    def broken(_):
        raise tf.errors.InvalidArgumentError(None, None, "something else")

    spoil(monkeypatch, 2, broken)
    with pytest.raises(tf.errors.InvalidArgumentError, match="something else"):
        training.run(toy.preset(toy.CIRCLE), tmp_path)
    assert not (tmp_path / "nonfinite").exists()
