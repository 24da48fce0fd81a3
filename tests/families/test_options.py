"""A family's options are the one source of its signature, docs, configuration and descriptions."""

import inspect
from pathlib import Path

import pytest

from flowzoo.cards.options_page import PAGE, options_page
from flowzoo.families import FAMILIES
from flowzoo.families.options import Options, fields
from flowzoo.families.values import Count, Number, OneOf
from tests import cases

ROOT = Path(__file__).parents[2]
SHARED = [
    "base",
    "classes",
    "condition_features",
    "conditioner_dtype",
    "seed",
    "dtype",
    "standardize",
    "bounds",
    "condition",
    "name",
]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_constructor_is_that_of_the_options(family):
    kind = FAMILIES[family]
    parameters = inspect.signature(kind).parameters
    assert [*parameters] == [*fields(kind.Options), "name"] and next(iter(parameters)) == "event_shape"
    assert [name for name in parameters if name in SHARED] == [name for name in SHARED if name in parameters]
    assert [*parameters][-4:] == SHARED[-4:]
    for name, field in fields(kind.Options).items():
        assert parameters[name].default == field.default
        assert (
            f"\n  {name}: {field.metadata['doc'].split()[0]}" in kind.__doc__ and kind.__doc__.count("\nArgs:\n") == 1
        )
    assert "\nReference" in kind.__doc__.partition("\nArgs:\n")[2]


def test_positions_are_those_of_the_signature():
    kind = FAMILIES["planar"]
    flow = kind((3,), 2)
    assert flow.get_config() == kind(event_shape=(3,), depth=2, name=flow.name).get_config()
    with pytest.raises(TypeError, match="too many positional arguments"):
        kind(*range(40))


def test_a_flow_has_no_signature_of_its_family():
    flow = cases.flow("planar")
    assert "x" in inspect.signature(flow.call).parameters and not hasattr(flow, "__signature__")


def test_the_page_of_options_is_up_to_date():
    assert (ROOT / PAGE).read_text(encoding="utf-8") == options_page(), "run `python tools/make_cards.py`"


def test_values_say_what_they_are():
    assert [str(value) for value in (Count(2, 1000), Count(0, None), Number(), Number(0.5, zero=True))] == [
        "2 to 1,000",
        ">= 0",
        "> 0",
        ">= 0, < 0.5",
    ]
    assert str(OneOf(("a", "b"))) == "'a' or 'b'" and str(OneOf(("a", "b", "c"))) == "one of ['a', 'b', 'c']"


def test_a_family_without_its_two_methods_says_so():
    with pytest.raises(NotImplementedError, match="Options must have `build`"):
        Options().build()
    with pytest.raises(NotImplementedError, match="Options must have `describe`"):
        Options().describe()
