"""The presets side by side in Markdown: MODEL_CARDS.md, docs/models/index.md, and the README's table."""

from flowzoo.cards.card import bits_text, restriction_text
from flowzoo.cards.templates import render
from flowzoo.measure.registry import MEASUREMENTS, headline, headline_text
from flowzoo.record.preset import Preset

BEGIN, END = "<!-- presets:begin -->", "<!-- presets:end -->"
PAGES = "docs/models"

VALUES = {
    "folder": f"{PAGES}/",
    "absent": "not trained yet",
    "measurements": MEASUREMENTS,
    "headline": headline,
    "headline_text": headline_text,
    "bits_text": bits_text,
    "restriction_text": restriction_text,
}


def markdown_cards(presets: list[Preset]) -> str:
    """The whole of MODEL_CARDS.md."""
    return render("cards", presets=presets, **VALUES)


def markdown_gallery(presets: list[Preset]) -> str:
    """The whole of docs/models/index.md: a table that the site makes sortable, and figures."""
    return render("gallery", presets=presets, **VALUES)


def preset_table(presets: list[Preset]) -> str:
    """The README's table of presets."""
    return render("readme", presets=presets, **VALUES)


def readme_with_table(readme: str, presets: list[Preset]) -> str:
    """The README with the table between its two markers written anew.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README must have {BEGIN} and then {END}, got one without. Put them around the table.")
    return f"{before}{BEGIN}\n\n{preset_table(presets)}\n{END}{after}"
