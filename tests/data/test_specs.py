import subprocess
import sys

import pytest

from flowzoo import data


@pytest.mark.parametrize("name", data.names())
def test_splits_cover_every_example_once(name):
    facts = data.spec(name)
    cut = facts.sizes["train"]
    assert facts.splits == {"train": f"train[:{cut}]", "validation": f"train[{cut}:]", "test": "test"}
    assert cut + facts.sizes["validation"] == {"mnist": 60_000, "fashion_mnist": 60_000, "cifar10": 50_000}[name]
    assert facts.sizes["validation"] == 5_000
    assert facts.sizes["test"] == 10_000
    assert facts.licence
    assert facts.citation
    assert facts.source


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("fashion-mnist", "fashion_mnist"), ("CIFAR10", None), ("minst", "mnist")]
)
def test_an_unknown_name_suggests_the_nearest(wrong, nearest):
    with pytest.raises(ValueError, match=wrong) as error:
        data.spec(wrong)
    assert "'cifar10'" in str(error.value)
    assert nearest is None or f"Did you mean '{nearest}'?" in str(error.value)


def test_the_facts_need_no_tensorflow():
    code = "import sys; from flowzoo.data import fixture, prepare; fixture('mnist'); print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
