"""`flowzoo.testing`: the family of CONTRIBUTING.md passes, and what is wrong with others is found and said."""

import dataclasses
import importlib
import re
import shlex
from pathlib import Path

import pytest
import tensorflow as tf

from flowzoo import testing
from flowzoo.bijectors import ElementwiseAffine
from flowzoo.families.family import Family
from flowzoo.families.options import Options

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The family of CONTRIBUTING.md as a module, from which others are made that are wrong."""
    folder = tmp_path_factory.mktemp("family")
    (folder / "small.py").write_text(re.search(r"```python\n(.*?)```", TEXT, re.DOTALL).group(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("small")


def test_the_family_of_contributing_passes_by_its_command(small):
    python, option, code = shlex.split(re.search(r"^python -c .*small.*$", TEXT, re.MULTILINE).group(0))
    assert (python, option) == ("python", "-c") and "check_family(small.SmallFlow" in code
    exec(code, {})


class _WrongLogDet(ElementwiseAffine):
    def _encode(self, x, condition):
        z, log_det = super()._encode(x, condition)
        return z, 2.0 * log_det


class _Neighbourly(ElementwiseAffine):
    def _encode(self, x, condition):
        z, log_det = super()._encode(x, condition)
        return z + 0.0 * tf.reduce_sum(z), log_det


def _family(small, **changes):
    """A family that differs in some attributes of its options."""
    kind = dataclasses.dataclass(frozen=True)(type("WrongOptions", (small.SmallFlowOptions,), changes))
    return type("Wrong", (small.SmallFlow,), {"Options": kind, "__doc__": "Wrong."})


def _with(layer):
    def build(self):
        return [layer((self.features(),), dtype=self.dtype)]

    return build


@dataclasses.dataclass(frozen=True)
class AffineOptions(Options):
    """A family without networks."""

    conditional = False

    def build(self):
        return [ElementwiseAffine((self.features(),), dtype=self.dtype)]

    def describe(self):
        return "One affine map."


class Affine(Family):
    """z = exp(s) x + t."""

    Options = AffineOptions


def test_a_family_that_takes_no_condition_passes_and_refuses_one():
    testing.check_family(Affine)
    with pytest.raises(ValueError, match=r"Affine takes no condition, got \(batch,\) integer labels 0 ... 2."):
        Affine(classes=3)


@pytest.mark.parametrize(
    ("check", "changes", "message"),
    [
        ("check_jacobian", {"build": _with(_WrongLogDet)}, "log_det is not that of the Jacobian"),
        ("check_bad_rows", {"build": _with(_Neighbourly)}, "a bad row changes its neighbours"),
        ("check_condition", {"build": _with(ElementwiseAffine)}, "log_prob does not depend on the condition"),
        ("check_bfloat16", {"network_dtype": "float32"}, "`conditioner_dtype` changes nothing"),
        ("check_options", {"describe": Options.describe}, "must have `describe`"),
        ("check_options", {"knob": 3, "__annotations__": {"knob": int}}, "`knob` needs a line of docs"),
    ],
)
def test_what_is_wrong_is_said(small, check, changes, message):
    options = {"depth": 1, "hidden": 4} | ({"classes": 3} if check == "check_condition" else {})
    case = testing.Case(_family(small, **changes), options)
    with testing._eagerly(), pytest.raises(AssertionError, match=f"Wrong fails {check}: (.|\n)*{message}"):
        testing._run(getattr(testing, check), case, "")
