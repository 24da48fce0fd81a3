import numpy as np
import pytest
import tensorflow as tf

from flowzoo.bijectors import (
    Chain,
    Continuous,
    Invert,
    Multiscale,
    Reverse,
    Squeeze,
)
from flowzoo.conditioners import Velocity
from flowzoo.core import random
from flowzoo.core.transform import Transform, weakest_kind
from flowzoo.models.flow import Flow
from flowzoo.surjections import Augment, UniformDequantization
from tests import cases


class Noise(Transform):
    """z = x + u with u ~ U[0, 1); decode takes the mean of u away."""

    kind = "lower_bound"
    draws = frozenset({"encode"})
    invertible = False
    takes_context = True

    def _encode(self, x, condition, context):
        return x + tf.cast(random.uniform(context.streams, self.event_shape), x.dtype), tf.zeros(
            tf.shape(x)[:1], x.dtype
        )

    def _decode(self, z, condition, context):
        return z - 0.5, tf.zeros(tf.shape(z)[:1], z.dtype)


class Inside(Reverse):
    """Takes a part of space only, and loses digits at its ends."""

    bounded = True
    reversible = False


class Holder(Transform):
    """Encodes by a transform that it does not give as a part."""

    def __init__(self, inner):
        super().__init__(inner.event_shape)
        self.inner = inner

    def _encode(self, x, condition):
        return self.inner.encode(x, condition)


def test_parts_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"Reverse must take what Squeeze gives: expected event_shape \(2, 2, 8\)"):
        Chain([Squeeze((4, 4, 2)), Reverse((4, 4, 2))])
    with pytest.raises(ValueError, match=r"expected event_shape \(4, 4, 1\), got \(4, 4, 2\)"):
        Multiscale([Reverse((4, 4, 2)), Reverse((4, 4, 2))])
    for kind in (Chain, Multiscale):
        with pytest.raises(ValueError, match="at least one"):
            kind([])


def test_parts_must_be_transforms_of_one_dtype():
    for kind, what in ((Chain, "transforms"), (Multiscale, "levels")):
        with pytest.raises(TypeError, match=f"`{what}` must hold flowzoo Transforms, got int"):
            kind([3])
        with pytest.raises(TypeError, match=f"`{what}` must all be of one dtype, got float32, float64"):
            kind([Reverse((4, 4, 2)), Reverse((4, 4, 2), dtype="float64")])
    with pytest.raises(TypeError, match="Invert expected a Bijector, got int"):
        Invert(3)


def test_a_chain_is_as_weak_as_its_weakest_part():
    chain = Chain([UniformDequantization((2,)), Reverse((2,))])
    assert chain.kind == "lower_bound" and chain.draws == {"encode"} and chain.takes_integers
    assert weakest_kind(["exact", "estimate"]) == "estimate" and weakest_kind([]) == "exact"
    with pytest.raises(TypeError, match="expected an exact bijection, got Chain of kind 'lower_bound'"):
        Invert(chain)


def _estimated(shape):
    return Continuous(Velocity(shape, [4]), exact_up_to=0)


def test_multiscale_is_as_weak_as_its_weakest_level():
    levels = Multiscale([Chain([Squeeze((4, 4, 1)), _estimated((2, 2, 4))]), Reverse((2, 2, 2))])
    assert levels.kind == Chain([levels]).kind == Flow(levels).kind == "estimate"
    with pytest.raises(TypeError, match="expected an exact bijection, got Multiscale of kind 'estimate'"):
        Invert(levels)


def test_multiscale_draws_what_its_levels_draw():
    levels, x = Multiscale([Noise((2, 2, 2)), Noise((2, 2, 1))]), tf.zeros([3, 2, 2, 2])
    assert (levels.kind, levels.draws, levels.invertible) == ("lower_bound", {"encode"}, False)
    flow = Flow(Chain([levels, Reverse((8,))]))
    one, other = (flow.encode(x, seed=seed)[0].numpy() for seed in (0, 1))
    assert (one != other).all() and len(np.unique(one[0])) == 8  # no level draws the noise of another
    np.testing.assert_array_equal(one, flow.encode(x, seed=0)[0])
    with pytest.raises(ValueError, match="Multiscale draws noise in encode: `context` must have a `root`"):
        levels.encode(x)
    assert levels.decode(tf.zeros([3, 8]))[0].shape == x.shape  # draws nothing


@pytest.mark.parametrize("name", list(cases.TRANSFORMS))
def test_the_whole_is_as_weak_as_what_it_holds(name):
    whole = cases.transform(name)
    for part in whole._flatten_layers():
        if isinstance(part, Transform):
            assert weakest_kind([whole.kind, part.kind]) == whole.kind and part.draws <= whole.draws
            assert part.invertible or not whole.invertible


def test_what_it_holds_but_does_not_say_is_refused():
    with pytest.raises(TypeError, match=r"Holder says kind 'exact', .* a Continuous of kind 'estimate'.* `parts`"):
        Flow(Holder(_estimated((3,))))
    assert Flow(Holder(Reverse((3,)))).kind == "exact"


def test_support_and_memory_of_a_composition():
    inside, line = Inside((2, 2, 1)), Reverse((2, 2, 1))
    for composed in (Chain([line, inside]), Multiscale([Chain([line, inside])])):
        assert composed.bounded and not composed.reversible and composed.manages_memory
        assert composed.invertible and not composed.draws
    assert Chain([line]).reversible and not Chain([line]).bounded
    assert not Invert(inside).bounded and not Invert(inside).reversible
    assert Augment((2,), 1).invertible  # x, whatever was drawn


def test_a_transform_is_at_least_float32():
    with pytest.raises(ValueError, match="must be float32 or float64, got 'bfloat16'"):
        Reverse((2,), dtype="bfloat16")
    with pytest.raises(NotImplementedError, match="Transform must implement `_encode`"):
        Transform((2,)).encode([[1.0, 2.0]])
