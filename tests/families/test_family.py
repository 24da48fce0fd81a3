"""A wrong option is refused by its own name, alike in every family that has it, before anything is built."""

import re

import numpy as np
import pytest

from flowzoo.families import FAMILIES, create
from flowzoo.families.options import fields
from tests import cases

WRONG = [  # options, and the error
    ({"classes": -1}, "`classes` must be a whole number >= 0, got -1"),
    ({"classes": 2.0}, "`classes` must be a whole number >= 0, got 2.0"),
    ({"condition_features": -1}, "`condition_features` must be a whole number >= 0, got -1"),
    *(({"alpha": bad}, f"`alpha` must be a finite number >= 0 and < 0.5, got {bad!r}") for bad in ("x", -1, 0.7)),
    ({"alpha": "x", "bits": 8}, "`alpha` must be a finite number >= 0 and < 0.5, got 'x'"),
    *(({name: 4.5}, f"`{name}` must be a whole number >= [12], got 4.5") for name in ("components", "depth")),
    *(({name: "8"}, f"`{name}` must be a whole number >= 1, got '8'") for name in ("components", "levels")),
    *(({"bins": value}, f"`bins` must be a whole number >= [02], got {value!r}") for value in (4.5, "8", -1)),
    *(
        ({name: bad}, rf"`{name}` must be a finite number > 0 and < 1000000\.0, got {re.escape(repr(bad))}")
        for name in ("bound", "growth")
        for bad in ("x", 0, 1e39)  # the last is infinite in float32
    ),
    *(({"seed": bad}, f"`seed` must be a whole number >= 0, got {bad!r}") for bad in (1.5, -1, "a")),
    ({"conditioner_dtype": "float8"}, "`conditioner_dtype` must be a dtype policy, such as 'float32' .*, got 'float8'"),
    ({"dtype": "float16"}, "`dtype` must be 'float32' or 'float64', got 'float16'"),
    (
        {"event_shape": (4, 4, 1), "bits": 1, "dtype": "float64"},
        "`dtype` must be 'float32' for integers, got 'float64'",
    ),
    *(({name: 10**7}, f"`{name}` must be at most .*, got 10000000") for name in ("depth", "hidden", "levels", "bits")),
    ({"seed": 2**30}, "`seed` must be at most 536,870,911, got 1073741824"),  # the same weights as 0
    ({"event_shape": (10**5, 10**5)}, r"`event_shape` must have at most 16,777,216 entries, got \(100000, 100000\)"),
    ({"event_shape": (0,)}, r"`event_shape` must be a tuple of whole numbers >= 1, got \(0,\)"),
    ({"position": 1}, "`position` must be True or False, got 1"),
]


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_named(family):
    known = fields(FAMILIES[family].Options)
    for options, message in WRONG:
        if options.keys() <= known.keys():
            with pytest.raises(ValueError, match=message):
                create(family, **options)


def test_numbers_of_numpy_are_kept_as_those_of_python():
    flow = create("planar", event_shape=np.array([2]), depth=np.int64(1), seed=np.uint8(3))
    config = flow.get_config()
    assert config["event_shape"] == [2] and type(config["event_shape"][0]) is int
    assert type(config["depth"]) is int and type(config["seed"]) is int


@pytest.mark.parametrize("seed", [1.5, "a", -1, True, 2**32])  # the last would be the same as 0
def test_a_seed_of_noise_is_a_whole_number(seed):
    got = re.escape(repr(seed))
    with pytest.raises(ValueError, match=f"`seed` must be a whole number from 0 to 4294967295, got {got}"):
        cases.flow("planar").log_prob(np.zeros((1, 2), "float32"), seed=seed)
