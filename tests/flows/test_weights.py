"""Where the weights lie in a checkpoint."""

from flowzoo.flows import create
from flowzoo.flows.weights import flow_layout


def test_paths_are_those_of_the_layers_not_of_the_views():
    layout = flow_layout(create("glow", image_shape=(4, 4, 1), levels=1, depth=1, hidden=4))
    assert {path.split("/")[0] for path in layout} == {"layers", "vars"}  # where Keras puts those of any model
