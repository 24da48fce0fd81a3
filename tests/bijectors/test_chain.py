import pytest

from flowzoo.bijectors import Chain, Invert, Multiscale, Reverse, Squeeze, UniformDequantization
from flowzoo.core.transform import Transform, weakest_kind


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
    assert chain.kind == "lower_bound" and chain.stochastic and chain.takes_integers
    assert weakest_kind(["exact", "estimate"]) == "estimate" and weakest_kind([]) == "exact"
    with pytest.raises(TypeError, match="expected an exact bijection, got Chain of kind 'lower_bound'"):
        Invert(chain)


def test_a_transform_is_at_least_float32():
    with pytest.raises(ValueError, match="must be float32 or float64, got 'bfloat16'"):
        Reverse((2,), dtype="bfloat16")
    with pytest.raises(NotImplementedError, match="Transform must implement `_encode`"):
        Transform((2,)).encode([[1.0, 2.0]])
