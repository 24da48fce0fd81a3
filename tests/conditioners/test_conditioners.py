import inspect

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.conditioners import MLP, GlowConvNet, ResidualConvNet

NETS = {
    "mlp": lambda features=0, **options: MLP(3, 4, [8, 8], features, **options),
    "glow": lambda features=0, **options: GlowConvNet((4, 6, 3), 5, 8, features, **options),
    "residual": lambda features=0, **options: ResidualConvNet((4, 6, 3), 5, 8, features, blocks=2, **options),
}


def _input(net, rows=2):
    return np.random.default_rng(0).normal(size=(rows, *net.input_event_shape)).astype("float32")


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("features", [0, 2])
def test_is_built_by_its_constructor_and_starts_at_zero(name, features):
    net = NETS[name](features)
    weights = len(net.weights)
    condition = np.ones((2, features), "float32") if features else None
    output = net(_input(net), condition)
    assert len(net.weights) == weights > 0
    assert output.shape == (2, *net.output_event_shape) and (output.numpy() == 0).all()


@pytest.mark.parametrize("name", NETS)
def test_seed_fixes_the_weights(name):
    one, same, other = (NETS[name](seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    kernels = [weight for weight in one if weight.ndim > 1 and weight.any()]
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels)  # no two layers alike


@pytest.mark.parametrize("name", ["glow", "residual"])
def test_position_adds_a_bias_per_pixel(name):
    plain, placed = NETS[name](), NETS[name](position=True)
    assert placed.count_params() == plain.count_params() + 4 * 6 * 8


@pytest.mark.parametrize("kind", [GlowConvNet, ResidualConvNet])
def test_keywords_are_in_the_signature(kind):
    parameters = inspect.signature(kind).parameters
    assert {"position", "seed", "dtype", "name"} <= set(parameters)
    assert kind((4, 4, 1), 1, 4, name="net").name == "net"


def test_an_image_condition_is_resized():
    net = NETS["glow"](2)
    net.head.kernel.assign(tf.ones_like(net.head.kernel))
    images = np.random.default_rng(1).normal(size=(2, 8, 12, 2)).astype("float32")
    one, other = net(_input(net), images), net(_input(net), images + 1.0)
    assert one.shape == (2, 4, 6, 5) and not np.allclose(one, other)


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match="takes no condition, got one"):
        NETS["mlp"]()(np.zeros((2, 3), "float32"), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="must have 2 features per example, got None"):
        NETS["mlp"](2)(np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match=r"must have shape \(batch, 2\), got \(2, 5\)"):
        NETS["mlp"](2)(np.zeros((2, 3), "float32"), np.zeros((2, 5)))
