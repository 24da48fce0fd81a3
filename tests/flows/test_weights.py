"""Where the weights lie in a checkpoint."""

import pytest
import tensorflow as tf

from flowzoo import bijectors
from flowzoo.errors import CheckpointError
from flowzoo.flows import Flow, create
from flowzoo.flows.weights import flow_layout


def test_paths_are_those_of_the_layers_not_of_the_views():
    layout = flow_layout(create("glow", image_shape=(4, 4, 1), levels=1, depth=1, hidden=4))
    assert {path.split("/")[0] for path in layout} == {"layers", "vars"}  # where Keras puts those of any model


def test_a_deeper_checkpoint_is_refused(tmp_path):
    path = str(tmp_path / "deep.weights.h5")
    create("realnvp", event_shape=(2,), depth=3, hidden=4).save_weights(path)
    with pytest.raises(CheckpointError, match="extra"):
        create("realnvp", event_shape=(2,), depth=2, hidden=4).load_weights(path)


def test_a_compiled_flow_saves_weights_that_a_new_one_takes(tmp_path):
    path, flow = str(tmp_path / "a.weights.h5"), create("realnvp", event_shape=(2,), depth=2, hidden=4)
    flow.fit([[0.0, 1.0]] * tf.ones([8, 1]), verbose=0)
    flow.save_weights(path)
    create("realnvp", event_shape=(2,), depth=2, hidden=4, seed=1).load_weights(path)


def test_nested_chains_are_taken_apart():
    shape = (2, 2, 1)
    first = bijectors.Chain([bijectors.UniformDequantization(shape), bijectors.Logit(shape)])
    flow = Flow(bijectors.Chain([first, bijectors.ActNorm(shape)]))
    assert flow.bits == 8
    assert [type(part).__name__ for part in flow.bijection.transforms] == ["Logit", "ActNorm"]
