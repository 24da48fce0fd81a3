"""Switches of a flow: seen by the next step even after Keras has traced one; bad values are named."""

import keras
import pytest

from flowzoo.models.flow import Flow
from flowzoo.models.raw import Raw
from tests import cases


def test_a_switch_is_seen_after_the_first_fit(monkeypatch):
    traced, found = [], Raw.objective
    for name in ("objective", "objective_xla"):

        def noted(raw, *args, name=name):
            traced.append((name, args[4]))
            return found(raw, *args)

        monkeypatch.setattr(Raw, name, noted)
    model, x = cases.new_flow("realnvp"), cases.flow_data("realnvp", 8)[0]
    model.adapt(x)
    model.compile(keras.optimizers.SGD(0.1))

    def seen(action=model.fit, **options):
        traced.clear()
        action(x, batch_size=8, verbose=0, **options)
        return set(traced)

    assert ("objective", "store") in seen()
    model.backprop = "remat"
    assert ("objective", "remat") in seen()
    assert seen(model.evaluate) == seen(model.predict) == {("objective", "store")}
    model.xla = True
    assert seen(model.evaluate) == seen(model.predict) == {("objective_xla", "store")}
    model.xla, model.accumulate = False, 3
    with pytest.raises(ValueError, match="`accumulate` = 3 must divide the rows"):
        model.fit(x, batch_size=8, verbose=0)

    class Change(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.backprop = "reversible"

    model.accumulate = 2
    assert ("objective", "reversible") in seen(epochs=2, callbacks=[Change()])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("xla", 1, "`xla` must be True or False, got 1"),
        ("backprop", "less", r"`backprop` must be one of \['store', 'remat', 'reversible'\], got 'less'"),
        ("accumulate", 0, "`accumulate` must be a whole number >= 1, got 0"),
        ("accumulate", 2.5, "`accumulate` must be a whole number >= 1, got 2.5"),
        ("accumulate", True, "`accumulate` must be a whole number >= 1, got True"),
    ],
)
def test_bad_values_are_named_and_change_nothing(name, value, message):
    model = cases.new_flow("realnvp")
    with pytest.raises(ValueError, match=message):
        setattr(model, name, value)
    assert getattr(model, name) == getattr(Flow, name) and name not in model.get_config()
