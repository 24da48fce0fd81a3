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


def test_readme_needs_its_markers():
    presets = [Preset.from_dict(records.published())]
    text = readme_with_table(f"head\n{BEGIN}\nold\n{END}\ntail\n", presets)
    assert text.startswith("head\n")
    assert text.endswith("\ntail\n")
    assert "old" not in text
    assert readme_with_table(text, presets) == text
    with pytest.raises(ValueError, match="the README must have"):
        readme_with_table("no markers", presets)
