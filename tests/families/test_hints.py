"""The option that was meant is proposed, if the family has it."""

import re

import pytest

from flowzoo import flows
from tests import cases


@pytest.mark.parametrize(
    ("family", "given", "meant"),
    [
        ("nsf-coupling", {"layers": 3}, "depth"),
        ("nsf-coupling", {"units": 3}, "hidden"),
        ("nsf-ar", {"num_bins": 3}, "bins"),
        ("nsf-ar", {"tail_bound": 3}, "bound"),
        ("maf", {"hidden_features": 3}, "hidden"),
        ("maf", {"features": 3}, "event_shape"),
        ("maf", {"context_dim": 3}, "condition_features"),
        ("glow", {"num_classes": 3}, "classes"),
        ("glow", {"scales": 3}, "levels"),  # of images
        ("planar", {"blocks": 3}, "depth"),
        ("realnvp", {"dept": 3}, "depth"),
    ],
)
def test_what_was_meant_is_proposed(family, given, meant):
    with pytest.raises(TypeError, match=f"takes no {next(iter(given))!r}. Did you mean '{meant}'"):
        flows.create(family, **given)


def test_what_is_for_images_is_not_proposed_for_vectors():
    with pytest.raises(TypeError, match="takes no 'level'") as error:
        flows.create("nsf-coupling", level=3)
    assert "levels" not in str(error.value)
    with pytest.raises(TypeError, match="Did you mean 'levels'"):
        flows.create("nsf-coupling", event_shape=(4, 4, 1), bits=8, level=3)


def test_far_names_are_not_proposed():
    with pytest.raises(TypeError, match=r"takes no 'dropout'. Known: base, bits, .*depth, ") as error:
        flows.create("maf", dropout=0.1)
    assert "Did you mean" not in str(error.value)
    with pytest.raises(ValueError, match=r"must be one of \['cnf', .*\], got 'gan'\.$"):
        flows.create("gan")


def test_families_for_one_feature_are_named():
    for family, kind in flows.FAMILIES.items():
        options = cases.small(family, event_shape=(1,), depth=1, hidden=4)
        if kind.Options.least_features == 1:
            assert flows.create(family, **options).event_shape == (1,)
        else:
            with pytest.raises(ValueError, match=r"at least 2 features .* For one feature take 'cnf', .*'maf'"):
                flows.create(family, **options)


def test_families_that_are_named_for_one_feature_take_it_by_their_defaults():
    with pytest.raises(ValueError, match="For one feature take") as error:
        flows.create("realnvp", event_shape=(1,))
    named = re.findall("'(.*?)'", str(error.value))
    assert len(named) > 5
    for family in named:
        assert flows.create(family, event_shape=(1,)).event_shape == (1,)
