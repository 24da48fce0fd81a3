import subprocess
import sys

import pytest

from flowzoo import data

SIZES = {"mnist": 60_000, "fashion_mnist": 60_000, "cifar10": 50_000}


@pytest.mark.parametrize("name", SIZES)
def test_splits_cover_every_example_once(name):
    facts = data.spec(name)
    cut = facts.sizes["train"]
    assert facts.splits == {"train": f"train[:{cut}]", "validation": f"train[{cut}:]", "test": "test"}
    assert cut + facts.sizes["validation"] == SIZES[name]
    assert facts.sizes["validation"] == 5_000
    assert facts.sizes["test"] == 10_000


@pytest.mark.parametrize("name", data.names())
def test_every_split_has_a_size_and_every_data_set_its_origin(name):
    facts = data.spec(name)
    assert set(facts.splits) == set(facts.sizes) >= {"train", "validation", "test"}
    assert facts.licence
    assert facts.citation
    assert facts.source


def test_celeb_a_says_what_it_is():
    whole, part = data.spec("celeb_a"), data.spec("celeb_a_subset")
    assert sum(whole.sizes.values()) == 202_599
    assert (whole.classes, part.classes) == (0, 0)
    assert whole.licence == part.licence == "non-commercial research only"
    assert "2015" in whole.citation
    assert "14,283 of the 162,770 training images" in part.split_rule
    assert "660 of the 19,962 test images" in part.split_rule
    assert "9,723 training images are half size" in part.split_rule
    assert part.sizes["train"] - part.sizes["train_official"] == 9_723


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
