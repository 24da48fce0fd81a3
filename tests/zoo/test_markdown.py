"""MODEL_CARDS.md and the README's table are what the presets say."""

from pathlib import Path

import pytest

from flowzoo.zoo.card import summary
from flowzoo.zoo.markdown import BEGIN, END, markdown_card, markdown_cards, preset_table, readme_with_table
from flowzoo.zoo.preset import Preset, list_presets
from tests.zoo import records

ROOT = Path(__file__).parents[2]
AGAIN = "run `python tools/make_cards.py`"


def shipped() -> list[Preset]:
    return [Preset.read(name) for name in list_presets()]


def test_model_cards_are_up_to_date():
    assert (ROOT / "MODEL_CARDS.md").read_text(encoding="utf-8") == markdown_cards(shipped()), AGAIN


def test_readme_table_is_up_to_date():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == readme_with_table(readme, shipped()), AGAIN


def test_a_card_tells_the_protocol():
    text = markdown_card(Preset.from_dict(records.published()))
    for needed in (
        "3.0000 ± 0.0100",
        "lower_bound",
        "1 draw, seed 0",
        "10,000 examples",
        "2 CPU cores",
        "a paper",
        "1,234",
    ):
        assert needed in text
    for needed in ("code Apache-2.0, weights Apache-2.0, data MIT", "arXiv:1807.03039", "--preset=tiny"):
        assert needed in text


def test_an_untrained_preset_claims_nothing():
    preset = Preset.from_dict(records.untrained())
    assert "not measured yet" in summary(preset)
    assert "not trained yet" in preset_table([preset])
    assert "samples.png" not in markdown_card(preset)


def test_a_recipe_only_is_marked():
    preset = Preset.from_dict(records.untrained() | {"recipe_only": True, "parameters": 1234})
    text = markdown_card(preset)
    assert "**Recipe only: there are no weights.**" in text and "| parameters | 1,234 |" in text
    assert "flowzoo verify" not in text and "samples.png" not in text and "### Train it\n" in text
    assert "recipe only, no weights | 1,234" in preset_table([preset])
    assert "bits/dim   recipe only: there are no weights" in summary(preset)


def test_restrictions_of_the_data_are_plain_to_see():
    record = records.published()
    record["licence"]["data"] = "CelebA agreement: non-commercial research purposes only"
    preset = Preset.from_dict(record)
    assert "**Restricted: non-commercial research only, by the licence of the data.**" in markdown_card(preset)
    assert "fashion_mnist; non-commercial research only" in preset_table([preset])
    assert "restricted non-commercial research only" in summary(preset)
    assert "estricted" not in markdown_card(Preset.from_dict(records.published()))


def test_a_part_of_a_data_set_is_named():
    record = records.published()
    record["dataset"]["name"] = "celeb_a_subset"
    preset = Preset.from_dict(record)
    start = "celeb_a_subset, 8 bits (14,283 of the 162,770 training images, 780"
    assert f"| data | {start}" in markdown_card(preset) and f"  data       {start}" in summary(preset)
    assert "fashion_mnist, 8 bits |" in markdown_card(Preset.from_dict(records.published()))


def test_memory_and_start_of_a_training():
    record = records.published()
    record["provenance"] |= {"peak_memory_bytes": 3 * 2**29, "peak_gpu_memory_bytes": 2**30, "init_from": "glow-mnist"}
    text = "2 steps in 0.02 h on 2 CPU cores"
    more = ", at most 1.50 GiB of memory, at most 1.00 GiB of GPU memory, from the weights of glow-mnist"
    assert f"| trained | {text}{more} |" in markdown_card(Preset.from_dict(record))
    assert f"trained    {text}\n" in summary(Preset.from_dict(records.published()))


def test_readme_needs_its_markers():
    presets = [Preset.from_dict(records.published())]
    text = readme_with_table(f"head\n{BEGIN}\nold\n{END}\ntail\n", presets)
    assert text.startswith("head\n")
    assert text.endswith("\ntail\n")
    assert "old" not in text
    assert readme_with_table(text, presets) == text
    with pytest.raises(ValueError, match="the README must have"):
        readme_with_table("no markers", presets)
